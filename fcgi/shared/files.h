/*
 * files.h: records of files: on loan, and which ones a listing asks for.
 */
#ifndef WAYBILL_FILES_H
#define WAYBILL_FILES_H

#include "shared/flow.h"

/* Records on loan; give back with files_release(). */
struct files {
	struct file *at;
	size_t count, room; /* records there are, and fit */
	void *store; /* files.c's own */
};

/* The parameters of GET /files. */
#define LISTING_PARAMETERS "limit cursor type name owner since until order"

/* What GET /files asks for; bad values never get this far. */
struct listing {
	int64_t limit; /* 1 ... 1000 */
	int64_t after; /* seq of the last record of the page before; 0: first page */
	bool oldest_first;
	struct span type;    /* media type glob, lower case, or absent */
	struct span name;    /* part of the name, any case, or absent */
	struct span owner;   /* or absent */
	struct span address; /* as recorded, or absent */
	bool only_visible;   /* restrict to records of `viewer` (read_access = owner) */
	struct span viewer;  /* absent: anonymous */
	int64_t since;	     /* uploaded_at >= since, ms since the epoch; 0: no bound */
	int64_t until;	     /* uploaded_at < until; 0: no bound */
	size_t base_len;     /* bytes of the mount point, which each record's url begins with */
};

/* Of a form without any. */
#define NO_FIELDS "{}"

/* Room for `limit` records in *files; files_release() gives it back. INTERNAL: no memory. */
enum fault files_make(struct files *files, size_t limit, struct refusal *why);
/* A copy that lives as long as *files; NULL: absent, or no memory. */
const char *files_text(struct files *files, struct span text);
/* The same, for many in a row: *short_of_memory is set where there was none, else left alone. */
const char *files_keep(struct files *files, struct span text, bool *short_of_memory);
void files_release(struct files *files);
/* What quotas are charged for a form's fields. */
int64_t fields_bytes(const char *fields);

#endif
