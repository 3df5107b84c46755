/*
 * version.c: what this program is, and what it stands on here and now: for reports of faults, and for
 * scripts that ask what is built in. The versions are those of the libraries that were loaded.
 */
#include "cli/inside.h"

#include <jansson.h>
#include <magic.h>
#include <nettle/version.h>
#include <seccomp.h>
#include <sqlite3.h>

#include "shared/sandbox.h"

static void put_libraries(void)
{
	const struct scmp_version *seccomp = seccomp_version();

	printf("SQLite %s\n", sqlite3_libversion());
	printf("libmagic %d.%02d\n", magic_version() / 100, magic_version() % 100);
	printf("nettle %d.%d\n", nettle_version_major(), nettle_version_minor());
	printf("jansson %s\n", jansson_version_str());
	printf("libseccomp %u.%u.%u\n", seccomp->major, seccomp->minor, seccomp->micro);
	printf("libfcgi, inih (they tell no version)\n");
}

/* The first line is "waybill VERSION" and stays so. */
int cli_version(void)
{
	int landlock = sandbox_landlock_abi();

	printf("waybill %s\n", WAYBILL_VERSION);
	printf("catalog engines: sqlite\n");
	printf("stores: disk\n");
	put_libraries();
	if (landlock > 0)
		printf("landlock ABI %d\n", landlock);
	else
		printf("landlock: this kernel has none\n");
	return finish(DONE);
}
