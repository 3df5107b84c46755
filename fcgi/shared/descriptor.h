/*
 * descriptor.h: a file descriptor is let go of.
 */
#ifndef WAYBILL_DESCRIPTOR_H
#define WAYBILL_DESCRIPTOR_H

#include <errno.h>
#include <unistd.h>

/* -1 is fine. errno is left as it was. */
static inline void descriptor_close(int fd)
{
	int err = errno;

	if (fd >= 0)
		close(fd);
	errno = err;
}

#endif
