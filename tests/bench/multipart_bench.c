/*
 * multipart_bench.c: GB/s of the multipart machine on bodies made to slow it down, in 64 KiB
 * chunks.
 *
 *     multipart_bench [MiB per body, default 256] [rounds, default 5]
 *
 * One line a body: the median of the rounds, by CPU time. random: noise; crlf, crlfdash: CRLF and CRLF "--"
 * repeated; near...: a delimiter with its last, first or middle byte wrong; false: a whole one that
 * is data because of what follows it; padded: one followed by blanks; half: CRs and last bytes laid
 * out so that first and last byte match at every second place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "body/body.h"

#define BOUNDARY "----WebKitFormBoundary7MA4YWxkTrZu0gW"

enum { CHUNK = 64 * 1024 };

static enum fault begin(void *self, const struct part *part, struct refusal *why)
{
	return FAULT_NONE;
}

static enum fault count(void *self, const void *bytes, size_t len, struct refusal *why)
{
	*(size_t *)self += len;
	return FAULT_NONE;
}

static enum fault end(void *self, struct refusal *why)
{
	return FAULT_NONE;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fill(char *body, size_t len, const char *pattern)
{
	size_t period = strlen(pattern);
	for (size_t i = 0; i < len; i++)
		body[i] = pattern[i % period];
}

static void fill_random(char *body, size_t len)
{
	unsigned long long s = 88172645463325252ULL;
	for (size_t i = 0; i < len; i++) {
		s ^= s << 13, s ^= s >> 7, s ^= s << 17;
		body[i] = (char)s;
	}
}

static void fill_half(char *body, size_t len)
{
	const char last = BOUNDARY[sizeof BOUNDARY - 2];
	const size_t span = sizeof "\r\n--" BOUNDARY - 2;
	for (size_t i = 0; i < len; i++)
		body[i] = i / span % 2 == 0 ? '\r' : last;
}

/* Seconds for one body, or -1. */
static double feed(const char *body, size_t len)
{
	static const char head[] =
	    "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n";
	static const char type[] = "multipart/form-data; boundary=" BOUNDARY;
	size_t got = 0;
	struct hands hands = {&got, begin, count, end};
	struct multipart *m = multipart_new((struct span){type, sizeof type - 1}, &hands, NULL);
	if (m == NULL)
		return -1;
	enum fault f = multipart_feed(m, head, sizeof head - 1, NULL);
	double start = now();
	for (size_t i = 0; i < len && f == FAULT_NONE; i += CHUNK)
		f = multipart_feed(m, body + i, len - i < CHUNK ? len - i : CHUNK, NULL);
	double took = now() - start;
	if (f == FAULT_NONE)
		f = multipart_feed(m, "\r\n--" BOUNDARY "--\r\n", sizeof BOUNDARY + 7, NULL);
	if (f == FAULT_NONE)
		f = multipart_end(m, NULL);
	multipart_free(m);
	return f == FAULT_NONE && got == len ? took : -1;
}

static int by_size(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return d < 0 ? -1 : d > 0;
}

static int measure(const char *name, const char *body, size_t len, int rounds)
{
	double took[99];
	for (int i = 0; i < rounds; i++) {
		took[i] = feed(body, len);
		if (took[i] < 0) {
			printf("%-14s WRONG\n", name);
			return 1;
		}
	}
	qsort(took, (size_t)rounds, sizeof *took, by_size);
	printf("%-14s %6.2f GB/s\n", name, (double)len / took[rounds / 2] / 1e9);
	return 0;
}

static const struct {
	const char *name, *pattern;
} bodies[] = {
    {"crlf", "\r\n"},
    {"crlfdash", "\r\n--"},
    {"nearboundary", "\r\n------WebKitFormBoundary7MA4YWxkTrZu0g"},
    {"near last", "\r\n------WebKitFormBoundary7MA4YWxkTrZu0gX"},
    {"near first", "\r\n-+----WebKitFormBoundary7MA4YWxkTrZu0gW"},
    {"near middle", "\r\n------WebKitFormBoundary_MA4YWxkTrZu0gW"},
    {"false", "\r\n------WebKitFormBoundary7MA4YWxkTrZu0gWX"},
    {"padded", "\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW                          X"},
};

int main(int argc, char **argv)
{
	size_t len = (argc > 1 ? strtoul(argv[1], NULL, 10) : 256) << 20;
	int rounds = argc > 2 ? atoi(argv[2]) : 5, wrong = 0;
	char *body = malloc(len);
	if (body == NULL || rounds < 1 || rounds > 99)
		return 2;
	fill_random(body, len);
	wrong |= measure("random", body, len, rounds);
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		fill(body, len, bodies[i].pattern);
		wrong |= measure(bodies[i].name, body, len, rounds);
	}
	fill_half(body, len);
	wrong |= measure("half", body, len, rounds);
	free(body);
	return wrong;
}
