/* sniffer.c: libmagic's only door: the sniffer parent and its jailed children. */
#include "sniff/sniffer.h"

#include <errno.h>
#include <magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/config.h"
#include "shared/log.h"
#include "shared/sandbox.h"
#include "shared/text.h"
#include "sniff/sniff.h"

enum {
	EXIT_RETIRED = 10, /* not a death */
	QUICK_MS = 1000,   /* a child that did not live as long died quickly */
	QUICK_FREE = 3, /* so many quick deaths in a row are replaced at once, then it slows down */
	DELAY_MS = 1000, /* but never more than this */
	RETRY_MS = 20	 /* a notice that found the socket full */
};

/* What the parent alone knows of a slot. */
struct nest {
	pid_t pid;	 /* 0: none at the moment */
	bool retired;	 /* its death is no accident */
	int64_t born_at; /* ms */
	int64_t due_at;	 /* when the next child is to be born, if there is none */
	unsigned quick;	 /* quick deaths in a row */
	bool notice_due; /* the worker has not been told of the last death */
};

struct parent {
	struct sniffer_house *house;
	magic_t magic;
	pid_t pid;
	int signals;
	struct nest nests[SNIFF_SLOTS];
};

/*
 * glibc's fstat() asks by newfstatat, which takes any path: the jail cannot let it through, or a
 * child that was taken over could look around. This one, which libmagic finds first, asks by
 * descriptor only. Everything else here is compiled to call fstat64(). Sanitizers bring their own.
 */
#if !SANDBOX_SANITIZED
#if __SIZEOF_LONG__ == 8
int fstat_of_libmagic(int fd, void *st) __asm__("fstat");
enum { BY_DESCRIPTOR = SYS_fstat };
#else
int fstat_of_libmagic(int fd, void *st) __asm__("fstat64");
enum { BY_DESCRIPTOR = SYS_fstat64 };
#endif

int fstat_of_libmagic(int fd, void *st)
{
	return (int)syscall(BY_DESCRIPTOR, fd, st);
}
#endif

int sniff_version(void)
{
	return magic_version();
}

static struct sniff_answer message(enum sniff_kind kind, uint32_t seq, const char *text)
{
	struct sniff_answer a = {.kind = kind, .seq = seq};
	snprintf(a.text, sizeof a.text, "%s", text);
	return a;
}

/* Close all descriptors but `a` and `b`, whatever the worker had open. */
static void keep_only(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;
	if (low > 0)
		close_range(0, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

/* ---- a child --------------------------------------------------------------------------------- */

/* libmagic reads ELF's own tables from a descriptor, or does not read them: a program that can be
 * loaded anywhere is a shared library to magic_buffer(), and a program to file(1). */
bool sniff_wants_file(const void *bytes, size_t len)
{
	static const char elf[4] = {0x7f, 'E', 'L', 'F'};
	return len > sizeof elf && memcmp(bytes, elf, sizeof elf) == 0;
}

bool sniff_is_parsed(const void *bytes, size_t len)
{
	static const char cdf[8] = {
	    0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1}; /* .doc, .msi */
	return sniff_wants_file(bytes, len) ||
	       (len > sizeof cdf && memcmp(bytes, cdf, sizeof cdf) == 0);
}

static const char *ask_libmagic(magic_t magic, int memory, const void *bytes, size_t len)
{
	if (!sniff_wants_file(bytes, len))
		return magic_buffer(magic, bytes, len);
	lseek(memory, 0, SEEK_SET); /* a predecessor may have died half-way */
	return magic_descriptor(magic, memory);
}

/* What libmagic says, if it is a media type; it has been known to say two in one breath. */
static void judge(
    magic_t magic, int memory, const void *bytes, size_t len, struct sniff_answer *answer)
{
	const char *said = ask_libmagic(magic, memory, bytes, len);
	/* "application/x-executable, corrupted section header size": Linux runs such a program. */
	struct span rest = span_of(said), type = span_cut(&rest, ',');
	if (!said || !text_media_type(type, answer->text))
		snprintf(answer->text, sizeof answer->text, "application/octet-stream");
}

static _Noreturn void serve(magic_t magic, int socket, int memory, const uint8_t *region)
{
	for (;;) {
		struct sniff_query query;
		ssize_t got = read(socket, &query, sizeof query);
		if (got != sizeof query || query.len > HEAD_BYTES)
			_exit(EXIT_RETIRED); /* the worker is gone */
		struct sniff_answer answer = message(SNIFF_TYPE, query.seq, "");
		judge(magic, memory, region, query.len, &answer);
		if (write(socket, &answer, sizeof answer) != sizeof answer)
			_exit(EXIT_RETIRED);
	}
}

/* Other slots' regions hold other people's files. */
static bool forget_the_rest(const struct sniffer_house *house, unsigned slot)
{
	for (unsigned i = 0; i < house->count; i++)
		if (i != slot && munmap(house->regions[i], HEAD_BYTES) < 0)
			return false;
	return munmap(house->board, sizeof *house->board) == 0;
}

static _Noreturn void child(const struct parent *parent, unsigned slot, uint32_t birth)
{
	const struct sniffer_house *house = parent->house;
	int socket = house->sockets[slot];
	atomic_store(&house->board->slot[slot].pid, getpid()); /* before anybody hears of us */
	char problem[TYPE_BYTES + 1] = "its parent is gone";

	bool fit = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent->pid;
	keep_only(socket, house->memories[slot]);
	fit = fit && forget_the_rest(house, slot) && sandbox_sniffer(problem, sizeof problem);
	struct sniff_answer hello =
	    message(fit ? SNIFF_READY : SNIFF_FAILED, birth, fit ? "" : problem);
	if (write(socket, &hello, sizeof hello) != sizeof hello || !fit)
		_exit(1);
	serve(parent->magic, socket, house->memories[slot], house->regions[slot]);
}

/* ---- the parent ------------------------------------------------------------------------------ */

static void schedule(struct nest *nest, int64_t lived)
{
	nest->quick = lived < QUICK_MS ? nest->quick + 1 : 0;
	int64_t delay = 0;
	if (nest->quick > QUICK_FREE)
		delay = nest->quick > QUICK_FREE + 7 ? DELAY_MS : 5 << (nest->quick - QUICK_FREE);
	nest->due_at = clock_steady() + delay;
}

static void bear(struct parent *parent, unsigned slot)
{
	struct nest *nest = &parent->nests[slot];
	uint32_t birth = atomic_load(&parent->house->board->slot[slot].birth) + 1;

	nest->born_at = clock_steady();
	atomic_store(&parent->house->board->slot[slot].birth, birth);
	pid_t pid = fork();
	if (pid == 0)
		child(parent, slot, birth);
	if (pid < 0) {
		log_line(LOG_ERROR, "sniffer cannot be forked", "slot=%u errno=%d", slot, errno);
		nest->due_at = clock_steady() + DELAY_MS;
		return;
	}
	nest->pid = pid;
	nest->retired = false;
	atomic_store(&parent->house->board->slot[slot].pid, pid);
}

/* The notice of a death goes before all that the next child says, so the next one has to wait. */
static bool tell(struct parent *parent, unsigned slot)
{
	struct sniff_answer died =
	    message(SNIFF_DIED, atomic_load(&parent->house->board->slot[slot].birth), "");
	ssize_t sent =
	    send(parent->house->sockets[slot], &died, sizeof died, MSG_DONTWAIT | MSG_NOSIGNAL);
	parent->nests[slot].notice_due = sent < 0 && (errno == EAGAIN || errno == ENOBUFS);
	return !parent->nests[slot].notice_due;
}

static void bury(struct parent *parent, pid_t pid, int status)
{
	struct sniff_board *board = parent->house->board;
	unsigned slot = 0;
	while (slot < parent->house->count && parent->nests[slot].pid != pid)
		slot++;
	if (slot == parent->house->count)
		return;
	struct nest *nest = &parent->nests[slot];
	bool retired = nest->retired || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_RETIRED);
	nest->pid = 0;
	atomic_store(&board->slot[slot].pid, 0);
	if (!retired) {
		atomic_fetch_add(&board->deaths, 1);
		log_line(LOG_WARN, "sniffer died", "slot=%u pid=%d signal=%d exit=%d", slot,
		    (int)pid, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		    WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	}
	schedule(nest, retired ? QUICK_MS : clock_steady() - nest->born_at);
	tell(parent, slot);
}

static void bury_all(struct parent *parent)
{
	struct signalfd_siginfo ignored;
	int status;
	pid_t pid;
	while (read(parent->signals, &ignored, sizeof ignored) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		bury(parent, pid, status);
}

/* Children where there should be some. Returns the ms until one is due, or -1. */
static int fill_nests(struct parent *parent)
{
	int64_t now = clock_steady(), wait = -1;
	for (unsigned i = 0; i < parent->house->count; i++) {
		int64_t until = parent->nests[i].due_at - now;
		if (parent->nests[i].pid)
			continue;
		if (parent->nests[i].notice_due && !tell(parent, i))
			until = RETRY_MS;
		else if (until <= 0)
			bear(parent, i);
		if (!parent->nests[i].pid && until <= 0)
			until = DELAY_MS;
		if (until > 0 && (wait < 0 || until < wait))
			wait = until;
	}
	return (int)wait;
}

/* By our own table: whoever gives the order may have been taken over. */
static void end_child(struct parent *parent, const struct sniff_kill *order)
{
	struct nest *nest = &parent->nests[order->slot];
	if (!nest->pid ||
	    atomic_load(&parent->house->board->slot[order->slot].birth) != order->birth)
		return;
	nest->retired = order->retired;
	kill(nest->pid, SIGKILL);
}

/* False: the worker is gone. */
static bool obey(struct parent *parent)
{
	struct sniff_kill order;
	ssize_t got = recv(parent->house->control, &order, sizeof order, MSG_DONTWAIT);
	if (got == sizeof order && order.slot < parent->house->count)
		end_child(parent, &order);
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static _Noreturn void end(struct parent *parent)
{
	for (unsigned i = 0; i < parent->house->count; i++)
		if (parent->nests[i].pid)
			kill(parent->nests[i].pid, SIGKILL);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	_exit(0);
}

void sniffer_ignore_signals(void)
{
	static const int others[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		signal(others[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

/*
 * We go when the worker goes, which end of file tells even where PDEATHSIG does not (a jailed
 * worker may not signal processes outside its landlock domain, nor may its ghost).
 */
static bool settle_in(struct parent *parent)
{
	sigset_t children;
	sniffer_ignore_signals();
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	prctl(PR_SET_NAME, "waybill-sniffer");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    sigprocmask(SIG_SETMASK, &children, NULL) < 0)
		return false;
	parent->signals = signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC);
	return parent->signals >= 0;
}

static const char *load_magic(struct parent *parent)
{
	parent->magic = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS);
	if (!parent->magic)
		return "libmagic: out of memory";
	size_t most = HEAD_BYTES;
	if (magic_load(parent->magic, NULL) == 0 &&
	    magic_setparam(parent->magic, MAGIC_PARAM_BYTES_MAX, &most) == 0)
		return NULL;
	const char *error = magic_error(parent->magic);
	return error ? error : "libmagic: no magic database";
}

static bool is_ours(const struct sniffer_house *house, int fd)
{
	bool ours = fd == STDERR_FILENO || fd == house->control;
	for (unsigned i = 0; i < house->count && !ours; i++)
		ours = fd == house->sockets[i] || fd == house->memories[i];
	return ours;
}

/* Ours were made one after the other, but nothing promises that they are neighbours. */
void sniffer_close_strangers(const struct sniffer_house *house)
{
	int top = house->control;
	for (unsigned i = 0; i < house->count; i++) {
		top = house->sockets[i] > top ? house->sockets[i] : top;
		top = house->memories[i] > top ? house->memories[i] : top;
	}
	for (int fd = 0; fd <= top; fd++)
		if (!is_ours(house, fd))
			close(fd);
	close_range(top + 1, ~0U, 0);
}

void sniffer_tend(struct sniffer_house *house)
{
	struct parent parent = {.house = house, .pid = getpid()};
	const char *problem = settle_in(&parent) ? load_magic(&parent) : strerror(errno);
	if (problem) {
		struct sniff_answer failed = message(SNIFF_FAILED, 0, problem);
		send(house->sockets[0], &failed, sizeof failed, MSG_NOSIGNAL);
		_exit(1);
	}
	for (;;) {
		int wait = fill_nests(&parent);
		struct pollfd polls[2] = {{.fd = parent.signals, .events = POLLIN},
		    {.fd = house->control, .events = POLLIN}};
		if (poll(polls, 2, wait) < 0 && errno != EINTR)
			end(&parent);
		if (polls[1].revents && !obey(&parent))
			end(&parent);
		if (polls[0].revents)
			bury_all(&parent);
	}
}
