/*
 * resume_fuzz.c: the headers of resumable uploads. Each line of the input is the value of one
 * header, in the order of `names`; what comes out must keep the promises of body/resume.h.
 */
#include <stdlib.h>
#include <string.h>

#include "accept/accept.h"
#include "body/resume.h"
#include "shared/digest.h"
#include "shared/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"HTTP_UPLOAD_METADATA", "HTTP_UPLOAD_CONCAT",
    "HTTP_UPLOAD_CHECKSUM", "HTTP_UPLOAD_OFFSET", "HTTP_UPLOAD_LENGTH", "HTTP_UPLOAD_DEFER_LENGTH",
    "HTTP_UPLOAD_COMPLETE", "HTTP_UPLOAD_INCOMPLETE"};
enum { NAMES = sizeof names / sizeof names[0] };

struct pretend {
	struct exchange x;
	char *value[NAMES];
};

static const char *pretend_env(struct exchange *x, const char *name)
{
	struct pretend *p = (struct pretend *)x;

	for (size_t i = 0; i < NAMES; i++)
		if (strcmp(names[i], name) == 0)
			return p->value[i];
	return NULL;
}

#define PROMISE(what)                                                                              \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

static void try_tus(const struct request *request)
{
	struct tus_headers tus;
	struct refusal why;
	struct span id;

	refusal_clear(&why);
	enum fault f = tus_read_headers(request, &tus, &why);
	PROMISE(f == FAULT_NONE || f == FAULT_BAD_REQUEST);
	if (f != FAULT_NONE)
		return;
	PROMISE(tus.offset >= -1 && tus.length >= -1);
	PROMISE(!tus.defer_length || tus.length == -1);
	PROMISE(tus.checksum.algorithm <= DIGEST_SHA256);
	if (tus.concat == CONCAT_FINAL)
		while (tus_next_part(&tus.parts, span_of(""), &id))
			PROMISE(text_is_id(id));
}

static void try_metadata(const char *text)
{
	struct metadata m;
	struct refusal why;

	refusal_clear(&why);
	enum fault f = metadata_parse(span_of(text), &m, &why);
	PROMISE(f == FAULT_NONE || f == FAULT_BAD_REQUEST || f == FAULT_FIELDS_TOO_LARGE);
	PROMISE(m.fields.count <= FIELDS_MAX && m.fields.bytes <= FIELDS_BYTES);
	for (unsigned i = 0; i < m.fields.count; i++) {
		PROMISE(m.fields.at[i].name.len > 0);
		PROMISE(text_is_utf8(m.fields.at[i].name) && text_is_utf8(m.fields.at[i].value));
	}
	PROMISE(text_is_utf8(m.name) && text_is_utf8(m.type));
	metadata_free(&m);
}

static void try_ietf(const struct request *request)
{
	struct ietf_headers ietf;
	struct refusal why;
	int64_t length;

	ietf_read_headers(request, &ietf);
	PROMISE(ietf.offset >= -1 && ietf.length >= -1 && ietf.offset < 1000000000000000);
	refusal_clear(&why);
	int64_t at = ietf.offset < 0 ? 0 : ietf.offset;
	if (ietf_length(&ietf, at, 5, -1, &length, &why) == FAULT_NONE)
		PROMISE(length == -1 || length >= at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pretend p = {.x.env = pretend_env};
	struct request request;
	char *text = malloc(size + 1), *at = text;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < NAMES && at != NULL; i++) {
		char *end = strchr(at, '\n');
		if (end != NULL)
			*end = '\0';
		p.value[i] = strcmp(at, "-") == 0 ? NULL : at;
		at = end != NULL ? end + 1 : NULL;
	}
	request_headers(&request, &p.x);
	try_tus(&request);
	try_ietf(&request);
	if (p.value[0] != NULL)
		try_metadata(p.value[0]);
	free(text);
	return 0;
}
