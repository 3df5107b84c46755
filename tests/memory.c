/*
 * memory.c: an exchange whose client is an array of bytes.
 */
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATIENCE = 20 }; /* seconds */

static const char *env(struct exchange *x, const char *name)
{
	struct memory *m = (struct memory *)x;
	for (unsigned i = 0; i < m->envs; i++)
		if (strcmp(m->env[i].name, name) == 0)
			return m->env[i].value;
	return NULL;
}

static enum fault wait_for_interrupt(struct memory *m)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE;
	pthread_mutex_lock(&m->lock);
	while (!m->interrupted)
		if (pthread_cond_timedwait(&m->woken, &m->lock, &until) == ETIMEDOUT)
			break;
	bool interrupted = m->interrupted;
	pthread_mutex_unlock(&m->lock);
	return interrupted ? FAULT_INCOMPLETE_BODY : FAULT_BODY_TIMEOUT;
}

static bool is_interrupted(struct memory *m)
{
	pthread_mutex_lock(&m->lock);
	bool interrupted = m->interrupted;
	pthread_mutex_unlock(&m->lock);
	return interrupted;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How much the next read brings. */
static size_t next_size(const struct memory *m, size_t room)
{
	size_t size = least(room, m->len - m->at);
	if (m->size_count > 0)
		size = least(size, m->sizes[least(m->reads, m->size_count - 1)]);
	if (m->fault != FAULT_NONE)
		size = least(size, m->fault_at - m->at);
	if (m->stalls)
		size = least(size, m->stall_at - m->at);
	return size;
}

static enum fault read_body(struct exchange *x, void *buf, size_t room, size_t *got)
{
	struct memory *m = (struct memory *)x;
	*got = 0;
	if (is_interrupted(m))
		return FAULT_INCOMPLETE_BODY;
	if (m->fault != FAULT_NONE && m->at >= m->fault_at)
		return m->fault;
	if (m->stalls && m->at >= m->stall_at)
		return wait_for_interrupt(m);
	*got = next_size(m, room);
	if (*got > 0)
		memcpy(buf, m->body + m->at, *got);
	m->at += *got;
	m->reads++;
	return FAULT_NONE;
}

static enum fault write_answer(struct exchange *x, const void *bytes, size_t len)
{
	struct memory *m = (struct memory *)x;
	if (m->write_fault != FAULT_NONE && m->answered + len > m->write_fault_at)
		return m->write_fault;
	char *answer = realloc(m->answer, m->answered + len + 1);
	if (answer == NULL)
		return FAULT_INTERNAL;
	if (len > 0)
		memcpy(answer + m->answered, bytes, len);
	m->answer = answer;
	m->answered += len;
	answer[m->answered] = '\0';
	return FAULT_NONE;
}

static void interrupt(struct exchange *x)
{
	struct memory *m = (struct memory *)x;
	pthread_mutex_lock(&m->lock);
	m->interrupted = true;
	pthread_cond_broadcast(&m->woken);
	pthread_mutex_unlock(&m->lock);
}

void memory_start(struct memory *m)
{
	*m = (struct memory){0};
	m->x.env = env;
	m->x.read = read_body;
	m->x.write = write_answer;
	m->x.interrupt = interrupt;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->woken, NULL);
}

void memory_free(struct memory *m)
{
	free(m->answer);
	pthread_cond_destroy(&m->woken);
	pthread_mutex_destroy(&m->lock);
}

void memory_env(struct memory *m, const char *name, const char *value)
{
	unsigned i = 0;
	while (i < m->envs && strcmp(m->env[i].name, name) != 0)
		i++;
	if (i == MEMORY_ENV)
		abort(); /* the test sets more than there is room for */
	m->env[i].name = name;
	m->env[i].value = value;
	m->envs += i == m->envs;
}

void memory_body(struct memory *m, const void *bytes, size_t len)
{
	m->body = bytes;
	m->len = len;
	m->at = 0;
	m->reads = 0;
}

void memory_cut(struct memory *m, size_t size)
{
	m->one_size = size;
	memory_cuts(m, &m->one_size, size > 0 ? 1 : 0);
}

void memory_cuts(struct memory *m, const size_t *sizes, size_t count)
{
	m->sizes = sizes;
	m->size_count = count;
}

void memory_fault(struct memory *m, size_t at, enum fault fault)
{
	m->fault_at = at;
	m->fault = fault;
}

void memory_stall(struct memory *m, size_t at)
{
	m->stall_at = at;
	m->stalls = true;
}

void memory_write_fault(struct memory *m, size_t at, enum fault fault)
{
	m->write_fault_at = at;
	m->write_fault = fault;
}

const char *memory_answer(const struct memory *m)
{
	return m->answer != NULL ? m->answer : "";
}
