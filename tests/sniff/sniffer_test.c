/* sniffer_test.c: the verdict is file(1)'s, and no death among the sniffers is the worker's. */
#include "chance.h"
#include "sniffing.h"

/* ---- the same as file(1) --------------------------------------------------------------------- */

static char dir_name[64];
static int samples;

static int new_sample(void)
{
	char path[96];
	snprintf(path, sizeof path, "%s/%d", dir_name, samples++);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void sample_of(const void *bytes, size_t len)
{
	int fd = new_sample();
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void copy_head(const char *path)
{
	static char head[HEAD_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, head, sizeof head);
	if (fd >= 0)
		close(fd);
	if (got >= 0)
		sample_of(head, (size_t)got);
}

/* Every so many files below some directories. */
static void copy_tree(char *top, int each, int most)
{
	char *tops[] = {top, NULL};
	FTS *tree = fts_open(tops, FTS_PHYSICAL | FTS_NOSTAT, NULL);
	FTSENT *entry;
	int seen = 0, first = samples;
	assert_non_null(tree);
	while (samples - first < most && (entry = fts_read(tree)))
		if ((entry->fts_info == FTS_NSOK || entry->fts_info == FTS_F) &&
		    seen++ % each == 0) {
			struct stat st;
			if (lstat(entry->fts_accpath, &st) == 0 && S_ISREG(st.st_mode))
				copy_head(entry->fts_accpath);
		}
	fts_close(tree);
}

static void odd_ones(void)
{
	static const char *const texts[] = {"a", "\n", " ", "{\"a\": [1, 2]}", "[1,2",
	    "a,b\n1,2\n3,4\n", "<!DOCTYPE html><html></html>", "<?xml version=\"1.0\"?><a/>",
	    "#!/bin/sh\necho\n", "BM", "GIF89a", "MZ", "PK\3\4", "\xff\xd8\xff\xe0",
	    "\xef\xbb\xbfsigned", "caf\xe9\n", "\xc3\xa9t\xc3\xa9\n", "\x1b[31mred\x1b[0m\n",
	    "<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "From: a@b.c\nSubject: x\n\ntext\n",
	    "int main(void)\n{\n\treturn 0;\n}\n", " %PDF-1.4\n", "\177ELF\2\1\1", "Rar!\x1a\7\1",
	    "7z\xbc\xaf\x27\x1c", "\x28\xb5\x2f\xfd", "OggS", "ID3\3", "RIFF....WAVEfmt ",
	    "RIFF....WEBPVP8 ", "....ftypisom", "SQLite format 3"};
	static char noise[HEAD_BYTES];
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		sample_of(texts[i], strlen(texts[i]));
	sample_of("", 0);
	sample_of("\0", 1);
	sample_of("f\0e\0f\0e\0", 8);
	sample_of(png, sizeof png);
	sample_of(pdf, sizeof pdf - 1);
	sample_of(noise, sizeof noise);
	struct chance luck = chance("samples", 0);
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)chance_below(&luck, 256);
	for (int i = 0; i < 60; i++)
		sample_of(noise + i * 4099, 1 + i * 97);
	sample_of(noise, sizeof noise);
	memset(noise, 'x', sizeof noise);
	sample_of(noise, sizeof noise);
	for (size_t i = 0; i + 20 < sizeof noise; i += 20)
		memcpy(noise + i, "{\"k\": \"value, more\"}\n", 20);
	sample_of(noise, sizeof noise);
}

static void archives(void)
{
	char command[512];
	snprintf(command, sizeof command,
	    "cd %s && cp %d a.txt && tar cf %d a.txt && gzip -c a.txt >%d && tar czf %d a.txt && "
	    "xz -c a.txt >%d && bzip2 -c a.txt >%d && /usr/bin/python3 -m zipfile -c %d.zip a.txt "
	    "&& "
	    "mv %d.zip %d && rm a.txt",
	    dir_name, 5, samples, samples + 1, samples + 2, samples + 3, samples + 4, samples + 5,
	    samples + 5, samples + 5);
	assert_int_equal(system(command), 0);
	samples += 6;
}

static int make_samples(void **state)
{
	snprintf(dir_name, sizeof dir_name, "/tmp/sniff-test-XXXXXX");
	assert_non_null(mkdtemp(dir_name));
	samples = 0;
	odd_ones();
	archives();
	copy_tree("/usr/share", 97, SAMPLES / 2);
	copy_tree("/usr/bin", 7, SAMPLES / 6);
	copy_tree("/usr/lib", 61, SAMPLES / 6);
	copy_tree("/etc", 11, SAMPLES / 6);
	return 0;
}

static int drop_samples(void **state)
{
	char command[96];
	snprintf(command, sizeof command, "rm -rf '%s'", dir_name);
	return system(command);
}

static void compare(struct sniffers *s, const char *locale)
{
	char command[256], expected[256], type[TYPE_BYTES + 1];
	struct refusal why;
	snprintf(command, sizeof command,
	    "cd %s && seq 0 %d | LC_ALL=%s file --brief --mime-type --files-from -", dir_name,
	    samples - 1, locale);
	FILE *answers = popen(command, "r");
	int unlike = 0;
	assert_non_null(answers);
	for (int i = 0; i < samples; i++) {
		assert_non_null(fgets(expected, sizeof expected, answers));
		expected[strcspn(expected, "\n")] = '\0';
		char path[96];
		snprintf(path, sizeof path, "%s/%d", dir_name, i);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		refusal_clear(&why);
		assert_int_equal(sniff_type(s, fd, NULL, HEAD_BYTES, type, &why), FAULT_NONE);
		close(fd);
		if (strcasecmp(type, expected) != 0) /* media types ignore case, ours are lower */
			print_error("%s: %s, file says %s\n", path, type, expected), unlike++;
	}
	assert_int_equal(pclose(answers), 0);
	assert_int_equal(unlike, 0);
}

static void verdict_is_files(void **state)
{
	struct sniffers *s = start(2);
	assert_true(samples > 300);
	compare(s, "C");
	compare(s, "C.UTF-8");
	assert_int_equal(deaths(s), 0);
	assert_int_equal(alive(s), 2);
	assert_true(sniff_version() >= 500);
	sniff_stop(s);
}

static void bytes_and_descriptor_agree(void **state)
{
	static char big[HEAD_BYTES + 4096];
	char a[TYPE_BYTES + 1], b[TYPE_BYTES + 1];
	struct refusal why;
	struct sniffers *s = start(1);
	memcpy(big, pdf, sizeof pdf);
	int fd = new_sample();
	assert_int_equal(write(fd, big, sizeof big), (ssize_t)sizeof big);
	assert_int_equal(sniff_type(s, fd, NULL, sizeof big, a, &why), FAULT_NONE);
	assert_int_equal(sniff_type(s, -1, big, sizeof big, b, &why), FAULT_NONE);
	assert_string_equal(a, "application/pdf");
	assert_string_equal(b, "application/pdf");
	assert_png(s); /* nothing is left of the file before */
	assert_int_equal(sniff_type(s, fd, NULL, 0, a, &why), FAULT_NONE);
	assert_string_equal(a, "inode/x-empty");
	assert_int_equal(sniff_type(s, -1, NULL, 5, a, &why), FAULT_INTERNAL); /* EBADF */
	assert_png(s);
	close(fd);
	sniff_stop(s);
	sniff_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(verdict_is_files, make_samples, drop_samples),
	    cmocka_unit_test_setup_teardown(bytes_and_descriptor_agree, make_samples, drop_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
