/*
 * replay.c: a fuzz target without a fuzzer: every file (of every directory) named goes through it
 * once.
 *
 *     multipart_replay tests/fuzz/corpus/multipart [more files or directories]
 *
 * Exits 0 when all went through; a target that finds fault aborts. 1: something could not be read,
 * or there was nothing to replay.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int done, failed;

static int complain(const char *path)
{
	perror(path);
	return ++failed;
}

static void replay_file(const char *path, size_t size)
{
	FILE *in = fopen(path, "rb");
	uint8_t *data = malloc(size > 0 ? size : 1);
	if (in == NULL || data == NULL || fread(data, 1, size, in) != size) {
		complain(path);
	} else {
		LLVMFuzzerTestOneInput(data, size);
		done++;
	}
	free(data);
	if (in != NULL)
		fclose(in);
}

static void replay_directory(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);
	if (n < 0) {
		complain(path);
		return;
	}
	for (int i = 0; i < n; i++) {
		char file[4096];
		struct stat st;
		snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
		if (stat(file, &st) != 0)
			complain(file);
		else if (S_ISREG(st.st_mode))
			replay_file(file, (size_t)st.st_size);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (stat(argv[i], &st) != 0)
			complain(argv[i]);
		else if (S_ISDIR(st.st_mode))
			replay_directory(argv[i]);
		else
			replay_file(argv[i], (size_t)st.st_size);
	}
	printf("%s: %d replayed, %d unreadable\n", argv[0], done, failed);
	return failed > 0 || done == 0;
}
