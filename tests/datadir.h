/*
 * datadir.h: what the tests of store/, catalog/, keep/ and verify/ share: a data_dir of their own,
 * a sniffer that is not libmagic, uploads in one call. Included by one C file per test program.
 */
#ifndef WAYBILL_TESTS_DATADIR_H
#define WAYBILL_TESTS_DATADIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catalog/uploads.h"
#include "keep/inside.h"
#include "store/disk/disk.h"
#include "shared/text.h"
#include "verify/verify.h"

/* ---- a sniffer ------------------------------------------------------------------------------- */

static atomic_int sniffed; /* questions asked */
static int sniffer_version = 544;
static atomic_bool sniffer_dies;
/* Called once, in the middle of a question. */
static void (*_Atomic while_sniffing)(void *self);
static void *sniffing_self;

struct sniffers *sniff_start(unsigned count, struct refusal *why)
{
	return (struct sniffers *)&sniffed;
}

void sniff_stop(struct sniffers *sniffers)
{
}

enum fault sniff_type(struct sniffers *sniffers, int fd, const void *bytes, size_t len,
    char type[TYPE_BYTES + 1], struct refusal *why)
{
	char head[8] = "";

	atomic_fetch_add(&sniffed, 1);
	void (*once)(void *) = atomic_exchange(&while_sniffing, NULL);
	if (once != NULL)
		once(sniffing_self);
	if (sniffer_dies)
		return refuse(why, FAULT_INTERNAL, NULL);
	ssize_t n = pread(fd, head, sizeof head, 0);
	const char *verdict = n == 0				? "inode/x-empty"
			      : memcmp(head, "\x89PNG", 4) == 0 ? "image/png"
			      : memcmp(head, "GIF8", 4) == 0	? "image/gif"
			      : memcmp(head, "MZ", 2) == 0	? "application/x-dosexec"
								: "text/plain";
	strcpy(type, verdict);
	return FAULT_NONE;
}

int sniff_version(void)
{
	return sniffer_version;
}

void sniff_count(struct sniffers *sniffers, int64_t *alive, int64_t *deaths)
{
	*alive = 1;
	*deaths = 0;
}

/* ---- a data_dir ------------------------------------------------------------------------------ */

static char data_dir[64];
static struct config config;
static struct keep *keep;
static struct refusal why;

static struct keep *open_keep(unsigned mode)
{
	struct keep *k;

	refusal_clear(&why);
	if (!keep_open(&k, &config, mode, 1, &why))
		return NULL;
	return k;
}

static int make_keep(void **state)
{
	snprintf(data_dir, sizeof data_dir, "/tmp/keep-test-XXXXXX");
	assert_non_null(mkdtemp(data_dir));
	config = (struct config){.data_dir = data_dir,
	    .max_bytes = 1 << 30,
	    .max_files = 64,
	    .open_uploads = 1000,
	    .allow_types = "*/*",
	    .deny_types = "application/x-dosexec",
	    .durability = DURABILITY_NORMAL};
	sniffer_version = 544;
	sniffer_dies = false;
	sniffed = 0;
	keep = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	if (keep == NULL)
		print_error("%s\n", refusal_detail(&why));
	return keep == NULL;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static int drop_keep(void **state)
{
	keep_close(keep);
	keep = NULL;
	return nftw(data_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int entries(const char *sub)
{
	char path[128];
	int n = 0;

	snprintf(path, sizeof path, "%s/%s", data_dir, sub);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		n += strlen(e->d_name) >= ID_LEN; /* an object, a partial upload, a tmp-* */
	closedir(dir);
	return n;
}

/* One number out of the catalog, past keep/. */
static inline int64_t ask(const char *sql)
{
	char path[128];
	sqlite3 *db;
	sqlite3_stmt *s;

	snprintf(path, sizeof path, "%s/waybill.db", data_dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	int64_t value = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	sqlite3_close(db);
	return value;
}

/* The sums that triggers keep agree with what is there. */
static inline void check_sums(void)
{
	assert_int_equal(ask("SELECT files FROM store"), ask("SELECT count(*) FROM files"));
	int64_t fields = ask("SELECT ifnull(sum(length(CAST(fields AS BLOB))), 0) FROM forms");
	assert_int_equal(ask("SELECT bytes FROM store"),
	    ask("SELECT ifnull(sum(size), 0) FROM objects") + fields);
	assert_int_equal(
	    ask("SELECT ifnull(sum(refs), 0) FROM objects"), ask("SELECT count(*) FROM files"));
	assert_int_equal(
	    ask("SELECT ifnull(sum(files), 0) FROM usage"), ask("SELECT count(*) FROM files"));
	assert_int_equal(ask("SELECT ifnull(sum(bytes), 0) FROM usage"),
	    ask("SELECT ifnull(sum(size), 0) FROM files") + fields);
	assert_int_equal(
	    ask("SELECT count(*) FROM forms WHERE seq NOT IN (SELECT ifnull(form, seq) FROM files)"), 0);
	assert_int_equal(ask("SELECT count(*) FROM objects WHERE refs <= 0"), 0);
	assert_int_equal(ask("SELECT count(*) FROM objects"), entries("objects"));
	assert_int_equal(ask("SELECT count(*) FROM (SELECT * FROM uploads_sums EXCEPT"
			     " SELECT * FROM uploads_added_up)"), 0);
	assert_int_equal(ask("SELECT count(*) FROM (SELECT * FROM uploads_added_up EXCEPT"
			     " SELECT * FROM uploads_sums)"), 0);
}

/* ---- uploads --------------------------------------------------------------------------------- */

struct sent {
	const char *name, *bytes;
	size_t len; /* 0: strlen(bytes) */
};

static struct grant grant_of(int64_t length, const char *owner)
{
	return (struct grant){
	    .length = length, .max_bytes = 1 << 30, .max_files = 64, .owner = span_of(owner)};
}

static enum fault send_one(struct upload *u, const struct sent *s, bool form, struct refusal *no)
{
	struct part part = {.is_file = true,
	    .field = form ? span_of("file") : (struct span){NULL, 0},
	    .name = span_of(s->name),
	    .declared_type = span_of("application/octet-stream")};
	enum fault f = upload_file(u, &part, no);

	if (f == FAULT_NONE)
		f = upload_write(u, s->bytes, s->len != 0 ? s->len : strlen(s->bytes), no);
	return f == FAULT_NONE ? upload_file_end(u, no) : f;
}

static inline enum fault send_all(struct keep *k, const struct grant *grant, const struct sent *s,
    size_t count, bool token, struct files *files, struct refusal *no)
{
	struct upload *u;
	enum fault f = upload_begin(k, grant, &u, no);

	for (size_t i = 0; i < count && f == FAULT_NONE; i++)
		f = send_one(u, &s[i], count > 1, no);
	if (f == FAULT_NONE)
		f = upload_finish(u, "{}", token, files, no);
	upload_leave(u);
	return f;
}

/* Keep one file and say its id. */
static inline const char *put(
    const char *name, const char *bytes, const char *owner, char id[ID_LEN + 1])
{
	struct grant grant = grant_of((int64_t)strlen(bytes), owner);
	struct sent s = {name, bytes, 0};
	struct files files;

	refusal_clear(&why);
	enum fault f = send_all(keep, &grant, &s, 1, false, &files, &why);
	if (f != FAULT_NONE)
		fail_msg("%s: %s", name, refusal_detail(&why));
	assert_int_equal(files.count, 1);
	strcpy(id, files.at[0].id);
	files_release(&files);
	return id;
}

static inline enum fault look(const char *id)
{
	struct files files = {0};
	enum fault f = keep_find(keep, span_of(id), &files, &why);

	files_release(&files);
	return f;
}

#endif
