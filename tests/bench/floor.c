/*
 * floor.c: what one process needs at least, as the measure of what a worker behind a server adds.
 *
 *     floor PORT DIRECTORY    takes PUTs, one connection at a time: receive, write to an unnamed
 *                             file, SHA-256, link under the digest; no type, no record, no care
 *     floor FILE              SHA-256 of a file
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 256 << 10 };

static char buffer[BUFFER];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void keep(int fd, struct sha256_ctx *sha)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	char name[2 * SHA256_DIGEST_SIZE + 1], source[64];
	sha256_digest(sha, sizeof digest, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(name + 2 * i, 3, "%02x", digest[i]);
	snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
	linkat(AT_FDCWD, source, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
	close(fd);
}

static void swallow(int fd, struct sha256_ctx *sha, const char *at, size_t len)
{
	if (write(fd, at, len) != (ssize_t)len)
		die("write");
	sha256_update(sha, len, (const uint8_t *)at);
}

/* The headers; *have: bytes of the body that came with them. */
static const char *headers(int c, size_t *have)
{
	size_t used = 0;
	char *end = NULL;
	while (!end) {
		ssize_t n = recv(c, buffer + used, BUFFER - 1 - used, 0);
		if (n <= 0)
			return NULL;
		used += (size_t)n;
		buffer[used] = '\0';
		end = strstr(buffer, "\r\n\r\n");
	}
	*have = used - (size_t)(end + 4 - buffer);
	return end + 4;
}

static void talk(int c)
{
	static const char done[] = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
	const char *body;
	size_t have;
	while ((body = headers(c, &have)) != NULL) {
		const char *length = strcasestr(buffer, "\r\nContent-Length:");
		size_t left = length ? strtoul(length + 17, NULL, 10) : 0;
		int fd = open(".", O_TMPFILE | O_RDWR, 0600);
		struct sha256_ctx sha;
		if (fd < 0)
			die("O_TMPFILE");
		sha256_init(&sha);
		swallow(fd, &sha, body, have);
		for (left -= have; left > 0;) {
			ssize_t n = recv(c, buffer, left < BUFFER ? left : BUFFER, 0);
			if (n <= 0)
				die("recv");
			swallow(fd, &sha, buffer, (size_t)n);
			left -= (size_t)n;
		}
		keep(fd, &sha);
		if (send(c, done, sizeof done - 1, MSG_NOSIGNAL) < 0)
			return;
	}
}

static void listen_at(int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, door = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(door, (struct sockaddr *)&at, sizeof at) != 0 || listen(door, 64) != 0)
		die("listen");
	for (;;) {
		int c = accept(door, NULL, NULL);
		if (c < 0)
			die("accept");
		talk(c);
		close(c);
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && chdir(argv[2]) == 0)
		listen_at(atoi(argv[1]));
	struct sha256_ctx sha;
	ssize_t n = -1;
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	sha256_init(&sha);
	while (fd >= 0 && (n = read(fd, buffer, BUFFER)) > 0)
		sha256_update(&sha, (size_t)n, (const uint8_t *)buffer);
	return n < 0;
}
