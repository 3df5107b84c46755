/*
 * fields.c: the parts of a form find their way: files to the hands, everything else into fields.
 *
 * A field grows as it arrives and is made valid UTF-8 at its end, so what a stranger makes the
 * worker hold is bounded by FIELDS_BYTES, not by what a part's header promises. What counts are the
 * bytes that will be stored, sent and paid for: those of the JSON object.
 */
#include "body/inside.h"

#include <stdlib.h>
#include <string.h>

#include "shared/text.h"

void body_fields_free(struct fields *fields)
{
	for (unsigned i = 0; i < fields->count + fields->taken; i++)
		free(fields->text[i]);
	*fields = (struct fields){0};
}

static bool find_field(const struct fields *fields, const char *name, unsigned *at)
{
	while (*at < fields->count && !span_is(fields->at[*at].name, name))
		++*at;
	return *at < fields->count;
}

/* To the end, where it counts no more. */
static void move_out(struct fields *fields, unsigned at)
{
	struct field field = fields->at[at];
	char *text = fields->text[at];
	size_t behind = --fields->count - at;

	memmove(fields->at + at, fields->at + at + 1, behind * sizeof field);
	memmove(fields->text + at, fields->text + at + 1, behind * sizeof text);
	fields->at[fields->count] = field;
	fields->text[fields->count] = text;
	fields->taken++;
}

bool body_fields_take(struct fields *fields, const char *name, struct span *value)
{
	unsigned at = 0;

	*value = (struct span){0};
	if (!find_field(fields, name, &at))
		return true;
	*value = fields->at[at].value;
	move_out(fields, at);
	return !find_field(fields, name, &at);
}

static enum fault too_many(struct refusal *why)
{
	return refuse(why, FAULT_FIELDS_TOO_LARGE,
	    "There are more than %d fields, which is all that this server accepts.", FIELDS_MAX);
}

static enum fault too_large(struct refusal *why)
{
	return refuse(why, FAULT_FIELDS_TOO_LARGE,
	    "The fields are over %d bytes as a JSON object of names and values. Send what is large "
	    "as a file.",
	    FIELDS_BYTES);
}

/* What a field adds to {"a":"1","b":["2","3"]}. */
static size_t weight(const struct fields *fields, struct span name, struct span value)
{
	size_t len = text_json_length(value), same = 0;

	for (unsigned i = 0; i < fields->count; i++)
		same += span_same(fields->at[i].name, name);
	if (same == 0)
		return text_json_length(name) + 1 + len + (fields->count > 0 ? 1 : 2);
	return len + (same == 1 ? 3 : 1);
}

enum fault fields_add(
    struct fields *fields, char *text, struct span name, struct span value, struct refusal *why)
{
	enum fault f = FAULT_NONE;
	size_t more = weight(fields, name, value);

	if (fields->count == FIELDS_MAX)
		f = too_many(why);
	else if (more > FIELDS_BYTES - fields->bytes)
		f = too_large(why);
	if (f) {
		free(text);
		return f;
	}
	fields->text[fields->count] = text;
	fields->at[fields->count++] = (struct field){name, value};
	fields->bytes += more;
	return FAULT_NONE;
}

static enum fault grow(struct form *form, size_t len)
{
	size_t room = form->room == 0 ? 512 : form->room;
	while (room < len)
		room *= 2;
	if (room == form->room)
		return FAULT_NONE;
	char *raw = realloc(form->raw, room);
	if (raw == NULL)
		return FAULT_INTERNAL;
	form->raw = raw;
	form->room = room;
	return FAULT_NONE;
}

static enum fault add(struct form *form, const void *bytes, size_t len, struct refusal *why)
{
	/* A value is never shorter as JSON, so it need not be held to its end to know. */
	if (form->len + len > FIELDS_BYTES - form->fields->bytes + form->name_len)
		return too_large(why);
	if (grow(form, form->len + len))
		return refuse(why, FAULT_INTERNAL, NULL);
	if (len > 0)
		memcpy(form->raw + form->len, bytes, len);
	form->len += len;
	return FAULT_NONE;
}

static enum fault begin_file(struct form *form, const struct part *part, struct refusal *why)
{
	if (form->files >= form->grant->max_files)
		return refuse(why, FAULT_TOO_MANY_FILES,
		    "The form carries more than %lld file%s, which is all that this server accepts "
		    "at once. Send the rest in another form.",
		    (long long)form->grant->max_files, form->grant->max_files == 1 ? "" : "s");
	form->files++;
	return form->hands->begin(form->hands->self, part, why);
}

static enum fault begin(void *self, const struct part *part, struct refusal *why)
{
	struct form *form = self;
	form->in_file = part->is_file;
	if (form->in_file)
		return begin_file(form, part, why);
	if (form->fields->count == FIELDS_MAX)
		return too_many(why);
	form->len = 0;
	form->name_len = part->field.len;
	return add(form, part->field.at, part->field.len, why);
}

static enum fault write(void *self, const void *bytes, size_t len, struct refusal *why)
{
	struct form *form = self;
	if (form->in_file)
		return form->hands->write(form->hands->self, bytes, len, why);
	return add(form, bytes, len, why);
}

static enum fault end_field(struct form *form, struct refusal *why)
{
	struct span name = {form->raw, form->name_len};
	struct span value = {form->raw + form->name_len, form->len - form->name_len};

	if (text_has_controls(name) || text_has_controls(value))
		return refuse(why, FAULT_BAD_MULTIPART,
		    "Field %u of the form has a control character (U+0000 to U+001F, other than tab, "
		    "line feed and carriage return). Send such data as a file.",
		    form->fields->count + 1);
	size_t name_len = text_clean_utf8(name, NULL, 0);
	size_t value_len = text_clean_utf8(value, NULL, 0);
	char *text = malloc(name_len + value_len + 2);
	if (text == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	text_clean_utf8(name, text, name_len + 1);
	text_clean_utf8(value, text + name_len + 1, value_len + 1);
	return fields_add(form->fields, text, (struct span){text, name_len},
	    (struct span){text + name_len + 1, value_len}, why);
}

static enum fault end(void *self, struct refusal *why)
{
	struct form *form = self;
	return form->in_file ? form->hands->end(form->hands->self, why) : end_field(form, why);
}

void form_start(
    struct form *form, const struct grant *grant, const struct hands *hands, struct fields *fields)
{
	*fields = (struct fields){0};
	*form = (struct form){.grant = grant, .hands = hands, .fields = fields};
}

struct hands form_hands(struct form *form)
{
	return (struct hands){.self = form, .begin = begin, .write = write, .end = end};
}

void form_free(struct form *form)
{
	free(form->raw);
}
