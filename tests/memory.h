/*
 * memory.h: an HTTP exchange without a web server, for the rooms' tests.
 *
 *     struct memory m;
 *     memory_start(&m);
 *     memory_env(&m, "CONTENT_LENGTH", "5");
 *     memory_body(&m, "hello", 5);
 *     memory_cut(&m, 1);                               one byte a read
 *     memory_fault(&m, 3, FAULT_INCOMPLETE_BODY);      after three of them the peer is gone
 *     ... give &m.x to whatever takes a struct exchange ...
 *     assert_string_equal(memory_answer(&m), "...");
 *     memory_free(&m);
 *
 * What is handed in (names, values, body, sizes) is borrowed until memory_free().
 */
#ifndef WAYBILL_TESTS_MEMORY_H
#define WAYBILL_TESTS_MEMORY_H

#include <pthread.h>
#include <stddef.h>

#include "shared/flow.h"

enum { MEMORY_ENV = 64 };

struct memory {
	struct exchange x; /* first: &m.x is the exchange */

	struct {
		const char *name, *value;
	} env[MEMORY_ENV];
	unsigned envs;

	const char *body;
	size_t len, at;
	const size_t *sizes; /* of the reads, in order; the last one goes on */
	size_t size_count;
	size_t one_size;  /* storage for memory_cut() */
	size_t reads;	  /* so far, the end's included */
	enum fault fault; /* what a read at fault_at gives; FAULT_NONE: none */
	size_t fault_at;
	bool stalls;
	size_t stall_at;

	char *answer;
	size_t answered;
	enum fault write_fault; /* what a write that would pass write_fault_at gives */
	size_t write_fault_at;

	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool interrupted;
};

/* No variables, an empty body, reads as large as the reader's room. */
void memory_start(struct memory *m);
void memory_free(struct memory *m);

/* Set a variable; NULL unsets it. */
void memory_env(struct memory *m, const char *name, const char *value);
void memory_body(struct memory *m, const void *bytes, size_t len);
/* No read brings more than `size` bytes; 0: as many as there is room for. */
void memory_cut(struct memory *m, size_t size);
/* The first read brings at most sizes[0] bytes, the next sizes[1] ...; the last size stays. */
void memory_cuts(struct memory *m, const size_t *sizes, size_t count);
/* Once `at` bytes have been read, reading gives `fault` (INCOMPLETE_BODY, BODY_TIMEOUT). */
void memory_fault(struct memory *m, size_t at, enum fault fault);
/* Once `at` bytes have been read, a read blocks until the exchange is interrupted: it then gives
 * INCOMPLETE_BODY. After 20 seconds it gives up with BODY_TIMEOUT, so that no test hangs. */
void memory_stall(struct memory *m, size_t at);
/* A write that would make the answer longer than `at` bytes gives `fault`; nothing of it is kept.
 */
void memory_write_fault(struct memory *m, size_t at, enum fault fault);

/* What was answered so far, NUL-terminated; m->answered bytes. Valid until the next write. */
const char *memory_answer(const struct memory *m);

#endif
