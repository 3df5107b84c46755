/*
 * config_fuzz.c: any bytes as a waybill.conf: settings within their bounds, or a reason; never
 * both, never a leak. What is printed of settings that were accepted is accepted again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/config.h"
#include "shared/key.h"
#include "shared/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

/* inih wants a file; it is one that no disk sees. */
static void path_of(int fd, char to[32])
{
	snprintf(to, 32, "/proc/self/fd/%d", fd);
}

static void check_bounds(const struct config *c)
{
	demand(c->data_dir[0] == '/' && (c->body_file_dir[0] == '/' || !c->body_file_dir[0]));
	demand(c->threads >= 1 && c->threads <= 4096 && c->max_files >= 1 && c->max_files <= 1000);
	demand(c->max_bytes >= 1 && c->quota_bytes >= 0 && c->body_timeout >= 1000);
	demand(c->upload_access >= ACCESS_OPEN && c->upload_access <= ACCESS_OFF);
	demand(c->upload_access != ACCESS_OWNER && c->log >= LOG_ERROR && c->log <= LOG_DEBUG);
	size_t len = strlen(c->base);
	demand(!len || (c->base[0] == '/' && c->base[1] != '/' && c->base[len - 1] != '/'));
	demand(c->allow_types[0] && !strpbrk(c->base, " ?#\r\n\"<>"));
}

/* key_show() writes what key_set() reads. */
static void check_shown(struct config *c)
{
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++) {
		static char shown[1 << 17], again[1 << 17];
		char reason[512];
		key_show(key, c, shown, sizeof shown);
		demand(key_set(key, c, span_of(shown), reason, sizeof reason));
		key_show(key, c, again, sizeof again);
		demand(strcmp(shown, again) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	char path[32], problem[512] = "";
	if (size > 1 << 15)
		return 0;
	int fd = memfd_create("waybill.conf", MFD_CLOEXEC);
	demand(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	path_of(fd, path);
	if (config_load(&config, path, problem, sizeof problem)) {
		demand(problem[0] == '\0');
		check_bounds(&config);
		check_shown(&config);
		config_free(&config);
	} else {
		demand(strncmp(problem, path, strlen(path)) == 0 && !config.data_dir);
		demand(!strpbrk(problem, "\n\r\x1B"));
	}
	close(fd);
	return 0;
}
