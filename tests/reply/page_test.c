/* page_test.c: pages: refusal, receipt, listing. */
#include "answer.h"

/* ---- pages ----------------------------------------------------------------------------------- */

#define EVIL "<b a='\"'>&\xe2\x80\xae"
#define EVIL_ESCAPED "&lt;b a=&#39;&quot;&#39;&gt;&amp;\xe2\x80\xae"

/* A page: its headers are right, and nothing from outside is in it but escaped. */
static void check_page(const struct scene *s)
{
	assert_header(s, "Content-Type", "text/html; charset=utf-8");
	assert_header(s, "Content-Security-Policy",
	    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri "
	    "'none'; frame-ancestors 'none'");
	const char *body = body_of(s);
	assert_int_equal(strncmp(body, "<!doctype html>\n", 16), 0);
	assert_non_null(strstr(body, "</html>\n"));
	assert_non_null(strstr(body, "href=\"/drop/waybill.css\""));
	assert_non_null(strstr(body, "<header class=\"row head brand\">"));
	assert_null(strstr(body, "%{"));
	assert_null(strstr(body, "<b a="));
	assert_null(strstr(body, "<script"));
	assert_null(strstr(body, "style="));
	char length[24];
	snprintf(length, sizeof length, "%zu", strlen(body));
	assert_header(s, "Content-Length", length);
}

static void refusal_page(void **state)
{
	struct scene s;
	struct refusal why;
	set(&s);
	s.request.wants_html = true;
	refusal_clear(&why);
	refuse(&why, FAULT_TYPE_REFUSED, "No: %s", EVIL);
	strcpy(why.file, EVIL);
	strcpy(why.detected_type, "application/x-dosexec");
	why.max_bytes = 1536;
	reply_refuse(&s.r, &why);
	check_page(&s);
	assert_header(&s, "Status", "415 Unsupported Media Type");
	assert_header(&s, "Vary", "Accept, Origin");
	assert_header(&s, "Cache-Control", "no-store");
	const char *body = body_of(&s);
	assert_non_null(strstr(body, "<h1>Unsupported Media Type</h1>"));
	assert_non_null(strstr(body, "No: " EVIL_ESCAPED));
	assert_non_null(strstr(body, "<bdi>" EVIL_ESCAPED "</bdi>"));
	assert_non_null(strstr(body, "<a href=\"/drop/\">Back to the upload page</a>"));
	assert_non_null(strstr(body, "1.5 KiB (1536 bytes)"));
	assert_non_null(strstr(body, "415 type_refused"));
	strike(&s);
}

static void receipt_page(void **state)
{
	struct scene s;
	set(&s);
	s.file[0].name = s.file[0].owner = EVIL;
	assert_int_equal(reply_receipt(&s.r, &s.files, true), FAULT_NONE);
	const char *body = body_of(&s);
	assert_non_null(strstr(body, "Your 2 files have arrived."));
	assert_non_null(
	    strstr(body, "<a href=\"/drop/files/" ID "/content\"><bdi>" EVIL_ESCAPED "</bdi></a>"));
	assert_non_null(strstr(body, "441.6 KiB (452198 bytes)"));
	assert_non_null(strstr(body, "<dd>0 bytes</dd>"));
	assert_non_null(strstr(body, HEX));
	assert_non_null(strstr(body, "<time datetime=\"2026-11-22T11:33:00.123Z\">2026-11-22 "
				     "11:33</time> UTC"));
	assert_non_null(
	    strstr(body, "method=\"post\" action=\"/drop/receipt/" ID "\">")); /* to take it back */
	assert_null(strstr(body, "secret"));
	check_page(&s);
	strike(&s);
}

static void listing_page(void **state)
{
	struct scene s;
	struct listing asked = {.limit = 20,
	    .type = span_of("font/" EVIL),
	    .name = span_of(EVIL),
	    .owner = span_of("al\"ice"),
	    .oldest_first = true,
	    .since = 1795347180123};
	struct page page = {.files = &s.files,
	    .total = 2,
	    .next = "/drop/files?cursor=a&limit=20",
	    .first = "/drop/files?limit=20",
	    .asked = &asked};
	set(&s);
	s.request.wants_html = true;
	s.file[0].name = s.file[1].owner = EVIL;
	reply_listing(&s.r, &page);
	check_page(&s);
	assert_header(&s, "Link", "</drop/files?cursor=a&limit=20>; rel=\"next\"");
	assert_non_null(value_of(&s, "ETag"));
	static const char *const parts[] = {"<form class=\"filters\" method=\"get\" "
					    "action=\"/drop/files\">",
	    "name=\"name\" value=\"" EVIL_ESCAPED "\"",
	    "<option value=\"font/" EVIL_ESCAPED "\" selected>",
	    "<option value=\"oldest\" selected>", "name=\"owner\" value=\"al&quot;ice\"",
	    "name=\"since\" value=\"2026-11-22T11:33:00.123Z\"", "name=\"limit\" value=\"20\"",
	    "<td role=\"cell\" class=\"c-owner\"><bdi>" EVIL_ESCAPED "</bdi></td>",
	    "<a href=\"/drop/files?cursor=a&amp;limit=20\" rel=\"next\">",
	    "<a href=\"/drop/files?limit=20\" rel=\"first\">", "2 files"};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (!strstr(body_of(&s), parts[i]))
			fail_msg("missing: %s", parts[i]);
	assert_null(strstr(body_of(&s), "name=\"until\""));
	strike(&s);
}

static void sizes_in_words(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} rows[] = {{0, ">0 bytes<"}, {1, ">1 byte<"}, {1023, ">1023 bytes<"}, {1024, ">1.0 KiB<"},
	    {1048575, ">1.0 MiB<"}, {INT64_MAX, ">8.0 EiB<"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct scene s;
		struct page page = {.files = &s.files, .total = 1};
		set(&s);
		s.request.wants_html = true;
		s.files.count = 1;
		s.file[0].size = rows[i].bytes;
		reply_listing(&s.r, &page);
		assert_non_null(strstr(body_of(&s), rows[i].text));
		strike(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refusal_page), cmocka_unit_test(receipt_page),
	    cmocka_unit_test(listing_page), cmocka_unit_test(sizes_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
