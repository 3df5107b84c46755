/* sandbox_test.c: both jails let through what is needed and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "in_child.h"
#include "shared/sandbox.h"

/* ---- the sniffer's --------------------------------------------------------------------------- */

static int wire[2];

static void enter_sniffer(void)
{
	char problem[256];
	CHECK(pipe(wire) == 0);
	CHECK(sandbox_sniffer(problem, sizeof problem));
}

static void sniffer_works(void)
{
	char byte = 0;
	enter_sniffer();
	CHECK(write(wire[1], "x", 1) == 1 && read(wire[0], &byte, 1) == 1 && byte == 'x');
	for (size_t size = 16; size < 64 << 20; size *= 4) {
		char *a = malloc(size);
		CHECK(a);
		memset(a, 1, size);
		a = realloc(a, size * 2);
		CHECK(a && a[size - 1] == 1);
		free(a);
	}
}

static void sniffer_memory_ends(void)
{
	enter_sniffer();
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	CHECK(malloc(SANDBOX_SNIFFER_BYTES) == NULL);
#endif
}

static void sniffer_opens(void)
{
	enter_sniffer();
	syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static void sniffer_maps_code(void)
{
	enter_sniffer();
	syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void sniffer_maps_a_file(void)
{
	enter_sniffer();
	syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, wire[0], 0);
}

static void sniffer_protects_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	enter_sniffer();
	syscall(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC);
}

static void sniffer_forks(void)
{
	enter_sniffer();
	syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void sniffer_executes(void)
{
	enter_sniffer();
	syscall(SYS_execve, "/bin/true", NULL, NULL);
}

static void sniffer_connects(void)
{
	enter_sniffer();
	syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void sniffer_signals(void)
{
	enter_sniffer();
	syscall(SYS_kill, 1, 0);
}

static void sniffer_jail(void **state)
{
	assert_fine(sniffer_works);
	assert_fine(sniffer_memory_ends);
	assert_killed(sniffer_opens);
	assert_killed(sniffer_maps_code);
	assert_killed(sniffer_maps_a_file);
	assert_killed(sniffer_protects_code);
	assert_killed(sniffer_forks);
	assert_killed(sniffer_executes);
	assert_killed(sniffer_connects);
	assert_killed(sniffer_signals);
}

/* ---- the worker's ---------------------------------------------------------------------------- */

static char top[64], database[128], data[96], spool[96], out_there[96], notes[96];

static void touch(const char *dir, const char *name)
{
	char path[160];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT, 0640);
	assert_true(fd >= 0 && write(fd, "hello", 5) == 5);
	close(fd);
}

static int make_dirs(void **state)
{
	char sub[160];
	snprintf(top, sizeof top, "/tmp/sandbox-test-XXXXXX");
	assert_non_null(mkdtemp(top));
	snprintf(data, sizeof data, "%s/data", top);
	snprintf(spool, sizeof spool, "%s/spool", top);
	snprintf(out_there, sizeof out_there, "%s/outside", top);
	snprintf(notes, sizeof notes, "%s/outside/notes", top);
	snprintf(database, sizeof database, "%s/waybill.db", data);
	mkdir(data, 0750);
	mkdir(spool, 0750);
	mkdir(out_there, 0750);
	snprintf(sub, sizeof sub, "%s/objects", data);
	mkdir(sub, 0750);
	snprintf(sub, sizeof sub, "%s/partial", data);
	mkdir(sub, 0750);
	touch(out_there, "notes");
	touch(out_there, "secret");
	touch(spool, "body");
	return chdir(data);
}

static int drop_dirs(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "cd / && rm -rf '%s'", top);
	return system(command);
}

static struct sandbox_state jail;

static void enter_worker(void)
{
	const char *writable[] = {data, spool, NULL};
	const char *readable[] = {notes, "/no/such/file", NULL};
	char problem[256], said[4096] = "";
	int status = open("/proc/self/status", O_RDONLY);
	CHECK(sandbox_worker(writable, readable, false, &jail, problem, sizeof problem));
	CHECK(read(status, said, sizeof said - 1) > 0 && close(status) == 0);
	CHECK(jail.no_new_privs && strstr(said, "NoNewPrivs:\t1\n"));
	CHECK(jail.seccomp && strstr(said, "Seccomp:\t2\n"));
	CHECK((jail.landlock_abi > 1) == (problem[0] == '\0'));
	CHECK(strstr(jail.text, "seccomp=on") && strstr(jail.text, "landlock="));
}

static void link_unnamed(const char *made_in, const char *linked_to)
{
	char fd_path[64];
	int fd = open(made_in, O_TMPFILE | O_RDWR | O_CLOEXEC, 0640);
	CHECK(fd >= 0 && write(fd, "bytes", 5) == 5);
	CHECK(posix_fallocate(fd, 0, 65536) == 0 && ftruncate(fd, 5) == 0 && fdatasync(fd) == 0);
	snprintf(fd_path, sizeof fd_path, "/proc/self/fd/%d", fd);
	CHECK(linkat(AT_FDCWD, fd_path, AT_FDCWD, linked_to, AT_SYMLINK_FOLLOW) == 0);
	CHECK(close(fd) == 0);
}

static void worker_files(void)
{
	char path[160];
	struct stat st;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1};
	int fd;
	enter_worker();
	link_unnamed("objects", "objects/a");
	link_unnamed("partial", "objects/b");
	CHECK(renameat(AT_FDCWD, "objects/b", AT_FDCWD, "partial/b") == 0 &&
	      linkat(AT_FDCWD, "partial/b", AT_FDCWD, "objects/c", 0) == 0);
	fd = open("objects/c", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, 2) == 0 && stat("partial/b", &st) == 0 && st.st_size == 2);
	snprintf(path, sizeof path, "%s/body", spool);
	CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "objects/body", 0) == 0 && unlink(path) == 0);
	fd = open("partial/b", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) == 0);
	int dir = open("objects", O_RDONLY | O_DIRECTORY);
	CHECK(dir >= 0 && fsync(dir) == 0);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
}

static void worker_outside_files(void)
{
	char secret[160], made[160];
	snprintf(secret, sizeof secret, "%s/secret", out_there);
	snprintf(made, sizeof made, "%s/made", out_there);
	char bytes[5];
	int open_before = open(secret, O_RDWR);
	enter_worker();
	CHECK(read(open_before, bytes, 5) == 5);
	CHECK(open(notes, O_RDONLY) >= 0);
	if (!jail.landlock_abi)
		return;
	CHECK_DENIED(open(notes, O_WRONLY), EACCES);
	CHECK_DENIED(open(secret, O_RDONLY), EACCES);
	CHECK_DENIED(open(made, O_WRONLY | O_CREAT, 0640), EACCES);
	CHECK_DENIED(unlink(secret), EACCES);
	CHECK_DENIED(open("/etc/passwd", O_RDONLY), EACCES);
	CHECK_DENIED(open("/proc/self/mem", O_RDWR), EACCES);
	CHECK_DENIED(symlink("/etc/passwd", "objects/link"), ENOSYS);
	CHECK(linkat(AT_FDCWD, secret, AT_FDCWD, "objects/secret", 0) == -1);
}

static void worker_calls(void)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};
	int open_before = socket(AF_UNIX, SOCK_STREAM, 0);
	enter_worker();
	CHECK_DENIED(socket(AF_INET, SOCK_STREAM, 0), ENOSYS);
	CHECK_DENIED(socket(AF_UNIX, SOCK_STREAM, 0), ENOSYS);
	CHECK_DENIED(connect(open_before, (void *)&where, sizeof where), ENOSYS);
	CHECK_DENIED(bind(open_before, (void *)&where, sizeof where), ENOSYS);
	CHECK_DENIED(unshare(CLONE_NEWUSER), ENOSYS);
	CHECK_DENIED(unshare(CLONE_NEWNET), ENOSYS);
	CHECK_DENIED(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), ENOSYS);
	CHECK_DENIED(syscall(SYS_setuid, 0), ENOSYS);
	CHECK_DENIED(syscall(SYS_setresgid, 0, 0, 0), ENOSYS);
	CHECK_DENIED(chroot("/"), ENOSYS);
	CHECK_DENIED(chmod("objects", 0777), ENOSYS);
	CHECK_DENIED(chown("objects", 0, 0), ENOSYS);
	CHECK_DENIED(utimensat(AT_FDCWD, "objects", NULL, 0), ENOSYS);
	CHECK_DENIED(syscall(SYS_setxattr, "objects", "user.x", "y", 1, 0), ENOSYS);
	CHECK_DENIED(truncate("objects/a", 0), ENOSYS);
	CHECK_DENIED(syscall(SYS_shmget, 1, 4096, 0600), ENOSYS);
	CHECK_DENIED(syscall(SYS_bpf, 0, NULL, 0), ENOSYS);
	CHECK_DENIED(syscall(SYS_keyctl, 0, 0, 0, 0, 0), ENOSYS);
	CHECK_DENIED(syscall(SYS_io_uring_setup, 1, NULL), ENOSYS);
	CHECK_DENIED(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0), ENOSYS);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	CHECK_DENIED(fork(), ENOSYS);
	CHECK_DENIED(syscall(SYS_clone, CLONE_THREAD | CLONE_NEWNET, 0, 0, 0, 0), ENOSYS);
	CHECK_DENIED(kill(getpid(), 0), ENOSYS);
	CHECK_DENIED(syscall(SYS_tgkill, getppid(), getppid(), 0), ENOSYS);
	CHECK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0) == 0);
	CHECK_DENIED(ioctl(0, TIOCSTI, "x"), ENOSYS);
	CHECK_DENIED(syscall(SYS_prlimit64, getppid(), RLIMIT_CPU, NULL, NULL), ENOSYS);
	CHECK_DENIED(setpriority(PRIO_PROCESS, (id_t)getppid(), 19), ENOSYS);
	CHECK_DENIED(prctl(PR_SET_DUMPABLE, 1), ENOSYS);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK_DENIED(ptrace(PTRACE_ATTACH, getppid(), 0, 0), ENOSYS);
#endif
}

static void worker_executes(void)
{
	char *argv[] = {"true", NULL};
	enter_worker();
	execve("/bin/true", argv, NULL);
}

static void worker_accepts(void)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX, .sun_path = "objects/socket"};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	char byte;
	CHECK(bind(listener, (void *)&where, sizeof where) == 0 && listen(listener, 5) == 0);
	CHECK(connect(client, (void *)&where, sizeof where) == 0 && write(client, "x", 1) == 1);
	enter_worker();
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(fd >= 0 && recv(fd, &byte, 1, 0) == 1 && send(fd, "y", 1, MSG_NOSIGNAL) == 1);
	CHECK(shutdown(fd, SHUT_RDWR) == 0 && getrandom(&byte, 1, 0) == 1);
}

static void *insert_rows(void *self)
{
	sqlite3 *db = NULL;
	char *text = malloc(1 << 20);
	intptr_t bad = !text || sqlite3_open(database, &db) != SQLITE_OK;
	sqlite3_busy_timeout(db, 10000);
	for (int i = 0; i < 20 && !bad; i++)
		bad = sqlite3_exec(db, "INSERT INTO t VALUES (randomblob(5000))", NULL, NULL, NULL);
	bad = bad || sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
	sqlite3_close(db);
	free(text);
	return (void *)bad;
}

/* Threads are jailed like the one that starts them, and SQLite does all it does from within. */
static void worker_threads_and_sqlite(void)
{
	pthread_t threads[4];
	sqlite3 *db;
	enter_worker();
	CHECK(sqlite3_open(database, &db) == SQLITE_OK);
	CHECK(
	    sqlite3_exec(db, "PRAGMA journal_mode=WAL; CREATE TABLE t (x)", 0, 0, 0) == SQLITE_OK);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, insert_rows, NULL) == 0);
	for (int i = 0; i < 4; i++) {
		void *bad = threads;
		CHECK(pthread_join(threads[i], &bad) == 0 && !bad);
	}
	CHECK(sqlite3_close(db) == SQLITE_OK);
}

static pthread_barrier_t jailed;

static void *executes(void *self)
{
	char *argv[] = {"true", NULL};
	pthread_barrier_wait(&jailed);
	execve("/bin/true", argv, NULL);
	return NULL;
}

/* A thread from before has the filter, too (TSYNC). */
static void worker_in_a_thread_executes(void)
{
	pthread_t thread;
	pthread_barrier_init(&jailed, NULL, 2);
	CHECK(pthread_create(&thread, NULL, executes, NULL) == 0);
	enter_worker();
	pthread_barrier_wait(&jailed);
	pthread_join(thread, NULL);
}

static void worker_without_its_directory(void)
{
	const char *writable[] = {"/no/such/directory", NULL};
	char problem[256];
	CHECK(!sandbox_worker(writable, NULL, false, &jail, problem, sizeof problem));
	CHECK(strstr(problem, "/no/such/directory: No such file"));
}

static void worker_jail(void **state)
{
	assert_fine(worker_files);
	assert_fine(worker_outside_files);
	assert_fine(worker_calls);
	assert_fine(worker_accepts);
	assert_fine(worker_threads_and_sqlite);
	assert_fine(worker_without_its_directory);
	assert_killed(worker_executes);
	assert_killed(worker_in_a_thread_executes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sniffer_jail),
	    cmocka_unit_test_setup_teardown(worker_jail, make_dirs, drop_dirs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
