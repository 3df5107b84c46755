/*
 * name_fuzz.c: whatever a client calls its file, what is kept is a name. The other functions that
 * take text apart get the same bytes: they must stay inside them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/digest.h"
#include "shared/log.h"
#include "shared/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

/* Promised: valid UTF-8, no control characters, 1 to 255 bytes, one component. */
static void check_name(struct span raw)
{
	char name[NAME_BYTES + 1], again[NAME_BYTES + 1];
	memset(name, 0xAA, sizeof name);
	text_clean_name(raw, name);
	size_t len = strnlen(name, sizeof name);
	demand(len >= 1 && len <= NAME_BYTES);
	demand(text_is_utf8((struct span){name, len}));
	demand(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
	demand(!strpbrk(name, "/\\") && name[0] != ' ' && name[len - 1] != ' ');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = name[i], next = name[i + 1];
		demand(c >= 0x20 && c != 0x7F && !(c == 0xC2 && next < 0xA0));
		demand(c != 0xE2 || next != 0x80 || (unsigned char)name[i + 2] < 0xAA ||
		       (unsigned char)name[i + 2] > 0xAE);
	}
	text_clean_name(span_of(name), again);
	demand(strcmp(name, again) == 0);
	demand(text_name_length(raw) <= raw.len);
}

static void check_utf8(struct span raw)
{
	size_t room = 3 * raw.len + 1;
	char *clean = malloc(room), *folded = malloc(room);
	demand(clean && folded);
	size_t len = text_clean_utf8(raw, clean, room);
	demand(len < room && clean[len] == '\0' && text_is_utf8((struct span){clean, len}));
	bool same = len == raw.len && (!len || memcmp(clean, raw.at, len) == 0);
	demand(text_is_utf8(raw) == same);
	size_t cut = text_utf8_cut((struct span){clean, len}, len / 2);
	demand(cut <= len / 2 && cut + 4 > len / 2 && text_is_utf8((struct span){clean, cut}));
	size_t fold = text_fold(raw, folded, room);
	demand(fold < room && text_is_utf8((struct span){folded, fold}));
	if (same)
		demand(fold <= 2 * raw.len);
	free(clean);
	free(folded);
}

/* What is escaped comes back. */
static void check_percent(struct span raw)
{
	size_t room = 3 * raw.len + 1;
	char *coded = malloc(room), *plain = malloc(room);
	struct scratch scratch = {plain, 0, room};
	struct span back;
	demand(coded && plain);
	size_t len = text_percent_encode(coded, room, raw);
	demand(len < room && coded[len] == '\0');
	demand(text_percent_decode((struct span){coded, len}, true, &scratch, &back));
	demand(back.len == raw.len && (!raw.len || memcmp(back.at, raw.at, raw.len) == 0));
	if (text_percent_decode(raw, true, &scratch, &back))
		demand(back.len <= raw.len);
	free(coded);
	free(plain);
}

static void check_headers(struct span raw)
{
	char type[TYPE_BYTES + 1], again[TYPE_BYTES + 1], shown[40];
	struct span value;
	if (text_parameter(raw, "name", &value))
		demand(value.at >= raw.at && value.at + value.len <= raw.at + raw.len);
	if (text_media_type(raw, type)) {
		demand(strlen(type) <= TYPE_BYTES && text_glob(span_of("*/*"), span_of(type)));
		demand(text_media_type(span_of(type), again) && strcmp(type, again) == 0);
	}
	log_value(raw, shown, sizeof shown);
	demand(strlen(shown) > 0 && text_is_utf8(span_of(shown)) && !strchr(shown, '\n'));
	text_glob((struct span){raw.at, raw.len / 2},
	    (struct span){raw.at + raw.len / 2, raw.len - raw.len / 2});
}

static void check_figures(struct span raw)
{
	int64_t n;
	char text[32];
	uint8_t bytes[64];
	size_t len;
	if (text_number(raw, &n) || text_size(raw, &n) || text_duration(raw, &n))
		demand(n >= 0);
	if (text_parse_time(raw, &n)) {
		int64_t back;
		text_time(n, text);
		/* an offset may lead out of the four-digit years */
		demand(!text_parse_time(span_of(text), &back) || back == n);
	}
	if (text_parse_http_date(raw, &n))
		text_http_date(n, text);
	if (base64_decode(raw, bytes, sizeof bytes, &len)) {
		char back[4 * ((sizeof bytes + 2) / 3) + 1];
		base64_encode(bytes, len, back);
		demand(strlen(back) == raw.len && memcmp(back, raw.at, raw.len) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span raw = {(const char *)data, size};
	if (!data || size > 1 << 16)
		return 0;
	check_name(raw);
	check_utf8(raw);
	check_percent(raw);
	check_headers(raw);
	check_figures(raw);
	return 0;
}
