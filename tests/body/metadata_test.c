/* metadata_test.c: Upload-Metadata of tus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body/resume.h"
#include "shared/text.h"

/* ---- metadata -------------------------------------------------------------------------------- */

static enum fault parse(const char *text, struct metadata *m)
{
	struct refusal why;

	refusal_clear(&why);
	return metadata_parse(span_of(text), m, &why);
}

static void metadata_gives_name_type_and_fields(void **state)
{
	struct metadata m;

	assert_int_equal(parse("filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential, "
			       "filetype YXBwbGljYXRpb24vcGRm , note w5xiZXI=",
			     &m),
	    FAULT_NONE);
	assert_true(span_is(m.name, "world_domination_plan.pdf"));
	assert_true(span_is(m.type, "application/pdf"));
	assert_int_equal(m.fields.count, 2);
	assert_true(span_is(m.fields.at[0].name, "is_confidential"));
	assert_true(span_is(m.fields.at[0].value, ""));
	assert_true(span_is(m.fields.at[1].name, "note"));
	assert_true(span_is(m.fields.at[1].value, "\xc3\x9c"
						  "ber"));
	metadata_free(&m);
}

static void metadata_prefers_filename_to_name(void **state)
{
	struct metadata m;

	assert_int_equal(parse("name YQ==,filename Yg==,type dC9h,filetype dC9i", &m), FAULT_NONE);
	assert_true(span_is(m.name, "b"));
	assert_true(span_is(m.type, "t/b"));
	assert_int_equal(m.fields.count, 0);
	metadata_free(&m);
	assert_int_equal(parse("name YQ==,filename ,type dC9h", &m), FAULT_NONE);
	assert_true(span_is(m.name, "a"));
	metadata_free(&m);
	assert_int_equal(parse("", &m), FAULT_NONE);
	assert_null(m.name.at);
	metadata_free(&m);
}

static void metadata_makes_values_text(void **state)
{
	struct metadata m;

	assert_int_equal(parse("x /w==,filename /4A=", &m), FAULT_NONE);
	assert_true(span_is(m.fields.at[0].value, "\xef\xbf\xbd"));
	assert_true(text_is_utf8(m.name));
	metadata_free(&m);
}

static void metadata_refuses_what_cannot_be(void **state)
{
	static const char *const bad[] = {"a YQ==,a YQ==", "filename YQ==,filename YQ==", ",",
	    "a YQ==,", ",a YQ==", "a YQ==,,b YQ==", "a YQ", "a YQ=", "a !",
	    "a YQ== YQ==", "\xc3\xbc YQ==", "a\x7f YQ==", "a\tb YQ==", "filename !!!!", "type YQ"};
	struct metadata m;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (parse(bad[i], &m) != FAULT_BAD_REQUEST)
			fail_msg("accepted: %s", bad[i]);
		metadata_free(&m);
	}
}

static void metadata_has_no_controls(void **state)
{
	struct metadata m;

	assert_int_equal(parse("x YQFi", &m), FAULT_BAD_REQUEST); /* a, U+0001, b */
	metadata_free(&m);
	assert_int_equal(parse("x YQAi", &m), FAULT_BAD_REQUEST);
	metadata_free(&m);
	assert_int_equal(parse("x YQkKDWI=,filename YQFi", &m), FAULT_NONE); /* names are cleaned */
	assert_int_equal(m.fields.bytes, strlen("{\"x\":\"a\\t\\n\\rb\"}"));
	metadata_free(&m);
}

static void metadata_has_caps(void **state)
{
	struct metadata m;
	char many[1024] = "", *big = malloc(120000);

	for (int i = 0; i < FIELDS_MAX; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), "%sk%d", i ? "," : "", i);
	assert_int_equal(parse(many, &m), FAULT_NONE);
	assert_int_equal(m.fields.count, FIELDS_MAX);
	metadata_free(&m);
	strcat(many, ",one");
	assert_int_equal(parse(many, &m), FAULT_FIELDS_TOO_LARGE);
	metadata_free(&m);

	memcpy(big, "a ", 2);
	memset(big + 2, 'e', 100000); /* 60,000 bytes that are no UTF-8 */
	big[80002] = '\0';
	assert_int_equal(parse(big, &m), FAULT_FIELDS_TOO_LARGE);
	metadata_free(&m);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(metadata_gives_name_type_and_fields),
	    cmocka_unit_test(metadata_prefers_filename_to_name),
	    cmocka_unit_test(metadata_makes_values_text),
	    cmocka_unit_test(metadata_refuses_what_cannot_be),
	    cmocka_unit_test(metadata_has_no_controls), cmocka_unit_test(metadata_has_caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
