/*
 * sandbox.h: libseccomp's only door, and landlock's: the two jails of waybill.
 *
 *     sniffer   libmagic's children: no files, no memory that can be executed, an allow list of a
 *               dozen system calls; the kernel kills what asks for more
 *     worker    the process that serves: no new programs, no files but those listed, no sockets of
 *               its own; an allow list of some seventy system calls
 *
 * Both set no_new_privs and cannot be undone.
 */
#ifndef WAYBILL_SANDBOX_H
#define WAYBILL_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* A sanitizer's shadow memory is terabytes of address space, its leak check clones and traces, and
 * its runtime has system calls of its own: such builds have a wider jail. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

/*
 * Jail a single-threaded child that has opened and loaded all it will ever need. Afterwards: read,
 * write, seek and fstat (by that very system call: glibc's newfstatat would take any path) on
 * descriptors already open, anonymous memory (512 MiB of address space in all),
 * _exit; any other system call ends the process with SIGSYS, and so does SANDBOX_SNIFFER_CPU
 * seconds of CPU with SIGXCPU or SIGKILL.
 * False: the jail could not be shut, *problem says why; the child must not go on.
 */
enum { SANDBOX_SNIFFER_CPU = 300, SANDBOX_SNIFFER_BYTES = 512 << 20 };
bool sandbox_sniffer(char *problem, size_t room);

/* What is in force in this process: for the log and /healthz. */
struct sandbox_state {
	bool no_new_privs;
	int landlock_abi; /* the kernel's landlock ABI, 2 ...; 0: landlock is not in force */
	bool seccomp;
	char text[96]; /* the same as one line: "no_new_privs=on landlock=7 seccomp=on" */
};

/*
 * Jail the worker. Call it when all is open, BEFORE any thread is started: landlock holds for the
 * calling thread and those it starts (seccomp is set for all threads at once). No descriptor that
 * is open loses a right by it; descriptors opened later do.
 *
 * writable: directories (absolute, NULL-terminated) below which files may be read, written, made,
 * linked, renamed and removed, between any two of them; each must exist. readable: files or
 * directories that may be read; one that does not exist is passed over. Either may be NULL.
 *
 * Refused with ENOSYS: what is not on the list, such as sockets of its own (socket, connect, bind),
 * fork, signals to other processes, ioctl, namespaces, ptrace, chmod and truncate by path; and memory
 * that can be executed. Fatal (SIGSYS): execve. Threads must end by returning: pthread_exit() and
 * cancellation would load libgcc_s from outside. No core is dumped, and no other process of the same
 * user can look into this one.
 *
 * True: *state says what is in force; what this kernel lacks (landlock before ABI 2, seccomp) is
 * named in *problem, empty when all is there. With `strict` anything missing is a failure. False:
 * *problem (at least 256 bytes) says what failed; parts of the jail may be shut: end the process.
 */
bool sandbox_worker(const char *const writable[], const char *const readable[], bool strict,
    struct sandbox_state *state, char *problem, size_t room);

/* The kernel's landlock ABI; 0: it has none. */
int sandbox_landlock_abi(void);

#endif
