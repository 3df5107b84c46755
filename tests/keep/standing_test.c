/* standing_test.c: what was not synced before the machine was started anew is read before it is believed. */
#include "partials.h"

#include <sys/syscall.h>

static bool sweep_at_rename;

/* What a sweep of another process does to temporary files. */
static void sweep_temporaries(void)
{
	DIR *dir;
	struct dirent *entry;

	assert_int_equal(disk_entries(keep->store->partial, "partial", &dir, NULL), FAULT_NONE);
	while ((entry = readdir(dir)) != NULL) {
		int fd = strncmp(entry->d_name, "tmp-", 4) == 0 ? blob_seize(keep->store, entry->d_name) : -1;
		if (fd < 0)
			continue;
		unlinkat(keep->store->partial, entry->d_name, 0);
		close(fd);
	}
	closedir(dir);
}

/* Before libc's: only the replacing of an object renames anything here. */
int renameat(int from, const char *path, int to, const char *name)
{
	if (sweep_at_rename)
		sweep_temporaries();
	return (int)syscall(SYS_renameat2, from, path, to, name, 0);
}

/* All that is there was written under an earlier start of the machine. */
static void boot(void)
{
	ask("UPDATE objects SET boot = boot - 1");
	ask("UPDATE uploads SET boot = boot - 1");
	keep->unproved = true;
}

/* The same size, other bytes. */
static void spoil(const char *path)
{
	struct stat st;
	int fd = open(path, O_WRONLY);

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, st.st_size), 0);
	close(fd);
}

static void path_of_object(char path[256], const char *id)
{
	struct files files;

	assert_int_equal(keep_find(keep, span_of(id), &files, &why), FAULT_NONE);
	snprintf(path, 256, "%s/objects/%s", data_dir, object_name(files.at[0].sha256).hex);
	files_release(&files);
}

static enum fault content_of(const char *id)
{
	struct files files;
	int fd;

	assert_int_equal(keep_find(keep, span_of(id), &files, &why), FAULT_NONE);
	enum fault f = keep_content(keep, &files.at[0], &fd, NULL, &why);
	files_release(&files);
	if (f == FAULT_NONE)
		close(fd);
	return f;
}

/* ---- content --------------------------------------------------------------------------------- */

static void test_good_content_is_read_once(void **state)
{
	char id[ID_LEN + 1], path[256];

	put("a", "content", NULL, id);
	path_of_object(path, id);
	boot();
	assert_int_equal(content_of(id), FAULT_NONE);
	assert_int_equal(ask("SELECT durable FROM objects"), 1);
	spoil(path);
	assert_int_equal(content_of(id), FAULT_NONE); /* rot: for `waybill verify` to find */
}

static void test_lost_content_is_never_served(void **state)
{
	char id[ID_LEN + 1], path[256];

	put("a", "content", NULL, id);
	path_of_object(path, id);
	spoil(path);
	assert_int_equal(content_of(id), FAULT_NONE); /* nobody looks while the machine runs */
	boot();
	assert_int_equal(content_of(id), FAULT_INTERNAL);
	assert_int_equal(ask("SELECT damaged IS NOT NULL AND NOT durable FROM objects"), 1);
	assert_int_equal(content_of(id), FAULT_INTERNAL);
	assert_int_equal(truncate(path, 0), 0); /* brought back: its change time is another */
	int fd = open(path, O_WRONLY);
	assert_int_equal(write(fd, "content", 7), 7);
	close(fd);
	assert_int_equal(content_of(id), FAULT_NONE);
	assert_int_equal(ask("SELECT damaged IS NULL AND durable FROM objects"), 1);
}

/* A look-up first, then the file: what was found lost may have been uploaded again meanwhile. */
static void test_what_is_sent_again_takes_its_place(void **state)
{
	const int kinds[] = {DURABILITY_NORMAL, DURABILITY_FULL};

	for (size_t i = 0; i < 2; i++) {
		char a[ID_LEN + 1], b[ID_LEN + 1], path[256];
		config.durability = DURABILITY_NORMAL;
		put("a", i == 0 ? "content" : "another", NULL, a);
		path_of_object(path, a);
		spoil(path);
		boot();
		assert_int_equal(content_of(a), FAULT_INTERNAL);
		config.durability = kinds[i];
		put("b", i == 0 ? "content" : "another", NULL, b);
		assert_int_equal(content_of(a), FAULT_NONE);
		assert_int_equal(content_of(b), FAULT_NONE);
		assert_int_equal(ask("SELECT count(*) FROM objects WHERE damaged IS NOT NULL"), 0);
		assert_int_equal(ask("SELECT sum(durable) FROM objects"), (int64_t)i);
		assert_int_equal(entries("partial"), 0);
	}
	check_sums();
}

/* An object that was synced, and is gone: what takes its place under durability=normal is not. */
static void test_a_replacement_is_no_better_than_it_is(void **state)
{
	char id[ID_LEN + 1], path[256];

	config.durability = DURABILITY_FULL;
	put("a", "content", NULL, id);
	path_of_object(path, id);
	assert_int_equal(truncate(path, 3), 0);
	config.durability = DURABILITY_NORMAL;
	put("b", "content", NULL, id);
	assert_int_equal(ask("SELECT durable FROM objects"), 0);
	assert_int_equal(ask("SELECT boot FROM objects"), keep->store->boot);
}

static void test_sweep_while_an_object_is_replaced(void **state)
{
	for (int named = 0; named < 2; named++) {
		char id[ID_LEN + 1], path[256];
		keep->store->unnamed = !named;
		put("a", "content", NULL, id);
		path_of_object(path, id);
		assert_int_equal(truncate(path, 3), 0);
		sweep_at_rename = true;
		put("b", "content", NULL, id);
		sweep_at_rename = false;
		assert_int_equal(content_of(id), FAULT_NONE);
		assert_int_equal(entries("partial"), 0);
	}
}

/* It was not written in this run of the machine, and nobody can tell in which. */
static void test_without_a_boot_id_all_is_read(void **state)
{
	char id[ID_LEN + 1], path[256];

	keep->store->boot = 0;
	keep->unproved = true;
	put("a", "content", NULL, id);
	path_of_object(path, id);
	spoil(path);
	assert_int_equal(content_of(id), FAULT_INTERNAL);
}

/* ---- unfinished uploads ---------------------------------------------------------------------- */

static void test_an_upload_goes_on_after_a_boot(void **state)
{
	char id[ID_LEN + 1];

	rest_with(11, "hello ", id);
	boot();
	assert_int_equal(offset_of(id), 6);
	assert_int_equal(ask("SELECT boot FROM uploads"), keep->store->boot);
	finish_with(id, 6, "world", "hello world");
}

static void check_gone(const char *id)
{
	assert_int_equal(ask("SELECT count(*) FROM uploads WHERE state = 2"), 1);
	assert_int_equal(offset_of(id), -(int64_t)FAULT_GONE);
	assert_int_equal(entries("partial"), 0);
	ask("DELETE FROM uploads");
}

static void test_an_upload_that_lost_bytes_is_gone(void **state)
{
	char id[ID_LEN + 1], path[160];

	rest_with(11, "hello ", id);
	in_partial(id, path);
	spoil(path);
	boot();
	assert_null(resume(id, 6, false));
	assert_int_equal(why.fault, FAULT_GONE);
	check_gone(id);
	rest_with(11, "hello ", id);
	in_partial(id, path);
	spoil(path);
	boot();
	assert_int_equal(offset_of(id), -(int64_t)FAULT_GONE);
	check_gone(id);
}

/* What cannot be compared cannot be promised either. */
static void test_an_upload_of_another_build_after_a_boot(void **state)
{
	char id[ID_LEN + 1];

	rest_with(11, "hello ", id);
	ask("UPDATE uploads SET digest = x'00'");
	boot();
	assert_null(resume(id, 6, false));
	check_gone(id);
}

/* With durability=full the bytes were synced before the offset was recorded: they are not read. */
static void test_synced_offsets_are_believed(void **state)
{
	char id[ID_LEN + 1], path[160];

	config.durability = DURABILITY_FULL;
	rest_with(11, "hello ", id);
	in_partial(id, path);
	spoil(path);
	boot();
	assert_int_equal(offset_of(id), 6);
}

/* ---- the file system ------------------------------------------------------------------------- */

static void test_allocated_bytes_are_no_size(void **state)
{
	struct blob blob;
	struct stat st;

	assert_int_equal(blob_create(keep->store, &blob, &why), FAULT_NONE);
	assert_int_equal(blob_allocate(&blob, 1 << 20, &why), FAULT_NONE);
	assert_int_equal(fstat(blob.fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(blob_write(&blob, "abc", 3, &why), FAULT_NONE);
	assert_int_equal(blob_sync(&blob, &why), FAULT_NONE);
	uint8_t sha256[SHA256_LEN];
	assert_int_equal(blob_end(&blob, sha256, &why), FAULT_NONE);
	assert_false(blob.synced); /* what was given back is a change as well */
	assert_int_equal(fstat(blob.fd, &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_true(st.st_blocks * 512 < 1 << 20);
	blob_leave(keep->store, &blob, false);
}

static void test_a_file_system_of_another_kind(void **state)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_false(volume_logs_unnamed(proc));
	assert_false(volume_logs_unnamed(-1));
	assert_int_equal(volume_is_one(keep->store->dir, keep->store->objects, "x", "objects", &why), FAULT_NONE);
	assert_int_equal(volume_is_one(keep->store->dir, proc, "x", "objects", &why), FAULT_INTERNAL);
	assert_non_null(strstr(refusal_detail(&why), "x/objects is a mount"));
	assert_true(volume_boot() > 0);
	assert_int_equal(volume_boot(), keep->store->boot);
	close(proc);
}

#define WITH_KEEP(test) cmocka_unit_test_setup_teardown(test, make_keep, drop_keep)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_KEEP(test_good_content_is_read_once),
	    WITH_KEEP(test_lost_content_is_never_served),
	    WITH_KEEP(test_what_is_sent_again_takes_its_place),
	    WITH_KEEP(test_a_replacement_is_no_better_than_it_is),
	    WITH_KEEP(test_sweep_while_an_object_is_replaced),
	    WITH_KEEP(test_without_a_boot_id_all_is_read),
	    WITH_KEEP(test_an_upload_goes_on_after_a_boot),
	    WITH_KEEP(test_an_upload_that_lost_bytes_is_gone),
	    WITH_KEEP(test_an_upload_of_another_build_after_a_boot),
	    WITH_KEEP(test_synced_offsets_are_believed),
	    WITH_KEEP(test_allocated_bytes_are_no_size),
	    WITH_KEEP(test_a_file_system_of_another_kind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
