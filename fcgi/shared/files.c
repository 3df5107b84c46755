/*
 * files.c: records on loan: their strings, in pieces that never move.
 */
#include "shared/files.h"
#include "shared/text.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_FIRST = 4 << 10, CHUNK_MAX = 256 << 10 };

struct chunk { /* text of the records, in pieces that never move */
	struct chunk *next;
	size_t used, size;
	char at[];
};

const char *files_text(struct files *files, struct span text)
{
	struct chunk *c = files->store;

	if (text.at == NULL)
		return NULL;
	if (c == NULL || c->size - c->used <= text.len) {
		size_t size = c == NULL ? CHUNK_FIRST : c->size * 2;
		if (size > CHUNK_MAX)
			size = CHUNK_MAX;
		if (size <= text.len)
			size = text.len + 1;
		c = malloc(sizeof *c + size);
		if (c == NULL)
			return NULL;
		*c = (struct chunk){.next = files->store, .size = size};
		files->store = c;
	}
	char *to = c->at + c->used;
	memcpy(to, text.at, text.len);
	to[text.len] = '\0';
	c->used += text.len + 1;
	return to;
}

const char *files_keep(struct files *files, struct span text, bool *short_of_memory)
{
	const char *kept = files_text(files, text);

	*short_of_memory |= kept == NULL && text.at != NULL;
	return kept;
}

enum fault files_make(struct files *files, size_t limit, struct refusal *why)
{
	*files = (struct files){.at = calloc(limit, sizeof *files->at), .room = limit};
	return files->at == NULL ? refuse(why, FAULT_INTERNAL, NULL) : FAULT_NONE;
}

void files_release(struct files *files)
{
	for (struct chunk *c = files->store, *next; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free(files->at);
	*files = (struct files){0};
}

int64_t fields_bytes(const char *fields)
{
	return strcmp(fields, NO_FIELDS) == 0 ? 0 : (int64_t)strlen(fields);
}
