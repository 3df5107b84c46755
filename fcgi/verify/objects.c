/*
 * objects.c: every object is read and hashed again; what nobody asks for is an orphan.
 */
#include "shared/descriptor.h"
#include "shared/log.h"
#include "shared/text.h"
#include "verify/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	MOMENT_MS = 100,    /* between two looks at what seems an orphan */
	MOMENTS = 10,	    /* looks at one */
	PATIENCE_MS = 5000, /* for all of them */
};

/* ---- one object ------------------------------------------------------------------------------ */

static bool hash_all(struct verifying *v, int fd, char *buffer, uint8_t *sha256, int64_t *size)
{
	struct digest digest;
	ssize_t n;

	*size = 0;
	digest_start(&digest, DIGEST_SHA256);
	while ((n = TEMP_FAILURE_RETRY(read(fd, buffer, VERIFY_BUFFER))) > 0) {
		digest_add(&digest, buffer, (size_t)n);
		*size += n;
		verify_advance(v, n);
	}
	digest_end(&digest, sha256);
	return n == 0;
}

/* What keeps us from reading says nothing of the bytes, unless it is that there are none. */
static enum object_state state_of(int err)
{
	return err == ENOENT ? OBJECT_MISSING : err == EIO ? OBJECT_BROKEN : OBJECT_UNREADABLE;
}

static enum object_state hash_once(
    struct verifying *v, const uint8_t *sha256, char *buffer, int64_t *size)
{
	uint8_t found[SHA256_LEN];
	int fd = object_reach(v->keep->store, sha256);

	*size = -1;
	bool hashed = fd >= 0 && hash_all(v, fd, buffer, found, size);
	descriptor_close(fd);
	if (!hashed)
		return state_of(errno);
	return memcmp(found, sha256, SHA256_LEN) == 0 ? OBJECT_GOOD : OBJECT_WRONG_HASH;
}

enum object_state verify_hash(
    struct verifying *v, const uint8_t *sha256, char *buffer, int64_t *size)
{
	enum object_state state = hash_once(v, sha256, buffer, size);

	/* A disk is asked twice, before it is said to have lost something. */
	return state == OBJECT_BROKEN ? hash_once(v, sha256, buffer, size) : state;
}

/* ---- a second look, under the write lock ----------------------------------------------------- */

struct second_look {
	struct keep *keep;
	const uint8_t *sha256;
	struct mark mark; /* what was examined */
	int64_t resize;	  /* >= 0: its true size, to be entered */
	bool stands;	  /* the finding does */
};

/* Is it still in the catalog, and still the same file? Then nobody was just changing it. */
static enum fault run_look(struct catalog *catalog, void *self, struct refusal *why)
{
	struct second_look *look = self;
	struct mark now;
	struct known known;
	enum fault f = job_known(catalog, look->sha256, &known, why);

	object_mark(look->keep->store, look->sha256, &now);
	look->stands = known.found && mark_same(&now, &look->mark);
	if (f || !look->stands || look->resize < 0)
		return f;
	return job_resize(catalog, look->sha256, look->resize, why);
}

static bool remember(struct verifying *v, const uint8_t *sha256, const struct mark *mark)
{
	if (v->lost_count == v->lost_room) {
		size_t room = v->lost_room == 0 ? 64 : v->lost_room * 2;
		struct lost *more = realloc(v->lost, room * sizeof *more);
		if (more == NULL)
			return false;
		v->lost = more;
		v->lost_room = room;
	}
	struct lost *lost = &v->lost[v->lost_count++];
	lost->mark = *mark;
	memcpy(lost->sha256, sha256, SHA256_LEN);
	return true;
}

static void tell_object(struct verifying *v, enum object_state state, const uint8_t *sha256,
    int64_t expected, int64_t size)
{
	static const char *const words[] = {[OBJECT_MISSING] = "missing",
	    [OBJECT_BROKEN] = "read-error",
	    [OBJECT_WRONG_HASH] = "wrong-hash",
	    [OBJECT_WRONG_SIZE] = "wrong-size-in-catalog"};
	const char *repaired = state == OBJECT_WRONG_SIZE ? "catalog"
			       : state == OBJECT_MISSING  ? "records-removed"
							  : "put-aside";
	bool cut = state == OBJECT_WRONG_HASH && size != expected;

	verify_tell(v, v->repair ? repaired : NULL, "%s object=%s size=%lld on_disk=%lld",
	    cut ? "wrong-size" : words[state], object_name(sha256).hex, (long long)expected,
	    (long long)size);
}

void verify_unreadable(struct verifying *v, const uint8_t *sha256, int err)
{
	char text[128];

	v->unreadable++;
	verify_tell(v, NULL, "unreadable object=%s error=%s", object_name(sha256).hex,
	    log_value(span_of(strerrordesc_np(err)), text, sizeof text));
}

static enum fault check_object(
    struct verifying *v, const uint8_t *sha256, int64_t expected, char *buffer, struct refusal *why)
{
	struct second_look look = {.keep = v->keep, .sha256 = sha256, .resize = -1};
	int64_t size;

	v->result->objects++;
	object_mark(v->keep->store, sha256, &look.mark);
	enum object_state state = verify_hash(v, sha256, buffer, &size);
	int err = errno;
	if (state == OBJECT_GOOD && size != expected)
		state = OBJECT_WRONG_SIZE;
	if (state == OBJECT_GOOD)
		return FAULT_NONE;
	if (state == OBJECT_WRONG_SIZE && v->repair)
		look.resize = size;
	enum fault f = catalog_commit(v->keep->catalog, run_look, &look, why);
	if (f || !look.stands)
		return f;
	v->resize |= look.resize >= 0;
	v->unread += state == OBJECT_MISSING || state == OBJECT_BROKEN;
	if (state == OBJECT_UNREADABLE)
		verify_unreadable(v, sha256, err);
	else
		tell_object(v, state, sha256, expected, size);
	if (state == OBJECT_UNREADABLE || state == OBJECT_WRONG_SIZE ||
	    remember(v, sha256, &look.mark))
		return FAULT_NONE;
	return refuse(why, FAULT_INTERNAL, "Out of memory.");
}

/* ---- all of them ----------------------------------------------------------------------------- */

typedef enum fault object_check(struct verifying *v, const uint8_t *sha256, int64_t expected,
    char *buffer, struct refusal *why);

/* All that have at least so many records. */
static enum fault each_object(
    struct verifying *v, int64_t refs, object_check *visit, struct refusal *why)
{
	struct content page = {.count = 0};
	uint8_t after[SHA256_LEN] = {0};
	size_t len = 0; /* an empty BLOB comes before all others */
	char *buffer = malloc(VERIFY_BUFFER);
	enum fault f = buffer == NULL ? refuse(why, FAULT_INTERNAL, "Out of memory.") : FAULT_NONE;

	while (!f) {
		f = content_page(v->keep->catalog, refs, after, len, &page, why);
		if (f || page.count == 0)
			break;
		for (size_t i = 0; i < page.count && !f; i++)
			f = visit(v, page.sha256[i], page.size[i], buffer, why);
		memcpy(after, page.sha256[page.count - 1], SHA256_LEN);
		len = SHA256_LEN;
	}
	free(buffer);
	return f;
}

enum fault verify_objects(struct verifying *v, struct refusal *why)
{
	v->unread = v->unreadable = 0;
	return each_object(v, 0, check_object, why);
}

/* Can it be opened? One that is removed meanwhile does not count. */
static enum fault try_object(
    struct verifying *v, const uint8_t *sha256, int64_t expected, char *buffer, struct refusal *why)
{
	struct known known;
	int fd = object_reach(v->keep->store, sha256);
	enum object_state state = fd < 0 ? state_of(errno) : OBJECT_GOOD;

	v->reached++;
	descriptor_close(fd);
	if (state == OBJECT_GOOD)
		return FAULT_NONE;
	enum fault f = catalog_known(v->keep->catalog, sha256, &known, why);
	v->unread += known.found && state != OBJECT_UNREADABLE;
	v->unreadable += known.found && state == OBJECT_UNREADABLE;
	return f;
}

enum fault verify_reach(struct verifying *v, struct refusal *why)
{
	v->reached = v->unread = v->unreadable = 0;
	enum fault f = each_object(v, 1, try_object, why);
	return !f ? verify_doubt(v, v->reached, why) : f;
}

enum fault verify_doubt(const struct verifying *v, int64_t objects, struct refusal *why)
{
	if (v->force || (v->unread + v->unreadable) * 10 <= objects)
		return FAULT_NONE;
	return refuse(why, FAULT_INTERNAL,
	    "Of %lld objects %lld are missing and %lld cannot be read: more than a tenth, so no "
	    "record was removed. Is the file system of objects/ mounted, and may this user read "
	    "it? Where they are lost indeed: --repair --force.",
	    (long long)objects, (long long)v->unread, (long long)v->unreadable);
}

/* ---- orphans --------------------------------------------------------------------------------- */

struct orphan {
	struct verifying *v;
	uint8_t sha256[1][SHA256_LEN];
	bool repair, stands;
};

/* Objects are linked and entered in one transaction: without a row under the lock, it is nobody's. */
static enum fault run_orphan(struct catalog *catalog, void *self, struct refusal *why)
{
	struct orphan *o = self;
	struct mark now;
	struct known known;
	enum fault f = job_known(catalog, o->sha256[0], &known, why);

	object_mark(o->v->keep->store, o->sha256[0], &now);
	o->stands = !f && !known.found && now.there;
	if (f || !o->stands || !o->repair)
		return f;
	return job_drop_orphans(catalog, o->sha256, 1, why);
}

/*
 * A deletion commits its rows first and unlinks after, under another lock (commit.c): what has no
 * row now may be gone in a moment, and is no finding. Look again for a second; but not for ever,
 * where there are many.
 */
static enum fault look_again(struct verifying *v, struct orphan *o, struct refusal *why)
{
	const struct timespec moment = {.tv_nsec = MOMENT_MS * 1000000L};
	enum fault f = catalog_commit(v->keep->catalog, run_orphan, o, why);

	for (int i = 0; i < MOMENTS && !f && o->stands; i++) {
		if (v->waited >= PATIENCE_MS)
			break;
		nanosleep(&moment, NULL);
		v->waited += MOMENT_MS;
		f = catalog_commit(v->keep->catalog, run_orphan, o, why);
	}
	return f;
}

static enum fault check_orphan(
    struct verifying *v, const uint8_t sha256[SHA256_LEN], struct refusal *why)
{
	struct orphan orphan = {.v = v};
	struct known known;
	enum fault f = catalog_known(v->keep->catalog, sha256, &known, why);

	memcpy(orphan.sha256[0], sha256, SHA256_LEN);
	if (!f && !known.found)
		f = look_again(v, &orphan, why);
	if (!f && orphan.stands && v->repair) {
		orphan.repair = true;
		f = catalog_commit(v->keep->catalog, run_orphan, &orphan, why);
	}
	if (!f && orphan.stands)
		verify_tell(
		    v, v->repair ? "removed" : NULL, "orphan object=%s", object_name(sha256).hex);
	return f;
}

static bool visit_object(void *self, const uint8_t sha256[SHA256_LEN])
{
	struct visit *visit = self;

	visit->fault = check_orphan(visit->v, sha256, visit->why);
	return !visit->fault;
}

enum fault verify_orphans(struct verifying *v, struct refusal *why)
{
	struct visit visit = {.v = v, .why = why};
	enum fault f = object_each(v->keep->store, visit_object, &visit, why);

	return !f ? visit.fault : f;
}
