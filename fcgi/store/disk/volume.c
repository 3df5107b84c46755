/*
 * volume.c: the file system that data_dir lies on, and since when the machine runs.
 */
#include "store/disk/disk.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { XFS_MAGIC = 0x58465342 }; /* linux/magic.h does not have it */

/* The first bytes of a small file that the kernel makes up; "" where there is none. */
static void read_fact(const char *path, char *to, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, room - 1);

	to[n > 0 ? n : 0] = '\0';
	descriptor_close(fd);
}

/* ext2, and ext4 made or mounted without a journal, write inodes where they belong: that of a file
 * synced while it had no name says that it was deleted, and a repair believes it. */
static bool has_journal(int fd)
{
	char path[64], target[256], journal[32];
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	ssize_t len = readlink(path, target, sizeof target - 1);
	if (len <= 0)
		return false;
	target[len] = '\0';
	const char *slash = strrchr(target, '/');
	snprintf(path, sizeof path, "/sys/fs/ext4/%.32s/journal_task",
	    slash != NULL ? slash + 1 : target);
	read_fact(path, journal, sizeof journal);
	return journal[0] >= '0' && journal[0] <= '9';
}

/*
 * Known: XFS and ext4's journal log an inode that has no name like any other, and linking it later is
 * logged in the order in which it was done. btrfs (6.1, for one) does not log it at all, and the name,
 * once synced, is that of an empty file. ZFS waits for a whole transaction group at each such link.
 */
bool volume_logs_unnamed(int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st) != 0)
		return false;
	switch ((unsigned long)st.f_type) {
	case XFS_MAGIC:
	case TMPFS_MAGIC: /* nothing there survives anyway */
		return true;
	case EXT4_SUPER_MAGIC: /* ext2's as well */
		return has_journal(fd);
	default:
		return false;
	}
}

/* Not only one file system: a file cannot be linked from one mount of it to another either. */
enum fault volume_is_one(
    int dir, int other, const char *path, const char *name, struct refusal *why)
{
	struct statx a, b;

	if (statx(dir, "", AT_EMPTY_PATH, STATX_MNT_ID, &a) != 0 ||
	    statx(other, "", AT_EMPTY_PATH, STATX_MNT_ID, &b) != 0)
		return disk_fault(why, "statx");
	bool mounts = (a.stx_mask & b.stx_mask & STATX_MNT_ID) != 0;
	if (a.stx_dev_major == b.stx_dev_major && a.stx_dev_minor == b.stx_dev_minor &&
	    (!mounts || a.stx_mnt_id == b.stx_mnt_id))
		return FAULT_NONE;
	return refuse(why, FAULT_INTERNAL,
	    "%s/%s is a mount or subvolume of its own, and files could not be linked into it or out "
	    "of it. Mount at %s itself what is to hold them, with objects/ and partial/ as plain "
	    "directories.",
	    path, name, path);
}

int64_t volume_boot(void)
{
	char text[64], digits[17];
	size_t count = 0;

	read_fact("/proc/sys/kernel/random/boot_id", text, sizeof text);
	for (const char *at = text; *at != '\0' && count < sizeof digits - 1; at++)
		if (*at != '-')
			digits[count++] = *at;
	digits[count] = '\0';
	return (int64_t)(strtoull(digits, NULL, 16) >> 1);
}
