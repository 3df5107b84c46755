/*
 * listen.c: the listening socket, inherited or our own (`waybill serve -l`), and libfcgi's only door.
 *
 * libfcgi says whether standard input is a socket that a spawner of FastCGI programs left there. It
 * reads nothing: its parser answers FCGI_GET_VALUES beyond its own stack, so record.c has that part.
 */
#include <errno.h>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "accept/accept.h"
#include "shared/network.h"

/* nginx and lighttpd answer 502 and 500 at once when the queue is full, so let it be long. */
enum { BACKLOG = 4096 };

bool gate_is_listening(int fd)
{
	int listening = 0;
	socklen_t len = sizeof listening;

	if (fd == FCGI_LISTENSOCK_FILENO && FCGX_IsCGI())
		return false;
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

/* A socket file that nobody listens on any more may go; a live one, or another file, may not. */
static bool clear_stale(const struct sockaddr_un *address)
{
	struct stat st;

	if (lstat(address->sun_path, &st) != 0)
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return false;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool alive = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
	close(fd);
	if (alive) {
		errno = EADDRINUSE;
		return false;
	}
	return unlink(address->sun_path) == 0;
}

static int listen_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (!clear_stale(&address))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	mode_t before = umask(0117); /* the web server's group may connect, others may not */
	int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
	umask(before);
	if (bound == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

static int listen_on(const struct addrinfo *info)
{
	int on = 1;
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, info->ai_protocol);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

/* "127.0.0.1:9000", "[::1]:9000", "localhost:9000". */
static int listen_tcp(const char *where)
{
	char host[256];
	const char *colon = strrchr(where, ':');

	if (!colon || colon == where || (size_t)(colon - where) >= sizeof host) {
		errno = EINVAL;
		return -1;
	}
	bool bracketed = where[0] == '[' && colon[-1] == ']';
	span_copy(host, sizeof host,
	    (struct span){where + bracketed, (size_t)(colon - where) - 2u * bracketed});
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
	if (getaddrinfo(host, colon + 1, &hints, &list) != 0) {
		errno = EINVAL;
		return -1;
	}
	int fd = -1;
	for (struct addrinfo *info = list; info && fd < 0; info = info->ai_next)
		fd = listen_on(info);
	freeaddrinfo(list);
	return fd;
}

const char *gate_misnamed(const char *where)
{
	const char *colon = strrchr(where, ':'), *path = where + strlen("unix:");
	struct sockaddr_un *address = NULL;
	int64_t port;

	if (strncmp(where, "unix:", strlen("unix:")) == 0) {
		size_t len = strlen(path);
		if (len == 0 || path[len - 1] == '/')
			return "-l unix: needs the path of a socket behind it, as in "
			       "unix:/run/waybill/waybill.sock";
		return len < sizeof address->sun_path
			   ? NULL
			   : "-l: the path of a socket has at most 107 bytes; take a shorter one";
	}
	if (!colon || colon == where || !port_read(span_of(colon + 1), &port))
		return "-l takes unix:PATH, or HOST:PORT with a port from 1 to 65535";
	if (memchr(where, ':', (size_t)(colon - where)) && !(where[0] == '[' && colon[-1] == ']'))
		return "-l: an IPv6 address stands in brackets, as in [::1]:9000";
	return NULL;
}

void gate_where(int fd, char *to, size_t room)
{
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_storage all;
	} at = {0};
	socklen_t len = sizeof at - 1; /* a path may fill sun_path: the last byte stays NUL */
	char host[64], port[16];

	snprintf(to, room, "-");
	if (getsockname(fd, &at.any, &len) != 0)
		return;
	if (at.any.sa_family == AF_UNIX)
		snprintf(to, room, "unix:%s", at.local.sun_path);
	else if (getnameinfo(&at.any, len, host, sizeof host, port, sizeof port,
		     NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(to, room, at.any.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int gate_listen(const char *where, struct refusal *why)
{
	int fd = strncmp(where, "unix:", 5) == 0 ? listen_unix(where + 5) : listen_tcp(where);

	if (fd < 0)
		refuse(why, FAULT_INTERNAL, "cannot listen on %s: %s", where, strerror(errno));
	return fd;
}
