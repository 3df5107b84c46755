/*
 * site.c: the page and what belongs to it. www/ is embedded in the executable, so that one file
 * mounted anywhere is a whole site; a web server may serve the same files itself.
 */
#include "routes/routes.h"

#include <string.h>

#include "shared/digest.h"

/* build/site.inc is made by the Makefile: SITE(number, "name", "path") for each file of www/. */
#define SITE(number, name, path) extern const char site_##number[], site_##number##_end[];
#include "site.inc"
#undef SITE

static const struct asset {
	const char *name;
	const char *at, *end;
} assets[] = {
#define SITE(number, name, path) {name, site_##number, site_##number##_end},
#include "site.inc"
#undef SITE
};

static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; frame-src 'self' blob:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

static const char *media_type_of(const char *name)
{
	static const struct {
		const char *ending, *type;
	} types[] = {{".html", "text/html; charset=utf-8"}, {".css", "text/css; charset=utf-8"},
	    {".js", "text/javascript; charset=utf-8"}, {".svg", "image/svg+xml"},
	    {".png", "image/png"}, {".ico", "image/x-icon"},
	    {".webmanifest", "application/manifest+json"}};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
		if (strcmp(dot, types[i].ending) == 0)
			return types[i].type;
	return "application/octet-stream";
}

static const struct asset *find_asset(struct span name)
{
	for (size_t i = 0; i < sizeof assets / sizeof *assets; i++)
		if (span_is(name, assets[i].name))
			return &assets[i];
	return NULL;
}

static enum fault send_asset(struct call *c, const struct asset *asset)
{
	size_t len = (size_t)(asset->end - asset->at);
	uint8_t digest[SHA256_LEN];
	char tag[2 * 16 + 1];

	digest_of(DIGEST_SHA256, asset->at, len, digest);
	text_hex(digest, 16, tag);
	reply_header(&c->reply, "ETag", "\"%s\"", tag);
	reply_header(&c->reply, "Cache-Control", "no-cache");
	struct span known = c->request.header[HEADER_IF_NONE_MATCH];
	if (known.at && memmem(known.at, known.len, tag, sizeof tag - 1))
		return reply_empty(&c->reply, 304);
	if (strstr(asset->name, ".html")) {
		reply_header(&c->reply, "Content-Security-Policy", "%s", page_policy);
		reply_header(&c->reply, "Referrer-Policy", "same-origin");
		reply_header(&c->reply, "Cross-Origin-Opener-Policy", "same-origin");
	}
	return reply_send(&c->reply, 200, media_type_of(asset->name), asset->at, len);
}

enum fault site_page(struct call *c)
{
	/* "/drop": the page's own links are relative to "/drop/". */
	if (c->request.path.len == 0) {
		const char *url = call_url(c, "/");
		if (!url)
			return refuse(&c->why, FAULT_NOT_FOUND, NULL);
		reply_header(&c->reply, "Location", "%s", url);
		return reply_empty(&c->reply, 308);
	}
	return send_asset(c, find_asset((struct span){"index.html", 10}));
}

enum fault site_asset(struct call *c)
{
	const struct asset *asset = find_asset(c->request.segment[0]);

	return asset ? send_asset(c, asset) : refuse(&c->why, FAULT_NOT_FOUND, NULL);
}
