/* in_child.h: what cannot be undone, a jail for one, is tried in a process of its own. */
#ifndef WAYBILL_TESTS_IN_CHILD_H
#define WAYBILL_TESTS_IN_CHILD_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child, where cmocka's assertions would unwind into the parent's life. */
#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(                                                                   \
			    stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #x, strerror(errno));   \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)
#define CHECK_DENIED(call, err) CHECK((call) == -1 && errno == (err))

static int in_child(void (*body)(void))
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#define assert_fine(body) assert_int_equal(in_child(body), 0)
#define assert_killed(body)                                                                        \
	do {                                                                                       \
		int s_ = in_child(body);                                                           \
		assert_true(WIFSIGNALED(s_));                                                      \
		assert_int_equal(WTERMSIG(s_), SIGSYS);                                            \
	} while (0)

#endif
