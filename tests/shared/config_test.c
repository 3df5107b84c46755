/*
 * config_test.c: the settings, from every place they can come from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/config.h"
#include "table.h"

static char directory[] = "/tmp/waybill-config-XXXXXX", file[64];
static char problem[512];

/* The environment of whoever runs the tests is not theirs. */
static void forget(const char *key)
{
	char name[64] = "WAYBILL_";
	for (size_t i = strlen(name); *key; key++)
		name[i++] = *key == '_' ? '_' : *key - 'a' + 'A';
	unsetenv(name);
}

static int set_up(void **state)
{
#define X(kind, key, initial, bounds, meaning) forget(#key);
	CONFIG_KEYS(X)
#undef X
	unsetenv("WAYBILL_CONFIG");
	if (!mkdtemp(directory))
		return -1;
	snprintf(file, sizeof file, "%s/waybill.conf", directory);
	return 0;
}

static int tear_down(void **state)
{
	unlink(file);
	return rmdir(directory);
}

static void write_file(struct span text)
{
	FILE *out = fopen(file, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(text.at, 1, text.len, out), text.len);
	assert_int_equal(fclose(out), 0);
}

/* What `line`, third in the file, makes of the settings. */
static bool load_line(struct config *config, const char *line)
{
	char text[40000];
	snprintf(text, sizeof text, "# a comment\n ; = another, and an empty line\n%s\n", line);
	write_file(span_of(text));
	problem[0] = '\0';
	return config_load(config, file, problem, sizeof problem);
}

static void assert_problem(const char *where, const char *part)
{
	size_t len = strlen(file);
	assert_memory_equal(problem, file, len);
	assert_memory_equal(problem + len, where, strlen(where));
	if (!strstr(problem, part))
		fail_msg("\"%s\" does not say \"%s\"", problem, part);
}

static void test_defaults(void **state)
{
	struct config c;
	write_file(S(""));
	assert_true(config_load(&c, file, problem, sizeof problem));
	assert_string_equal(c.data_dir, "/var/lib/waybill");
	assert_int_equal(c.threads, 256);
	assert_int_equal(c.max_bytes, 1 << 30);
	assert_int_equal(c.max_files, 64);
	assert_string_equal(c.allow_types, "*/*");
	assert_string_equal(c.deny_types, PROGRAM_TYPES);
	assert_true(c.upload_access == ACCESS_OPEN && c.read_access == ACCESS_OPEN);
	assert_int_equal(c.delete_access, ACCESS_OWNER);
	assert_true(c.quota_bytes == 0 && c.min_free_bytes == 64 << 20);
	assert_true(c.body_timeout == 60000 && c.partial_expire_after == 86400000);
	assert_true(c.expire_after == 0 && c.min_rate == 1024);
	assert_true(c.durability == DURABILITY_FULL && c.log == LOG_INFO);
	assert_true(c.sendfile == SENDFILE_AUTO && c.unknown_length == UNKNOWN_REFUSE);
	assert_true(!*c.base && !*c.body_file_dir && !*c.allowed_origins);
	config_free(&c);
	assert_null(c.data_dir);
}

static void test_values(void **state)
{
	struct config c;
	static const struct {
		const char *line;
		size_t at;
		const char *text;
	} rows[] = {{"data_dir = /srv//", offsetof(struct config, data_dir), "/srv"},
	    {"data_dir=/", offsetof(struct config, data_dir), "/"},
	    {"data_dir = /a b ; c # d", offsetof(struct config, data_dir), "/a b ; c # d"},
	    {"\tbase =\t/drop/ \r", offsetof(struct config, base), "/drop"},
	    {"base = /", offsetof(struct config, base), ""},
	    {"base =", offsetof(struct config, base), ""},
	    {"deny_types =", offsetof(struct config, deny_types), ""},
	    {"allow_types = Image/*,TEXT/plain", offsetof(struct config, allow_types),
		"image/*, text/plain"},
	    {"allowed_origins = HTTPS://A.org:443 ,http://[::1]:80,http://b:8080",
		offsetof(struct config, allowed_origins),
		"https://a.org, http://[::1], http://b:8080"},
	    {"allowed_origins = *", offsetof(struct config, allowed_origins), "*"}};
	EACH(i, rows)
	{
		assert_true(load_line(&c, rows[i].line));
		assert_string_equal(*(char **)((char *)&c + rows[i].at), rows[i].text);
		config_free(&c);
	}
	assert_true(
	    load_line(&c, "max_bytes = 5k\nbody_timeout = 2m\nthreads=4096\n"
			  "upload_access = token\nread_access = off\nlog = debug\n"
			  "sendfile = x-accel-redirect\nexpire_after = 30s"));
	assert_true(c.max_bytes == 5120 && c.body_timeout == 120000 && c.threads == 4096);
	assert_true(c.upload_access == ACCESS_TOKEN && c.read_access == ACCESS_OFF);
	assert_true(
	    c.log == LOG_DEBUG && c.sendfile == SENDFILE_X_ACCEL && c.expire_after == 30000);
	config_free(&c);
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *line, *part;
	} rows[] = {{"max_byte = 1G", ":3: max_byte: no such key; did you mean max_bytes?"},
	    {"Threads = 1", ":3: Threads: no such key; did you mean threads?"},
	    {"frobnicate = 1", ":3: frobnicate: no such key"},
	    {"x\x1B[31m = 1", ":3: x[31m: no such key"}, /* a log reader's terminal is safe */
	    {"config = /x", ":3: config: no such key"}, {"threads", ":3: not a line"},
	    {"= 1", ":3: not a line"}, {"threads: 5", ":3: not a line"},
	    {"threads = 5\n[limits]\n", ":4: there are no [sections]"},
	    {"threads = 0", ":3: threads: 0 is not accepted; give a whole number from 1 to 4096"},
	    {"threads = 4097", ":3: threads: "}, {"threads = 1K", ":3: threads: "},
	    {"threads =", ":3: threads: \"\" is not accepted"},
	    {"max_bytes = 1G ; much", ":3: max_bytes: \"1G ; much\" is not accepted; give a size"},
	    {"max_bytes = 1G\nlog = warn\nmax_bytes = 1G",
		":5: max_bytes: given twice, here and in line 3; keep one of them"},
	    {"expire_after = 30",
		":3: expire_after: 30 is not accepted; give a time with its unit, such as 90s, 5m"},
	    {"max_bytes = 0", "at least 1"}, {"max_bytes = -1", ":3: max_bytes: "},
	    {"max_bytes = 8388608T", ":3: max_bytes: "}, {"body_timeout = 0", "at least 1s"},
	    {"body_timeout = 1m30s", ":3: body_timeout: "}, {"body_timeout = 60S", "such as 90s"},
	    {"upload_access = owner",
		":3: upload_access: owner is not accepted; give open, user, token or off"},
	    {"durability = FULL", "give full or normal"}, {"log =", ":3: log: "},
	    {"data_dir =", ":3: data_dir: "}, {"allow_types =", ":3: allow_types: "},
	    {"allow_types = image/*,,text/plain", ":3: allow_types: "},
	    {"allow_types = pdf", ":3: allow_types: "},
	    {"deny_types = a/b;q=1", ":3: deny_types: "}, {"base = drop", ":3: base: "},
	    {"base = //evil.org", ":3: base: "}, {"base = /a?b", ":3: base: "},
	    {"base = /a b", ":3: base: "},
	    {"allowed_origins = example.org", ":3: allowed_origins: "},
	    {"allowed_origins = https://a.org/", ":3: allowed_origins: "},
	    {"allowed_origins = https://a.org:0", ":3: allowed_origins: "},
	    {"allowed_origins = https://a.org:65536", ":3: allowed_origins: "},
	    {"allowed_origins = https://", ":3: allowed_origins: "},
	    {"allowed_origins = https://[::1", ":3: allowed_origins: "},
	    {"allowed_origins = https://[1.2.3.4]", ":3: allowed_origins: "},
	    {"trusted_proxies = 10.0.0.1/8", ":3: trusted_proxies: "},
	    {"trusted_proxies = 10.0.0.0/33", ":3: trusted_proxies: "},
	    {"trusted_proxies = ::/129", ":3: trusted_proxies: "},
	    {"trusted_proxies = localhost", ":3: trusted_proxies: "},
	    {"trusted_proxies = [::1]", ":3: trusted_proxies: "},
	    {"trusted_proxies = 10.0.0.0/", ":3: trusted_proxies: "},
	    {"allowed_hosts = [1.2.3.4]", ":3: allowed_hosts: "},
	    {"allowed_hosts = [:::]", ":3: allowed_hosts: "},
	    {"allowed_hosts = ::1", ":3: allowed_hosts: "},
	    {"allowed_origins = https://u@a.org", ":3: allowed_origins: "},
	    {"allowed_origins = null", ":3: allowed_origins: "}};
	EACH(i, rows)
	{
		struct config c;
		assert_false(load_line(&c, rows[i].line));
		assert_problem(":", rows[i].part);
		assert_null(c.data_dir);
	}
}

static void test_odd_files(void **state)
{
	struct config c;
	char text[40000] = "deny_types = ";
	write_file(
	    S("\xEF\xBB\xBFthreads = 7\r\n\r\n  max_files = 9")); /* BOM, CRLF, no last newline */
	assert_true(config_load(&c, file, problem, sizeof problem));
	assert_true(c.threads == 7 && c.max_files == 9);
	config_free(&c);
	write_file(S("threads = 1\0 2\n"));
	assert_false(config_load(&c, file, problem, sizeof problem));
	assert_problem(":1: ", "NUL");
	for (size_t len = strlen(text); len < 12000; len += 4)
		strcpy(text + len, "a/b,");
	assert_true(load_line(&c, text)); /* far over inih's own 200 bytes, and whole */
	assert_in_range(strlen(c.deny_types), 14000, 16000);
	config_free(&c);
	for (size_t len = strlen(text); len < 39000; len += 4)
		strcpy(text + len, "a/b,");
	assert_false(load_line(&c, text));
	assert_problem(":3: ", "too long");
	assert_false(config_load(&c, directory, problem, sizeof problem));
	assert_non_null(strstr(problem, "cannot be read: Is a directory"));
	unlink(file);
	assert_false(config_load(&c, file, problem, sizeof problem));
	assert_problem(": ", "cannot be opened: No such file");
}

static void test_relative_path(void **state)
{
	struct config c;
	char here[4096], *expected;
	assert_non_null(getcwd(here, sizeof here));
	assert_int_not_equal(asprintf(&expected, "%s/data", strcmp(here, "/") ? here : ""), -1);
	assert_true(load_line(&c, "data_dir = data/"));
	assert_string_equal(c.data_dir, expected);
	config_free(&c);
	free(expected);
}

static void test_environment(void **state)
{
	struct config c;
	setenv("WAYBILL_THREADS", " 5 ", 1);
	setenv("WAYBILL_BASE", "/drop/", 1);
	static const char *const others[] = {"WHATEVER", "STREAMED", "RELAYS_104", "PORT",
	    "SERVICE_HOST", "PORT_8411_TCP_PROTO", "URL", "TEST_CONFIG"};
	EACH(i, others)
	{
		char name[64] = "WAYBILL_";
		setenv(strcat(name, others[i]), "x", 1);
	}
	assert_true(load_line(&c, "threads = 6\nmax_files = 6"));
	assert_true(c.threads == 5 && c.max_files == 6);
	assert_string_equal(c.base, "/drop");
	config_free(&c);
	setenv("WAYBILL_THREADS", "many", 1);
	assert_false(load_line(&c, ""));
	assert_string_equal(problem, "WAYBILL_THREADS (environment): many is not accepted; give a "
				     "whole number from 1 to 4096");
	unsetenv("WAYBILL_THREADS");
	unsetenv("WAYBILL_BASE");
	setenv("WAYBILL_MAXBYTES", "1G", 1);
	assert_false(load_line(&c, ""));
	assert_string_equal(problem, "WAYBILL_MAXBYTES (environment): no such setting; did you mean "
				     "WAYBILL_MAX_BYTES?");
	unsetenv("WAYBILL_MAXBYTES");
	write_file(S("threads = 8"));
	setenv("WAYBILL_CONFIG", file, 1);
	assert_true(config_load(&c, NULL, problem, sizeof problem));
	assert_int_equal(c.threads, 8);
	config_free(&c);
	setenv("WAYBILL_CONFIG", "/nonexistent/waybill.conf", 1);
	assert_true(config_load(&c, file, problem, sizeof problem)); /* -c goes before it */
	config_free(&c);
	assert_false(config_load(&c, NULL, problem, sizeof problem));
	unsetenv("WAYBILL_CONFIG");
}

/* What a printing function prints, to be freed. */
static char *printed(void (*print)(FILE *out))
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	print(out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void print_config(FILE *out)
{
	assert_true(config_print(file, out, problem, sizeof problem));
}

/* The row of `key` has these columns. */
static void assert_row(const char *text, const char *key, const char *value, const char *from)
{
	char row[256] = "\n", columns[3][128];
	strcat(row, key);
	strcat(row, " ");
	const char *at = strstr(text, row);
	assert_non_null(at);
	assert_int_equal(sscanf(at, "%127s %127s %127s", columns[0], columns[1], columns[2]), 3);
	assert_string_equal(columns[1], value);
	assert_string_equal(columns[2], from);
}

static void test_print(void **state)
{
	char from[128];
	write_file(S("threads = 010\nmax_bytes = 3072\nquota_bytes = 1025\nexpire_after = 172800s\n"
		     "body_timeout = 90s\nupload_access = off\n"));
	setenv("WAYBILL_LOG", "warn", 1);
	char *text = printed(print_config);
	unsetenv("WAYBILL_LOG");
	snprintf(from, sizeof from, "%s:2", file);
	assert_row(text, "max_bytes", "3K", from);
	snprintf(from, sizeof from, "%s:4", file);
	assert_row(text, "expire_after", "2d", from);
	snprintf(from, sizeof from, "%s:3", file);
	assert_row(text, "quota_bytes", "1025", from);
	snprintf(from, sizeof from, "%s:6", file);
	assert_row(text, "upload_access", "off", from);
	assert_row(text, "log", "warn", "environment");
	assert_row(text, "body_file_dir", "(none)", "default");
	assert_row(text, "partial_expire_after", "24h", "default");
	assert_row(text, "min_free_bytes", "64M", "default");
#define X(kind, key, initial, bounds, meaning) assert_non_null(strstr(text, meaning));
	CONFIG_KEYS(X)
#undef X
	free(text);
	write_file(S("threads = x"));
	assert_false(config_print(file, stderr, problem, sizeof problem));
	assert_problem(":1: ", "threads: x");
}

/* Every key of the sample, once its comment sign is gone, is what it would be without. */
static void test_sample(void **state)
{
	char *text = printed(config_print_sample), *to = text;
	unsigned keys = 0;
	write_file(S(""));
	char *before = printed(print_config);
	for (char *from = text; *from; from++) {
		bool setting =
		    from[0] == '#' && from[1] != ' ' && (from == text || from[-1] == '\n');
		keys += setting;
		if (!setting)
			*to++ = *from;
	}
	write_file((struct span){text, to - text});
	char *after = printed(print_config), *rest = after, *rest_before = before;
	for (char *line; (line = strsep(&rest, "\n")) && *line; keys--) {
		char key[64], value[128], *same = strsep(&rest_before, "\n");
		assert_int_equal(sscanf(line, "%63s %127s", key, value), 2);
		assert_memory_equal(line, same, 22 + strlen(value));
		assert_non_null(strstr(same, " default "));
		assert_non_null(strstr(line, file));
	}
	assert_int_equal(keys, 0);
	free(text);
	free(before);
	free(after);
}

static void test_man(void **state)
{
	char *text = printed(config_print_man), *rest = text;
	assert_non_null(strstr(text, ".B max_bytes\n"));
	assert_non_null(strstr(text, "vnd.microsoft.portable\\-executable"));
	for (char *line; (line = strsep(&rest, "\n"));)
		assert_false((*line == '.' && strcmp(line, ".TP") && strcmp(line, ".br") &&
				 strncmp(line, ".B ", 3)) ||
			     *line == '\'');
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_values), cmocka_unit_test(test_mistakes),
	    cmocka_unit_test(test_odd_files), cmocka_unit_test(test_relative_path),
	    cmocka_unit_test(test_environment), cmocka_unit_test(test_print),
	    cmocka_unit_test(test_sample), cmocka_unit_test(test_man)};
	return cmocka_run_group_tests_name("config", tests, set_up, tear_down);
}
