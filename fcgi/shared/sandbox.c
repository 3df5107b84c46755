#include "shared/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __SIZEOF_LONG__ == 8
enum { MAPPING = SCMP_SYS(mmap), BY_DESCRIPTOR = SCMP_SYS(fstat), FCNTL = SCMP_SYS(fcntl) };
#else
enum { MAPPING = SCMP_SYS(mmap2), BY_DESCRIPTOR = SCMP_SYS(fstat64), FCNTL = SCMP_SYS(fcntl64) };
#endif

/* Says what failed, and returns false. */
__attribute__((format(printf, 3, 4))) static bool fail(
    char *problem, size_t room, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(problem, room, fmt, args);
	va_end(args);
	return false;
}

static bool no_new_privs(char *problem, size_t room)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		return true;
	return fail(problem, room, "no_new_privs: %s", strerror(errno));
}

/* Tokens and other people's files pass through this memory: it is no other process's to read (but
 * root's), and leaves no core on disk. */
static bool no_memory_dumps(char *problem, size_t room)
{
	struct rlimit none = {0, 0};
	if (SANDBOX_SANITIZED || (prctl(PR_SET_DUMPABLE, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0))
		return true;
	return fail(problem, room, "no core dumps: %s", strerror(errno));
}

/* ---- the sniffer's jail ---------------------------------------------------------------------- */

static bool limit(int resource, const char *name, rlim_t to, char *problem, size_t room)
{
	struct rlimit now, want = {to, to};
	if (getrlimit(resource, &now) == 0 && now.rlim_max < to)
		want.rlim_cur = want.rlim_max = now.rlim_max; /* narrower already */
	if (setrlimit(resource, &want) == 0)
		return true;
	return fail(problem, room, "%s: %s", name, strerror(errno));
}

static bool sniffer_limits(char *problem, size_t room)
{
	return (SANDBOX_SANITIZED ||
		   limit(RLIMIT_AS, "RLIMIT_AS", SANDBOX_SNIFFER_BYTES, problem, room)) &&
	       limit(RLIMIT_CPU, "RLIMIT_CPU", SANDBOX_SNIFFER_CPU, problem, room) &&
	       limit(RLIMIT_FSIZE, "RLIMIT_FSIZE", 0, problem, room) &&
	       limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", 0, problem, room) &&
	       limit(RLIMIT_CORE, "RLIMIT_CORE", 0, problem, room);
}

/* Asked for by read, write, malloc and _exit, and by libmagic on a descriptor. A futex needs no
 * thread: glibc takes one under a lock it finds contended, which a signal could leave behind. */
static int sniffer_rules(scmp_filter_ctx filter)
{
	static const int free_calls[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(exit_group),
	    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
	    SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(lseek), SCMP_SYS(_llseek),
	    SCMP_SYS(pread64), BY_DESCRIPTOR};
	static const int sanitizers[] = {SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigprocmask),
	    SCMP_SYS(sched_yield), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(getpid),
	    SCMP_SYS(gettid), SCMP_SYS(newfstatat)};
	int r = 0;
	for (size_t i = 0; i < sizeof free_calls / sizeof *free_calls && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, free_calls[i], 0);
	for (size_t i = 0;
	     SANDBOX_SANITIZED && i < sizeof sanitizers / sizeof *sanitizers && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, sanitizers[i], 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, MAPPING, 2,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
		    SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return r;
}

bool sandbox_sniffer(char *problem, size_t room)
{
	if (!no_new_privs(problem, room) || !sniffer_limits(problem, room))
		return false;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = filter ? 0 : -ENOMEM;
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = sniffer_rules(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r == 0 || fail(problem, room, "seccomp: %s", strerror(-r));
}

/* ---- the worker's jail: files ---------------------------------------------------------------- */

/* Debian 12's landlock.h knows ABI 2; the kernel may know more. Each ABI's own bits, from
 * Documentation/userspace-api/landlock.rst. */
enum {
	RIGHTS_ABI_2 = (LANDLOCK_ACCESS_FS_REFER << 1) - 1,
	RIGHT_TRUNCATE = 1 << 14,  /* ABI 3 */
	RIGHT_IOCTL_DEV = 1 << 15, /* ABI 5 */
	NET_TCP = 3,		   /* ABI 4: bind, connect */
	SCOPE_ALL = 3,		   /* ABI 6: abstract sockets, signals */
	MAY_READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	MAY_WRITE = MAY_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
		    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
		    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER | RIGHT_TRUNCATE,
	FOR_FILES = LANDLOCK_ACCESS_FS_READ_FILE
};

/* struct landlock_ruleset_attr as of ABI 6; older kernels accept zeros behind what they know. */
struct ruleset {
	uint64_t fs, net, scoped;
};

static struct ruleset rules_of(int abi)
{
	struct ruleset rules = {.fs = RIGHTS_ABI_2};
	rules.fs |= abi >= 3 ? RIGHT_TRUNCATE : 0;
	rules.fs |= abi >= 5 ? RIGHT_IOCTL_DEV : 0;
	rules.net = abi >= 4 ? NET_TCP : 0;
	rules.scoped = abi >= 6 ? SCOPE_ALL : 0;
	return rules;
}

/* Open one path to `rights` of those that are handled. */
static bool allow_path(
    int ruleset, const char *path, uint64_t rights, bool must_exist, char *problem, size_t room)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights};
	struct stat st;
	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0 && errno == ENOENT && !must_exist)
		return true;
	if (rule.parent_fd < 0)
		return fail(problem, room, "%s: %s", path, strerror(errno));
	bool done = fstat(rule.parent_fd, &st) == 0;
	if (done && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FOR_FILES;
	done = done &&
	       syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	if (!done)
		fail(problem, room, "landlock rule for %s: %s", path, strerror(errno));
	close(rule.parent_fd);
	return done;
}

static bool allow_paths(int ruleset, const char *const paths[], uint64_t rights, bool must_exist,
    char *problem, size_t room)
{
	for (size_t i = 0; paths && paths[i]; i++)
		if (!allow_path(ruleset, paths[i], rights, must_exist, problem, room))
			return false;
	return true;
}

static bool shut_files(
    const char *const writable[], const char *const readable[], int abi, char *problem, size_t room)
{
	struct ruleset rules = rules_of(abi);
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
	if (ruleset < 0)
		return fail(problem, room, "landlock: %s", strerror(errno));
	bool done = allow_paths(ruleset, writable, MAY_WRITE & rules.fs, true, problem, room) &&
		    allow_paths(ruleset, readable, MAY_READ, false, problem, room);
	if (done && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		done = fail(problem, room, "landlock: %s", strerror(errno));
	close(ruleset);
	return done;
}

/* ---- the worker's jail: system calls --------------------------------------------------------- */

/*
 * All that the worker's threads may ask for, found by running the tests (make seccomp-report) and
 * held against them; what no test was seen to need, another libc, kernel or architecture asks in the
 * place of what one did. By name: what libseccomp does not know stays out.
 */
static const char *const allowed[] = {
    /* bytes of files */ "read", "write", "pread64", "pwrite64", "fsync", "fdatasync",
    "sync_file_range", "fallocate", "ftruncate", "copy_file_range", "lseek", "close",
    /* files and directories */ "openat", "openat2", "fstat", "newfstatat", "statx", "fstatfs",
    "faccessat", "faccessat2", "getdents64", "linkat", "unlink", "unlinkat", "renameat", "renameat2",
    "readlinkat", "fchmod", "fchown",
    /* connections */ "accept", "accept4", "recvfrom", "writev", "shutdown", "poll", "ppoll",
    "epoll_ctl", "epoll_wait", "epoll_pwait",
    /* memory */ "brk", "munmap", "mremap", "madvise",
    /* threads */ "futex", "set_robust_list", "rseq", "sched_yield", "exit", "exit_group", "wait4",
    "getpid", "gettid", "geteuid", "getrandom",
    /* signals */ "rt_sigaction", "rt_sigprocmask", "rt_sigtimedwait", "rt_sigreturn",
    "restart_syscall",
    /* time, where the vDSO does not tell it */ "clock_gettime", "clock_nanosleep", "gettimeofday"};

/* The same where a long has 32 bits, and offsets and times 64. */
static const char *const allowed_32[] = {"_llseek", "ftruncate64", "fstat64", "fstatat64",
    "fstatfs64", "sync_file_range2", "arm_sync_file_range", "fchown32", "geteuid32", "recv", "waitpid", "sigreturn", "futex_time64", "ppoll_time64",
    "rt_sigtimedwait_time64", "clock_gettime64", "clock_nanosleep_time64"};

/* A sanitizer's runtime looks around itself, and stops all other threads to look for leaks. */
static const char *const sanitizers[] = {"ptrace", "prctl", "sigaltstack",
    "readlink", "getppid", "getuid", "getgid", "getrlimit", "prlimit64", "kill", "tgkill", "mmap",
    "mprotect", "open", "dup", "pipe2", "getcwd", "sched_getaffinity", "nanosleep", "ioctl", "uname",
    "get_robust_list", "getdents", "personality"};

static int allow(scmp_filter_ctx filter, const char *const names[], size_t count)
{
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		int call = seccomp_syscall_resolve_name(names[i]);
		if (call != __NR_SCMP_ERROR)
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
	}
	return r;
}

/* Threads, but no processes (a sanitizer forks to look for leaks) and no namespaces. A filter cannot
 * see clone3's flags, they are in memory: glibc takes ENOSYS for an old kernel, and falls back to
 * clone. */
static int allow_clone(scmp_filter_ctx filter)
{
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	const uint64_t wanted = SANDBOX_SANITIZED ? 0 : CLONE_THREAD;

	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, wanted | namespaces, wanted));
}

/* Memory that is not code; signals to ourselves, which is what abort() sends. */
static int allow_some(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, MAPPING, 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	return r;
}

/*
 * Locks and flags. With an owner (F_SETOWN) and a signal (F_SETSIG) a descriptor kills whom it likes
 * among the user's processes, by the kernel's own hand.
 */
static int allow_fcntl(scmp_filter_ctx filter)
{
	static const int commands[] = {F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK,
	    F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW};
	int r = 0;
	for (size_t i = 0; i < sizeof commands / sizeof *commands && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, FCNTL, 1,
		    SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
	return r;
}

/*
 * To whom a socket is connected already: MSG_FASTOPEN connects one, also one that has listened. And
 * time limits for it. On i386, where all that is one call, its arguments are out of a filter's sight.
 */
static int allow_sockets(scmp_filter_ctx filter)
{
	static const char *const of_i386[] = {"send", "sendto", "setsockopt"};
	static const int options[] = {SO_RCVTIMEO, SO_SNDTIMEO};
	if (seccomp_arch_native() == SCMP_ARCH_X86)
		return allow(filter, of_i386, sizeof of_i386 / sizeof *of_i386);
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 2,
	    SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0), SCMP_A4(SCMP_CMP_EQ, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(send), 1,
		    SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
	for (size_t i = 0; i < sizeof options / sizeof *options && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
		    SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET),
		    SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)options[i]));
	return r;
}

static int worker_rules(scmp_filter_ctx filter)
{
	int r = allow(filter, allowed, sizeof allowed / sizeof *allowed);
	if (r == 0 && sizeof(long) < 8)
		r = allow(filter, allowed_32, sizeof allowed_32 / sizeof *allowed_32);
	if (r == 0)
		r = allow_fcntl(filter);
	if (r == 0)
		r = allow_sockets(filter);
	if (r == 0)
		r = allow_clone(filter);
	if (r == 0 && SANDBOX_SANITIZED)
		r = allow(filter, sanitizers, sizeof sanitizers / sizeof *sanitizers);
	if (r == 0 && !SANDBOX_SANITIZED)
		r = allow_some(filter);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execve), 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execveat), 0);
	return r;
}

/* ENOSYS for what is not allowed: a libc newer than this list then does without. */
static bool shut_calls(char *problem, size_t room)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = filter ? 0 : -ENOMEM;
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = worker_rules(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r == 0 || fail(problem, room, "seccomp: %s", strerror(-r));
}

/* EFAULT: there is a filter mode, only no filter at NULL. */
static bool seccomp_there(void)
{
	return prctl(PR_SET_SECCOMP, 2 /* SECCOMP_MODE_FILTER */, NULL, 0, 0) < 0 &&
	       errno == EFAULT;
}

static int landlock_there(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return abi < 0 ? 0 : (int)abi;
}

static void describe(struct sandbox_state *state)
{
	char landlock[16] = "off";
	if (state->landlock_abi)
		snprintf(landlock, sizeof landlock, "%d", state->landlock_abi);
	snprintf(state->text, sizeof state->text, "no_new_privs=%s landlock=%s seccomp=%s",
	    state->no_new_privs ? "on" : "off", landlock, state->seccomp ? "on" : "off");
}

bool sandbox_worker(const char *const writable[], const char *const readable[], bool strict,
    struct sandbox_state *state, char *problem, size_t room)
{
	int abi = landlock_there();
	bool filters = seccomp_there();
	*state = (struct sandbox_state){0};
	snprintf(problem, room, "%s%s%s",
	    abi > 1    ? ""
	    : abi == 1 ? "this kernel's landlock cannot allow links between directories"
		       : "this kernel has no landlock",
	    abi <= 1 && !filters ? "; " : "", filters ? "" : "this kernel has no seccomp filters");
	if (strict && problem[0])
		return false;
	if (!no_new_privs(problem, room))
		return false;
	state->no_new_privs = true;
	if (!no_memory_dumps(problem, room))
		return false;
	if (abi > 1 && !shut_files(writable, readable, abi, problem, room))
		return false;
	state->landlock_abi = abi > 1 ? abi : 0;
	if (filters && !shut_calls(problem, room))
		return false;
	state->seccomp = filters;
	describe(state);
	return true;
}

int sandbox_landlock_abi(void)
{
	return landlock_there();
}
