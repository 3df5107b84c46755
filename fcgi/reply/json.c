/*
 * json.c: jansson's only door.
 *
 * Small documents are built as jansson values. Records are laid out by hand, because a listing is
 * what is asked most and jansson's hash tables would cost five times the rest of it; every string
 * in them that is not plain printable ASCII is still encoded by jansson.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "reply/inside.h"
#include "shared/text.h"

void reply_start(void)
{
	json_object_seed(0);
}

static int take(const char *bytes, size_t len, void *buffer)
{
	buffer_add(buffer, bytes, len);
	return 0;
}

/* Dump a value into the buffer and give it up; NULL (out of memory) fails the buffer. */
static void put_value(struct buffer *b, json_t *value)
{
	if (!value || json_dump_callback(value, take, b, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
		b->failed = true;
	json_decref(value);
}

/* A JSON string of anything: what is not UTF-8 becomes U+FFFD. NULL: out of memory. */
static json_t *string_of(struct span s)
{
	json_t *value = json_stringn(s.len ? s.at : "", s.len);
	if (value || s.len > SIZE_MAX / 4)
		return value;
	size_t room = 3 * s.len + 1;
	char *clean = malloc(room);
	if (clean)
		value = json_stringn(clean, text_clean_utf8(s, clean, room));
	free(clean);
	return value;
}

static json_t *string_or_null(const char *text)
{
	return text ? string_of(span_of(text)) : json_null();
}

/* Text that is known to need no escape: digits, letters, what is between them in a time. */
static void put_plain(struct buffer *b, const char *text, size_t len)
{
	buffer_add(b, "\"", 1);
	buffer_add(b, text, len);
	buffer_add(b, "\"", 1);
}

static void put_string(struct buffer *b, const char *text)
{
	size_t len = 0;
	while ((unsigned char)(text[len] - 0x20) < 0x5f && text[len] != '"' && text[len] != '\\')
		len++;
	if (text[len])
		put_value(b, string_of(span_of(text)));
	else
		put_plain(b, text, len);
}

static void put_string_or_null(struct buffer *b, const char *text)
{
	if (text)
		put_string(b, text);
	else
		buffer_add(b, "null", 4);
}

/* Fields come from the catalog as JSON text, made by json_fields(). But a catalog is a file: what
 * does not parse as an object must not break the record around it. */
static bool is_object(const char *text)
{
	json_t *fields = json_loadb(text, strlen(text), JSON_ALLOW_NUL, NULL);
	bool object = json_is_object(fields);
	json_decref(fields);
	return object;
}

static void put_fields(struct buffer *b, const char *text, struct checked *last)
{
	bool empty = !text || strcmp(text, "{}") == 0;
	if (!empty && last->fields != text)
		*last = (struct checked){text, is_object(text)};
	if (!empty && last->object)
		buffer_text(b, text);
	else
		buffer_add(b, "{}", 2);
}

static void put_time(struct buffer *b, int64_t ms)
{
	char text[32];
	text_time(ms, text);
	put_plain(b, text, strlen(text));
}

#define PUT(b, literal) buffer_add((b), (literal), sizeof(literal) - 1)

/* The url: the base is raw from the request, so it is encoded like any other text. */
static void put_url(struct buffer *b, struct span base, const char *id)
{
	if (base.len == 0) {
		PUT(b, "\"/files/");
		buffer_text(b, id);
		PUT(b, "/content\"");
		return;
	}
	struct buffer url = {0};
	buffer_add(&url, base.at, base.len);
	PUT(&url, "/files/");
	buffer_text(&url, id);
	PUT(&url, "/content");
	buffer_add(&url, "", 1);
	if (url.failed)
		b->failed = true;
	else
		put_string(b, url.at);
	buffer_free(&url);
}

void json_put_record(struct buffer *b, const struct file *file, struct span base, bool addressed,
    struct checked *last)
{
	char hex[2 * SHA256_LEN + 1];
	text_hex(file->sha256, SHA256_LEN, hex);
	PUT(b, "{\"id\":");
	put_string(b, file->id);
	PUT(b, ",\"name\":");
	put_string(b, file->name);
	PUT(b, ",\"path\":");
	put_string_or_null(b, file->path);
	PUT(b, ",\"size\":");
	buffer_number(b, file->size);
	PUT(b, ",\"type\":");
	put_string(b, file->type);
	PUT(b, ",\"declared_type\":");
	put_string_or_null(b, file->declared_type);
	PUT(b, ",\"sha256\":");
	put_plain(b, hex, sizeof hex - 1);
	PUT(b, ",\"owner\":");
	put_string_or_null(b, file->owner);
	if (addressed) {
		PUT(b, ",\"address\":");
		put_string_or_null(b, file->address);
	}
	PUT(b, ",\"fields\":");
	put_fields(b, file->fields, last);
	PUT(b, ",\"uploaded_at\":");
	put_time(b, file->uploaded_at);
	PUT(b, ",\"expires_at\":");
	if (file->expires_at > 0)
		put_time(b, file->expires_at);
	else
		PUT(b, "null");
	PUT(b, ",\"url\":");
	put_url(b, base, file->id);
	if (file->delete_token) {
		PUT(b, ",\"delete_token\":");
		put_string(b, file->delete_token);
	}
	PUT(b, "}");
}

static void put_records(
    struct buffer *b, const struct files *files, struct span base, bool addressed)
{
	struct checked last = {0};
	PUT(b, "{\"files\":[");
	for (size_t i = 0; i < files->count; i++) {
		if (i)
			PUT(b, ",");
		json_put_record(b, &files->at[i], base, addressed, &last);
	}
	PUT(b, "]");
}

void json_put_listing(struct buffer *b, const struct page *page, struct span base, bool addressed)
{
	put_records(b, page->files, base, addressed);
	PUT(b, ",\"next\":");
	put_string_or_null(b, page->next);
	PUT(b, ",\"total\":");
	buffer_number(b, page->total);
	PUT(b, "}");
}

/* The buffer's bytes with a NUL, for free(); NULL: out of memory. */
static char *finish(struct buffer *b, size_t *len)
{
	*len = b->used;
	buffer_add(b, "", 1);
	if (b->failed)
		buffer_free(b);
	return b->at;
}

char *json_record(const struct file *file, struct span base, size_t *len)
{
	struct buffer b = {0};
	json_put_record(&b, file, base, true, &(struct checked){0});
	return finish(&b, len);
}

/* A name can hold no NUL: jansson would not read it back, so it is cut there. */
static bool add_field(json_t *object, struct span name, struct span value)
{
	json_t *key = string_of((struct span){name.at, name.len ? strnlen(name.at, name.len) : 0});
	json_t *text = string_of(value), *before, *both;
	bool ok = false;
	if (key && text) {
		before = json_object_get(object, json_string_value(key));
		if (!before) {
			ok = json_object_set(object, json_string_value(key), text) == 0;
		} else if (json_is_array(before)) {
			ok = json_array_append(before, text) == 0;
		} else {
			both = json_pack("[O, O]", before, text);
			ok = json_object_set_new(object, json_string_value(key), both) == 0;
		}
	}
	json_decref(key);
	json_decref(text);
	return ok;
}

char *json_fields(const struct span *pairs, size_t count)
{
	json_t *object = json_object();
	bool ok = object != NULL;
	for (size_t i = 0; ok && i < count; i++)
		ok = add_field(object, pairs[2 * i], pairs[2 * i + 1]);
	char *text = ok ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return text;
}

/* jansson keeps the order in which keys are set, which is that of the README. */
static void put_ietf_offsets(json_t *o, const struct refusal *why)
{
	if (why->upload_offset >= 0)
		json_object_set_new(o, "expected-offset", json_integer(why->upload_offset));
	if (why->provided_offset >= 0)
		json_object_set_new(o, "provided-offset", json_integer(why->provided_offset));
}

#define IANA_PROBLEM "https://iana.org/assignments/http-problem-types#"

static const char *problem_type(enum fault f, bool ietf)
{
	if (ietf && f == FAULT_OFFSET_CONFLICT)
		return IANA_PROBLEM "mismatching-upload-offset";
	if (ietf && f == FAULT_BAD_LENGTH_CLAIM)
		return IANA_PROBLEM "inconsistent-upload-length";
	return "about:blank";
}

void json_problem(struct buffer *b, const struct refusal *why, bool ietf, const char *id)
{
	int status = fault_status(why->fault);
	json_t *detail = string_of(span_of(refusal_detail(why)));
	json_t *o = json_pack("{ss, ss, si, sO*, ss, sO*, si}", "type",
	    problem_type(why->fault, ietf), "title", fault_title(why->fault), "status", status,
	    "detail", detail, "error", fault_slug(why->fault), "message", detail, "code", status);
	json_decref(detail);
	if (id)
		json_object_set_new(o, "request_id", json_string(id));
	if (why->max_bytes > 0)
		json_object_set_new(o, "max_bytes", json_integer(why->max_bytes));
	if (why->file[0])
		json_object_set_new(o, "file", string_of(span_of(why->file)));
	if (why->detected_type[0])
		json_object_set_new(o, "detected_type", string_of(span_of(why->detected_type)));
	if (ietf && why->fault == FAULT_OFFSET_CONFLICT)
		put_ietf_offsets(o, why);
	put_value(b, o);
}

static json_t *globs_of(const char *list)
{
	json_t *array = json_array();
	struct span rest = span_of(list ? list : "");
	while (rest.len) {
		struct span glob = span_trim(span_cut(&rest, ','));
		if (glob.len)
			json_array_append_new(array, string_of(glob));
	}
	return array;
}

enum fault reply_policy(struct reply *r, const struct policy *policy)
{
	json_t *streamed = policy->streamed < 0 ? json_null() : json_boolean(policy->streamed);
	json_t *owner = policy->owner.at ? string_of(policy->owner) : json_null();
	json_t *quota = policy->quota > 0
			    ? json_pack("{sI, sI}", "limit", (json_int_t)policy->quota, "used",
				  (json_int_t)policy->used)
			    : json_null();
	json_t *lasts =
	    policy->expires_after > 0 ? json_integer(policy->expires_after / 1000) : json_null();
	struct buffer b = {0};
	put_value(&b, json_pack("{sI, sI, so, so, sb, so, so, so, so}", "max_bytes",
			  (json_int_t)policy->max_bytes, "max_files", (json_int_t)policy->max_files,
			  "allow_types", globs_of(policy->allow_types), "deny_types",
			  globs_of(policy->deny_types), "resumable", policy->resumable, "owner",
			  owner, "streamed", streamed, "quota", quota, "expires_after", lasts));
	return reply_buffer(r, 200, "application/json", &b);
}

enum fault reply_health(struct reply *r, int status, const char *state, const char *reason,
    const struct fact *facts, size_t count)
{
	json_t *o = json_object();
	json_object_set_new(o, "status", json_string(state));
	if (reason)
		json_object_set_new(o, "reason", string_or_null(reason));
	for (size_t i = 0; i < count; i++)
		json_object_set_new(o, facts[i].name,
		    facts[i].text ? string_or_null(facts[i].text) : json_integer(facts[i].figure));
	struct buffer b = {0};
	put_value(&b, o);
	if (status == 503)
		reply_header(r, "Retry-After", "5");
	return reply_buffer(r, status, "application/json", &b);
}
