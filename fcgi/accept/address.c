/*
 * address.c: what was addressed, below which mount point. Pure.
 *
 * Only REQUEST_URI is the same behind every server: raw, undecoded, not normalised. The path below the mount
 * point is taken from it, and split before it is decoded, so that %2F stays inside its segment.
 */
#include "accept/inside.h"

#include <string.h>

enum { ADDRESS_MAX = 12 * 1024 };

/* Some CGI servers have no REQUEST_URI: build it from the decoded parts, encoded again. */
static struct span rebuilt_uri(struct exchange *x, struct scratch *scratch)
{
	struct span parts[2] = {span_of(x->env(x, "SCRIPT_NAME")), span_of(x->env(x, "PATH_INFO"))};
	size_t room = 3 * (parts[0].len + parts[1].len) + 2, used = 0;
	char *to = scratch_take(scratch, room);

	if (!to)
		return (struct span){0};
	for (int i = 0; i < 2; i++) {
		struct span rest = parts[i];
		while (rest.len > 0) {
			const char *before = rest.at;
			struct span segment = span_cut(&rest, '/');
			used += text_percent_encode(to + used, room - used, segment);
			if (before + segment.len < parts[i].at + parts[i].len)
				to[used++] = '/';
		}
	}
	if (used == 0)
		to[used++] = '/';
	return (struct span){to, used};
}

static enum fault read_uri(
    struct request *r, struct exchange *x, struct scratch *scratch, struct refusal *why)
{
	struct span uri = span_of(x->env(x, "REQUEST_URI"));

	if (uri.len > ADDRESS_MAX)
		return refuse(why, FAULT_NAME_TOO_LONG,
		    "The address has %zu bytes, more than the %d this server reads. Names in it "
		    "may have %d bytes.",
		    uri.len, ADDRESS_MAX, NAME_BYTES);
	if (uri.len == 0) {
		uri = rebuilt_uri(x, scratch);
		r->query = span_of(x->env(x, "QUERY_STRING"));
		r->path = uri;
	} else {
		r->query = text_url_path(uri); /* Apache leaves the absolute form as it came */
		if (r->query.len == 0)
			r->query = span_of("/");
		r->path = span_cut(&r->query, '?');
	}
	if (r->path.len == 0 || r->path.at[0] != '/')
		return refuse(why, FAULT_BAD_REQUEST, "The address is not a path.");
	return FAULT_NONE;
}

/* ---- the mount point ------------------------------------------------------------------------- */

static bool is_mount_of(struct span base, struct span path)
{
	if (base.len == 0)
		return true;
	return base.at[0] == '/' && span_skip(&path, base) && (path.len == 0 || path.at[0] == '/');
}

/* lighttpd, mounted at "/" without fix-root-scriptname, calls the first segment of the path the script; so
 * does any server that has no PATH_INFO. Our own names are never a mount point. */
static bool is_own_name(struct span script)
{
	static const char *const names[] = {
	    "/upload", "/files", "/healthz", "/metrics", "/receipt", "/openapi.json"};
	static const char *const endings[] = {".css", ".js", ".svg"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (span_is(script, names[i]))
			return true;
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		size_t len = strlen(endings[i]);
		if (script.len > len && memcmp(script.at + script.len - len, endings[i], len) == 0)
			return true;
	}
	return false;
}

/* "/cgi-bin/waybill" or "/waybill.cgi", called without anything behind it. */
static bool is_program(struct span script)
{
	struct span name = script;

	while (name.len > 0 && memchr(name.at, '/', name.len))
		span_cut(&name, '/');
	return span_starts_nocase(name, "waybill");
}

/* SCRIPT_NAME as it stands in the raw path: servers hand it on decoded. One pass, however many
 * slashes a stranger sends. */
static struct span raw_script(struct span path, struct span script)
{
	struct span rest = path;

	for (size_t i = 0; i < script.len; i++) {
		int escaped = text_escaped(rest);
		if (rest.len == 0 || script.at[i] != (escaped < 0 ? rest.at[0] : (char)escaped))
			return (struct span){0};
		span_take(&rest, escaped < 0 ? 1 : 3);
	}
	if (rest.len > 0 && rest.at[0] != '/')
		return (struct span){0};
	return (struct span){path.at, path.len - rest.len};
}

/* Links and redirects begin with the base: "//host" and "/\host" in front of them would lead to another site
 * (RFC 3986 4.2; browsers read a backslash as a slash). So one slash begins it, and no backslash is in it. */
static struct span clean_base(struct span base)
{
	while (base.len > 1 && base.at[1] == '/')
		span_take(&base, 1);
	bool odd = base.len > 0 && (base.at[0] != '/' || memchr(base.at, '\\', base.len));
	return odd ? (struct span){"", 0} : base;
}

static struct span find_base(struct exchange *x, const struct config *config, struct span path)
{
	struct span given = told_base(x, config);

	if (given.at && given.len == 0) /* told: the root */
		return (struct span){"", 0};
	if (!given.at)
		given = span_of(config->base);
	if (given.len > 0) {
		given = span_without_slashes(given, 0);
		return is_mount_of(given, path) ? given : (struct span){"", 0};
	}
	struct span script = span_without_slashes(span_of(x->env(x, "SCRIPT_NAME")), 0);
	/* Without PATH_INFO the script's name is the whole path and tells nothing of the mount. */
	bool told = x->env(x, "PATH_INFO") || is_program(script);
	if (script.len == 0 || is_own_name(script) || !told)
		return (struct span){"", 0};
	struct span raw = raw_script(path, script);
	return raw.at ? raw : (struct span){"", 0};
}

/* ---- segments -------------------------------------------------------------------------------- */

static enum fault split(struct request *r, struct scratch *scratch, struct refusal *why)
{
	struct span rest = {r->path.at + 1, r->path.len - 1};
	bool more = rest.len > 0;

	while (more) {
		const char *end = rest.at + rest.len;
		struct span raw = span_cut(&rest, '/'), decoded;
		more = raw.at + raw.len < end; /* a slash stood behind it */
		if (r->segments == PATH_SEGMENTS) {
			r->segments++;
			return FAULT_NONE;
		}
		if (!text_percent_decode(raw, false, scratch, &decoded))
			return refuse(why, FAULT_BAD_REQUEST,
			    "The address has a %% that two hexadecimal digits do not follow; "
			    "write it %%25.");
		r->segment[r->segments++] = decoded;
	}
	return FAULT_NONE;
}

enum fault request_address(struct request *r, struct exchange *x, const struct config *config,
    struct scratch *scratch, struct refusal *why)
{
	enum fault f = read_uri(r, x, scratch, why);

	r->base = (struct span){"", 0};
	if (f)
		return f;
	struct span mounted = find_base(x, config, r->path);
	r->base = clean_base(mounted);
	if (r->base.len > 0)
		span_take(&r->path, mounted.len);
	if (r->path.len == 0) /* "/drop" itself: the page is at "/drop/" */
		return FAULT_NONE;
	return split(r, scratch, why);
}
