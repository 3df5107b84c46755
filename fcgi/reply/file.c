/* file.c: a kept file's bytes go out: whole, in part, or not at all because the client has them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "reply/inside.h"
#include "shared/digest.h"
#include "shared/log.h"
#include "shared/text.h"

/* What is said about a file in more than one place. */
struct facts {
	char sha256[2 * SHA256_LEN + 1];
	char etag[2 * SHA256_LEN + 3]; /* the digest, quoted */
	char modified[32];	       /* IMF-fixdate */
};

static void gather(const struct file *file, struct facts *facts)
{
	text_hex(file->sha256, SHA256_LEN, facts->sha256);
	snprintf(facts->etag, sizeof facts->etag, "\"%s\"", facts->sha256);
	text_http_date(file->uploaded_at, facts->modified);
}

/* RFC 9110 13.2.2: If-None-Match goes before If-Modified-Since. */
static bool not_modified(const struct reply *r, const struct file *file, const struct facts *facts)
{
	struct span tags = reply_asked(r, HEADER_IF_NONE_MATCH);
	int64_t since;
	if (tags.len)
		return etag_listed(tags, facts->etag);
	struct span date = reply_asked(r, HEADER_IF_MODIFIED_SINCE);
	return date.len && text_parse_http_date(date, &since) &&
	       file->uploaded_at / 1000 <= since / 1000;
}

/* RFC 9110 13.1.5: the tag must be the same and strong, the date exactly Last-Modified. */
static bool range_still_fits(const struct reply *r, const struct facts *facts)
{
	struct span validator = reply_asked(r, HEADER_IF_RANGE);
	return validator.len == 0 || span_is(validator, facts->etag) ||
	       span_is(validator, facts->modified);
}

static enum ranges wanted(const struct reply *r, const struct file *file, const struct facts *facts,
    struct range at[RANGES_MAX], unsigned *count)
{
	*count = 0;
	if (!r->request || r->request->method != METHOD_GET || !range_still_fits(r, facts))
		return RANGES_IGNORE;
	return ranges_parse(reply_asked(r, HEADER_RANGE), file->size, at, count);
}

/* RFC 6266: an ASCII name for old clients, with a '_' for each character that would need quoting or
 * that ASCII lacks; and the true one as RFC 8187 has it, which all others prefer. */
static void attach(struct reply *r, const char *disposition, const char *name)
{
	char ascii[NAME_BYTES + 1], encoded[3 * NAME_BYTES + 1];
	size_t used = 0;
	for (const char *at = name; *at && used < NAME_BYTES; at++) {
		unsigned char c = (unsigned char)*at;
		if (c >= 0x80 && c < 0xc0)
			continue; /* the rest of a character that has its '_' */
		bool plain = c >= 0x20 && c < 0x7f && !strchr("\"\\%", c);
		ascii[used++] = plain ? *at : '_';
	}
	ascii[used] = '\0';
	text_percent_encode(encoded, sizeof encoded, span_of(name));
	reply_header(r, "Content-Disposition", "%s; filename=\"%s\"; filename*=UTF-8''%s",
	    disposition, ascii, encoded);
}

static void validators(struct reply *r, const struct facts *facts)
{
	reply_header(r, "ETag", "%s", facts->etag);
	reply_header(r, "Last-Modified", "%s", facts->modified);
	reply_header(r, "Cache-Control", "private, no-cache");
	/* on 304, too: it renews what the browser has */
	reply_header(r, "Cross-Origin-Resource-Policy", "%s",
	    r->request && r->request->site_allowed ? "cross-origin" : "same-origin");
}

/* Whatever a stranger uploaded must not run with the rights of this site: `nosniff` keeps a script
 * from being one that is not declared as one (the types: WHATWG MIME Sniffing, 4.6). The record
 * still says what it is. */
static const char *sent_type(const struct file *file)
{
	static const char scripts[] = "application/ecmascript, application/javascript, "
				      "application/x-ecmascript, application/x-javascript, "
				      "text/ecmascript, text/javascript, text/javascript1.*, "
				      "text/jscript, text/livescript, text/x-ecmascript, "
				      "text/x-javascript";
	return text_glob_list(scripts, file->type) ? "text/plain" : file->type;
}

/* What a browser may show in place, by libmagic's verdict: nothing of it can run or load. */
static bool is_harmless(const struct file *file)
{
	static const char shown[] = "image/png, image/jpeg, image/gif, image/webp, image/avif, "
				    "audio/*, video/*, text/plain, application/pdf";
	return text_glob_list(shown, file->type);
}

static void describe(struct reply *r, const struct content *c, const struct facts *facts)
{
	const struct file *file = c->file;
	char digest[4 * ((SHA256_LEN + 2) / 3) + 1];
	base64_encode(file->sha256, SHA256_LEN, digest);
	reply_describe(r);
	validators(r, facts);
	attach(r, c->shown && is_harmless(file) ? "inline" : "attachment", file->name);
	reply_header(r, "Repr-Digest", "sha-256=:%s:", digest);
	reply_header(r, "Content-Security-Policy", "sandbox; default-src 'none'");
}

/* Copy [first, last] of the object. A short object or a read error ends the answer early: its
 * Content-Length tells the client. */
static enum fault copy(struct reply *r, const struct content *c, struct range part)
{
	while (part.first <= part.last) {
		int64_t left = part.last - part.first + 1;
		size_t want = left < (int64_t)c->room ? (size_t)left : c->room;
		ssize_t got = pread(c->fd, c->buffer, want, part.first);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			log_line(LOG_ERROR, "object cannot be read", "id=%s at=%lld reason=\"%s\"",
			    c->file->id, (long long)part.first,
			    got ? strerror(errno) : "too short");
			return FAULT_INTERNAL;
		}
		enum fault f = reply_write(r, c->buffer, (size_t)got);
		if (f)
			return f;
		part.first += got;
	}
	return FAULT_NONE;
}

static bool head_only(const struct reply *r)
{
	return r->request && r->request->method == METHOD_HEAD;
}

/* A Range that was ignored here is not for the server in front to try either: see seal(). */
static enum fault send_whole(struct reply *r, const struct content *c, const struct facts *facts)
{
	bool ignored =
	    reply_asked(r, HEADER_RANGE).at && !head_only(r) && range_still_fits(r, facts);
	if (!ignored)
		reply_header(r, "Accept-Ranges", "bytes");
	enum fault f = reply_begin(r, 200, sent_type(c->file), c->file->size);
	return f || head_only(r) ? f : copy(r, c, (struct range){0, c->file->size - 1});
}

static enum fault send_one(struct reply *r, const struct content *c, struct range part)
{
	reply_header(r, "Accept-Ranges", "bytes");
	reply_header(r, "Content-Range", "bytes %lld-%lld/%lld", (long long)part.first,
	    (long long)part.last, (long long)c->file->size);
	enum fault f = reply_begin(r, 206, sent_type(c->file), part.last - part.first + 1);
	return f ? f : copy(r, c, part);
}

/* What stands before a part (RFC 9110 14.6). The boundary is cut from the content's own SHA-256: a
 * file that contains it would be a preimage, so nobody can plant one. */
static int part_head(
    char *to, size_t room, const struct content *c, const char *boundary, struct range part)
{
	return snprintf(to, room,
	    "\r\n--%s\r\nContent-Type: %s\r\nContent-Range: bytes %lld-%lld/%lld\r\n\r\n", boundary,
	    sent_type(c->file), (long long)part.first, (long long)part.last,
	    (long long)c->file->size);
}

static int64_t parts_length(
    const struct content *c, const char *boundary, const struct range *at, unsigned count)
{
	int64_t length = (int64_t)strlen("\r\n----\r\n") + (int64_t)strlen(boundary);
	for (unsigned i = 0; i < count; i++)
		length += part_head(NULL, 0, c, boundary, at[i]) + at[i].last - at[i].first + 1;
	return length;
}

static enum fault send_parts(struct reply *r, const struct content *c, const char *boundary,
    const struct range *at, unsigned count)
{
	char type[96], head[512];
	snprintf(type, sizeof type, "multipart/byteranges; boundary=%s", boundary);
	reply_header(r, "Accept-Ranges", "bytes");
	enum fault f = reply_begin(r, 206, type, parts_length(c, boundary, at, count));
	if (f)
		return f;
	for (unsigned i = 0; i < count; i++) {
		int len = part_head(head, sizeof head, c, boundary, at[i]);
		f = reply_write(r, head, (size_t)len);
		if (!f)
			f = copy(r, c, at[i]);
		if (f)
			return f;
	}
	int len = snprintf(head, sizeof head, "\r\n--%s--\r\n", boundary);
	return reply_write(r, head, (size_t)len);
}

/* lighttpd percent-decodes the path and Apache does not: hand over only paths that both read alike. */
static bool same_everywhere(const char *path)
{
	for (; path && *path; path++)
		if (*path <= ' ' || *path == '%' || *path == 0x7f)
			return false;
	return path != NULL;
}

/* May the server in front send it by itself? Only what all of them do alike: a whole file, or one plain range
 * of it. lighttpd makes one range of several, and nginx judges If-Range by a tag of its own. */
static bool can_hand_over(const struct reply *r, const struct content *c, unsigned ranges)
{
	if (c->sendfile == SENDFILE_NONE || head_only(r) || c->file->size == 0)
		return false;
	if (c->sendfile == SENDFILE_X_SENDFILE && !same_everywhere(c->object_path))
		return false;
	return reply_asked(r, HEADER_RANGE).len == 0 ||
	       (ranges == 1 && reply_asked(r, HEADER_IF_RANGE).len == 0);
}

static enum fault hand_over(struct reply *r, const struct content *c, const struct facts *facts)
{
	reply_header(r, "Accept-Ranges", "bytes"); /* what was not sliced here is the server's to slice */
	if (c->sendfile == SENDFILE_X_ACCEL)
		reply_header(r, "X-Accel-Redirect", REPLY_ACCEL_PREFIX "%s", facts->sha256);
	else
		reply_header(r, "X-Sendfile", "%s", c->object_path);
	return reply_begin(r, 200, sent_type(c->file), -1);
}

static enum fault out_of_range(struct reply *r, const struct content *c)
{
	struct refusal why = NO_REFUSAL;
	refuse(&why, FAULT_RANGE,
	    "None of the ranges asked for lies inside the file, which has %lld bytes.",
	    (long long)c->file->size);
	reply_header(r, "Content-Range", "bytes */%lld", (long long)c->file->size);
	return reply_refuse(r, &why);
}

enum fault reply_content(struct reply *r, const struct content *c)
{
	struct facts facts;
	struct range at[RANGES_MAX];
	unsigned count;
	gather(c->file, &facts);
	if (not_modified(r, c->file, &facts)) {
		validators(r, &facts);
		return reply_empty(r, 304);
	}
	enum ranges ranges = wanted(r, c->file, &facts, at, &count);
	if (ranges == RANGES_UNSATISFIABLE)
		return out_of_range(r, c);
	describe(r, c, &facts);
	if (can_hand_over(r, c, count))
		return hand_over(r, c, &facts);
	if (count > 1) {
		char boundary[] = "waybill-0123456789abcdef0123456789abcdef";
		memcpy(boundary + 8, facts.sha256, 32);
		return send_parts(r, c, boundary, at, count);
	}
	if (count == 1)
		return send_one(r, c, at[0]);
	return send_whole(r, c, &facts);
}
