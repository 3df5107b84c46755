/*
 * openapi.c: the HTTP interface as an OpenAPI 3.1 document, made of the tables that make it work: the
 * routes, and the faults.
 */
#include <stdio.h>
#include <string.h>

#include "reply/inside.h"
#include "shared/text.h"

#define PUT(b, literal) buffer_add((b), (literal), sizeof(literal) - 1)

/* What answers hold. Members may be added in any version, so nothing is closed. */
static const char schemas[] =
    "\"File\":{\"type\":\"object\",\"required\":[\"id\",\"name\",\"path\",\"size\",\"type\","
    "\"declared_type\",\"sha256\",\"owner\",\"fields\",\"uploaded_at\",\"expires_at\",\"url\"],"
    "\"properties\":{"
    "\"id\":{\"type\":\"string\",\"pattern\":\"^[0-9a-z]{26}$\"},"
    "\"name\":{\"type\":\"string\"},"
    "\"path\":{\"type\":[\"string\",\"null\"],\"description\":\"folders above the name\"},"
    "\"size\":{\"type\":\"integer\",\"minimum\":0},"
    "\"type\":{\"type\":\"string\",\"description\":\"what the content is\"},"
    "\"declared_type\":{\"type\":[\"string\",\"null\"],\"description\":\"what it was sent as\"},"
    "\"sha256\":{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{64}$\"},"
    "\"owner\":{\"type\":[\"string\",\"null\"]},"
    "\"address\":{\"type\":[\"string\",\"null\"],\"description\":\"of the client; for admin tokens\"},"
    "\"fields\":{\"type\":\"object\",\"description\":\"of the form\"},"
    "\"uploaded_at\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"expires_at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},"
    "\"url\":{\"type\":\"string\",\"description\":\"path of the content\"},"
    "\"delete_token\":{\"type\":\"string\",\"description\":\"told once, to whoever uploaded it\"}}},"
    "\"Files\":{\"type\":\"object\",\"required\":[\"files\"],\"properties\":{"
    "\"files\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/File\"}}}},"
    "\"Listing\":{\"type\":\"object\",\"required\":[\"files\",\"next\",\"total\"],\"properties\":{"
    "\"files\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/File\"}},"
    "\"next\":{\"type\":[\"string\",\"null\"],\"description\":\"path of the next page\"},"
    "\"total\":{\"type\":\"integer\",\"minimum\":0}}},"
    "\"Policy\":{\"type\":\"object\",\"required\":[\"max_bytes\",\"max_files\",\"allow_types\","
    "\"deny_types\",\"resumable\",\"owner\",\"streamed\",\"quota\",\"expires_after\"],\"properties\":{"
    "\"max_bytes\":{\"type\":\"integer\",\"minimum\":1},"
    "\"max_files\":{\"type\":\"integer\",\"minimum\":1},"
    "\"allow_types\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
    "\"deny_types\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
    "\"resumable\":{\"type\":\"boolean\"},"
    "\"owner\":{\"type\":[\"string\",\"null\"]},"
    "\"streamed\":{\"type\":[\"boolean\",\"null\"]},"
    "\"quota\":{\"type\":[\"object\",\"null\"],\"required\":[\"limit\",\"used\"],\"properties\":{"
    "\"limit\":{\"type\":\"integer\",\"minimum\":1},\"used\":{\"type\":\"integer\",\"minimum\":0}}},"
    "\"expires_after\":{\"type\":[\"integer\",\"null\"],\"description\":\"seconds\"}}},"
    "\"Health\":{\"type\":\"object\",\"required\":[\"status\"],\"properties\":{"
    "\"status\":{\"type\":\"string\",\"enum\":[\"ok\",\"degraded\",\"failing\"]},"
    "\"reason\":{\"type\":\"string\"}}},";

/* ---- operations ------------------------------------------------------------------------------ */

static void put_quoted(struct buffer *b, struct span text)
{
	PUT(b, "\"");
	buffer_add(b, text.at, text.len);
	PUT(b, "\"");
}

static void put_parameter(struct buffer *b, struct span name, const char *in, bool *first)
{
	buffer_text(b, *first ? "{\"name\":" : ",{\"name\":");
	*first = false;
	put_quoted(b, name);
	PUT(b, ",\"in\":\"");
	buffer_text(b, in);
	buffer_text(b, strcmp(in, "path") == 0 ? "\",\"required\":true" : "\"");
	PUT(b, ",\"schema\":{\"type\":\"string\"}}");
}

static void put_parameters(struct buffer *b, const struct operation *o)
{
	struct span path = span_of(o->pattern), rest = span_of(o->parameters);
	bool first = true;

	PUT(b, ",\"parameters\":[");
	while (path.len > 0) {
		struct span part = span_cut(&path, '/');
		if (part.len > 2 && part.at[0] == '{')
			put_parameter(b, (struct span){part.at + 1, part.len - 2}, "path", &first);
	}
	while (rest.len > 0) {
		struct span name = span_cut(&rest, ' ');
		bool header = name.at[0] >= 'A' && name.at[0] <= 'Z';
		put_parameter(b, name, header ? "header" : "query", &first);
	}
	PUT(b, "]");
}

/* "binary" and "text" are not JSON; any other word is a schema of ours. */
static void put_content(struct buffer *b, struct span what)
{
	PUT(b, ",\"content\":{");
	if (span_is(what, "binary") || span_is(what, "text")) {
		buffer_text(b, span_is(what, "text") ? "\"text/*\":{}}" : "\"*/*\":{}}");
		return;
	}
	PUT(b, "\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/");
	buffer_add(b, what.at, what.len);
	PUT(b, "\"}}}");
}

/* "201 Files,303": statuses and what they bring. A refusal may be the answer to anything. */
static void put_responses(struct buffer *b, const struct operation *o, bool content)
{
	struct span rest = span_of(o->answers);

	PUT(b, ",\"responses\":{");
	while (rest.len > 0) {
		struct span what = span_cut(&rest, ','), status = span_cut(&what, ' ');
		put_quoted(b, status);
		PUT(b, ":{\"description\":");
		put_quoted(b, what.len > 0 ? what : span_of("done"));
		if (what.len > 0 && content)
			put_content(b, what);
		PUT(b, "},");
	}
	PUT(b, "\"default\":{\"$ref\":\"#/components/responses/Refusal\"}}");
}

static void put_operation(struct buffer *b, const struct operation *o, unsigned method, bool *first)
{
	static const char *const names[] = {
	    "get", "head", "post", "put", "patch", "delete", "options"};
	unsigned bit = 0;

	while (1u << bit != method)
		bit++;
	buffer_text(b, *first ? "\"" : ",\"");
	*first = false;
	buffer_text(b, names[bit]);
	PUT(b, "\":{\"summary\":");
	put_quoted(b, span_of(o->summary));
	put_parameters(b, o);
	put_responses(b, o, method != METHOD_HEAD);
	PUT(b, "}");
}

/* The operations of one address, which stand beside each other. Returns how many. */
static size_t put_path(struct buffer *b, const struct operation *all, size_t count)
{
	bool first = true;
	size_t n = 0;

	put_quoted(b, span_of(all[0].pattern));
	PUT(b, ":{");
	for (; n < count && strcmp(all[n].pattern, all[0].pattern) == 0; n++)
		for (unsigned method = METHOD_GET; method < METHOD_OTHER; method <<= 1)
			if (all[n].methods & method)
				put_operation(b, &all[n], method, &first);
	PUT(b, "}");
	return n;
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void put_problem(struct buffer *b)
{
	PUT(b,
	    "\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\","
	    "\"error\",\"message\",\"code\"],\"properties\":{"
	    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
	    "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
	    "\"message\":{\"type\":\"string\"},\"code\":{\"type\":\"integer\"},"
	    "\"request_id\":{\"type\":\"string\"},\"max_bytes\":{\"type\":\"integer\"},"
	    "\"file\":{\"type\":\"string\"},\"detected_type\":{\"type\":\"string\"},"
	    "\"error\":{\"type\":\"string\",\"enum\":[");
	for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		if (f > FAULT_NONE + 1)
			PUT(b, ",");
		put_quoted(b, span_of(fault_slug(f)));
	}
	PUT(b, "],\"description\":\"");
	for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		buffer_text(b, f > FAULT_NONE + 1 ? "; " : "");
		buffer_text(b, fault_slug(f));
		PUT(b, " (");
		buffer_number(b, fault_status(f));
		PUT(b, ")");
	}
	PUT(b, "\"}}}");
}

/* Raw from the request: what a URL may not hold as it is, is escaped; what is escaped stays so. */
static void put_base(struct buffer *b, struct span base)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~%/";
	char escaped[4];

	for (size_t i = 0; i < base.len; i++) {
		bool as_is = base.at[i] && strchr(plain, base.at[i]);
		snprintf(
		    escaped, sizeof escaped, as_is ? "%c" : "%%%02X", (unsigned char)base.at[i]);
		buffer_text(b, escaped);
	}
}

enum fault reply_openapi(struct reply *r, const struct operation *all, size_t count)
{
	struct buffer b = {0};

	PUT(&b,
	    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"waybill\",\"version\":\"" WAYBILL_VERSION
	    "\",\"summary\":\"Uploads\"},\"servers\":[{\"url\":\"");
	put_base(&b, reply_base(r));
	PUT(&b, "/\"}],\"security\":[{},{\"token\":[]}],\"paths\":{");
	for (size_t i = 0; i < count; i += put_path(&b, all + i, count - i))
		if (i > 0)
			PUT(&b, ",");
	PUT(&b,
	    "},\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}},"
	    "\"responses\":{\"Refusal\":{\"description\":\"refused, and why\",\"content\":{"
	    "\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}}},"
	    "\"schemas\":{");
	buffer_text(&b, schemas);
	put_problem(&b);
	PUT(&b, "}}}");
	return reply_buffer(r, 200, "application/json", &b);
}
