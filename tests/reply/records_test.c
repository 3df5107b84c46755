/*
 * records_test.c: JSON to the byte: records, listings, the policy, health; and what a catalog might
 * hold.
 */
#include "answer.h"

static void record_is_exact(void **state)
{
	struct scene s;
	set(&s);
	reply_record(&s.r, &s.file[0]);
	assert_string_equal(body_of(&s), RECORD);
	assert_header(&s, "Content-Type", "application/json");
	assert_header(&s, "Cache-Control", "no-store");
	strike(&s);
}

static void hostile_records(void **state)
{
	static const char *const broken[] = {"", "{", "[]", "1", "null", "{\"a\":1}x", "\xff"};
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct scene s;
		set(&s);
		s.file[0].fields = broken[i];
		s.file[0].name = "</script>\x01\xff\xe2\x80\xae";
		reply_record(&s.r, &s.file[0]);
		assert_non_null(strstr(body_of(&s), "\"fields\":{},"));
		assert_non_null(
		    strstr(body_of(&s), "\"name\":\"</script>\\u0001\xef\xbf\xbd\xe2\x80\xae\","));
		strike(&s);
	}
}

static void created(void **state)
{
	struct scene s;
	set(&s);
	reply_created(&s.r, &s.files, (struct span){NULL, 0});
	assert_string_equal(body_of(&s), "{\"files\":[" RECORD "," SPARSE "]}");
	assert_header(&s, "Status", "201 Created");
	assert_no_header(&s, "Location");
	strike(&s);

	set(&s);
	s.files.count = 1;
	reply_created(&s.r, &s.files, (struct span){NULL, 0});
	assert_string_equal(body_of(&s), "{\"files\":[" RECORD "]}");
	assert_header(&s, "Location", "/drop/files/" ID);
	assert_header(&s, "Vary", "Accept, Origin");
	strike(&s);

	set(&s);
	s.request.wants_html = true;
	reply_created(&s.r, &s.files, (struct span){NULL, 0});
	assert_header(&s, "Status", "303 See Other");
	assert_header(&s, "Location", "/drop/receipt/" ID);
	assert_string_equal(body_of(&s), "");
	strike(&s);
}

static void listing(void **state)
{
	struct scene s;
	char etag[64];
	struct page page = {.files = &s.files, .total = 7, .next = "/drop/files?cursor=abc"};
	set(&s);
	reply_listing(&s.r, &page);
	assert_string_equal(body_of(&s),
	    "{\"files\":[" RECORD "," SPARSE "],\"next\":\"/drop/files?cursor=abc\",\"total\":7}");
	assert_header(&s, "Link", "</drop/files?cursor=abc>; rel=\"next\"");
	assert_header(&s, "Cache-Control", "private, no-cache");
	assert_header(&s, "Vary", "Accept, Origin");
	span_copy(etag, sizeof etag, span_of(value_of(&s, "ETag")));
	assert_int_equal(strlen(etag), 34);
	strike(&s);

	set(&s);
	s.request.header[HEADER_IF_NONE_MATCH] = span_trim(span_of(etag));
	reply_listing(&s.r, &page);
	assert_header(&s, "Status", "304 Not Modified");
	assert_header(&s, "ETag", etag);
	assert_string_equal(body_of(&s), "");
	strike(&s);
}

/* Whatever shows in a listing changes its tag. */
static void listing_etag_follows_what_is_shown(void **state)
{
	char before[64];
	for (unsigned change = 0; change < 7; change++) {
		struct scene s;
		struct page page = {.files = &s.files, .total = 7, .next = "/drop/files?cursor=a"};
		set(&s);
		page.total += change == 1;
		page.next = change == 2 ? NULL : page.next;
		s.files.count -= change == 3;
		s.file[1].id = change == 4 ? ID : OTHER;
		s.request.wants_html = change == 5;
		s.request.base = span_of(change == 6 ? "" : "/drop");
		reply_listing(&s.r, &page);
		if (change == 0)
			span_copy(before, sizeof before, span_of(value_of(&s, "ETag")));
		else
			assert_string_not_equal(before, value_of(&s, "ETag"));
		strike(&s);
	}
}

static void last_page_and_empty_page(void **state)
{
	struct scene s;
	struct page page = {.files = &s.files, .total = 0};
	set(&s);
	s.files.count = 0;
	reply_listing(&s.r, &page);
	assert_string_equal(body_of(&s), "{\"files\":[],\"next\":null,\"total\":0}");
	assert_no_header(&s, "Link");
	strike(&s);
}

static void fields_become_an_object(void **state)
{
#define S(text)                                                                                    \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}
	static const struct span pairs[] = {S("note"), S("a\"\\\n"), S("tag"), S("1"), S("note"),
	    S("b"), S("tag"), S("2"), S("tag"), S("3"), S("ü\0x"), S("nul\0l"), S(""), S(""),
	    S("bad"), S("\xc3(")};
	char *text = json_fields(pairs, sizeof pairs / sizeof *pairs / 2);
	assert_string_equal(text, "{\"note\":[\"a\\\"\\\\\\n\",\"b\"],\"tag\":[\"1\",\"2\",\"3\"],"
				  "\"ü\":\"nul\\u0000l\",\"\":\"\",\"bad\":\"\xef\xbf\xbd(\"}");
	struct scene s;
	set(&s);
	s.file[0].fields = text;
	reply_record(&s.r, &s.file[0]);
	assert_non_null(strstr(body_of(&s), text)); /* what was made is read back */
	strike(&s);
	free(text);
	text = json_fields(NULL, 0);
	assert_string_equal(text, "{}");
	free(text);
}

static void policy(void **state)
{
	struct scene s;
	struct policy p = {1073741824, 64, "*/*", "text/html , image/*,,", true, {NULL, 0}, -1, 0, 0, 0};
	set(&s);
	reply_policy(&s.r, &p);
	assert_string_equal(body_of(&s),
	    "{\"max_bytes\":1073741824,\"max_files\":64,\"allow_types\":[\"*/*\"],"
	    "\"deny_types\":[\"text/html\",\"image/*\"],\"resumable\":true,\"owner\":null,"
	    "\"streamed\":null,\"quota\":null,\"expires_after\":null}");
	strike(&s);

	p = (struct policy){1, 1, "", NULL, false, span_of("alice"), 1, 1000, 7, 3600000};
	set(&s);
	reply_policy(&s.r, &p);
	assert_string_equal(body_of(&s),
	    "{\"max_bytes\":1,\"max_files\":1,\"allow_types\":[],\"deny_types\":[],"
	    "\"resumable\":false,\"owner\":\"alice\",\"streamed\":true,"
	    "\"quota\":{\"limit\":1000,\"used\":7},\"expires_after\":3600}");
	strike(&s);
}

static void health(void **state)
{
	static const struct fact facts[] = {{"files", 12, NULL}, {"sandbox", 0, "on"}};
	struct scene s;
	set(&s);
	reply_health(&s.r, 200, "ok", NULL, facts, 2);
	assert_string_equal(body_of(&s), "{\"status\":\"ok\",\"files\":12,\"sandbox\":\"on\"}");
	strike(&s);

	set(&s);
	reply_health(&s.r, 503, "degraded", "disk full", facts, 1);
	assert_string_equal(
	    body_of(&s), "{\"status\":\"degraded\",\"reason\":\"disk full\",\"files\":12}");
	assert_header(&s, "Status", "503 Service Unavailable");
	strike(&s);
}

static void text_for_the_command_line(void **state)
{
	struct scene s;
	size_t len;
	set(&s);
	char *text = json_record(&s.file[0], span_of("/drop"), &len);
	/* whoever has a shell here may know where from */
	static const char record[] = RECORD;
	const char *owner = strstr(record, "\"fields\"");
	char expected[1024];
	snprintf(expected, sizeof expected, "%.*s\"address\":null,%s", (int)(owner - record), record, owner);
	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(expected));
	free(text);
	strike(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(record_is_exact),
	    cmocka_unit_test(hostile_records),
	    cmocka_unit_test(created),
	    cmocka_unit_test(listing),
	    cmocka_unit_test(listing_etag_follows_what_is_shown),
	    cmocka_unit_test(last_page_and_empty_page),
	    cmocka_unit_test(fields_become_an_object),
	    cmocka_unit_test(policy),
	    cmocka_unit_test(health),
	    cmocka_unit_test(text_for_the_command_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
