/* rules_test.c: who may do what, and how much. */
#include "asked.h"

/* ---- rights ---------------------------------------------------------------------------------- */

static const struct caller nobody = {0};
static const struct caller stale = {.bad_token = true, .bearer = {"x", 1}};
static const struct caller alice = {.owner = {"alice", 5}};
static const struct caller reader = {.owner = {"bob", 3}, .has_token = true, .rights = RIGHT_READ};
static const struct caller writer = {
    .owner = {"carol", 5}, .has_token = true, .rights = RIGHT_UPLOAD | RIGHT_DELETE};
static const struct caller root = {.owner = {"root", 4}, .has_token = true, .rights = RIGHT_ADMIN};

static void uploading_takes_the_right(void **state)
{
	static const struct {
		int access;
		const struct caller *caller;
		enum fault fault;
	} cases[] = {{ACCESS_OPEN, &nobody, FAULT_NONE}, {ACCESS_OPEN, &stale, FAULT_UNAUTHORIZED},
	    {ACCESS_USER, &nobody, FAULT_UNAUTHORIZED}, {ACCESS_USER, &alice, FAULT_NONE},
	    {ACCESS_USER, &reader, FAULT_NONE}, {ACCESS_TOKEN, &nobody, FAULT_UNAUTHORIZED},
	    {ACCESS_TOKEN, &stale, FAULT_UNAUTHORIZED}, {ACCESS_TOKEN, &alice, FAULT_FORBIDDEN},
	    {ACCESS_TOKEN, &reader, FAULT_FORBIDDEN}, {ACCESS_TOKEN, &writer, FAULT_NONE},
	    {ACCESS_TOKEN, &root, FAULT_NONE}, {ACCESS_OFF, &nobody, FAULT_FORBIDDEN},
	    {ACCESS_OFF, &writer, FAULT_FORBIDDEN}, {ACCESS_OFF, &stale, FAULT_FORBIDDEN}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config config = {.upload_access = cases[i].access};
		struct refusal why;
		assert_int_equal(rules_may_upload(cases[i].caller, &config, &why), cases[i].fault);
	}
}

static void files_are_seen_by_whom_they_concern(void **state)
{
	static const struct file hers = {.owner = "alice"}, nobodys = {.owner = NULL};
	static const struct {
		int access;
		const struct caller *caller;
		const struct file *file;
		enum fault fault;
	} cases[] = {{ACCESS_OPEN, &nobody, &hers, FAULT_NONE},
	    {ACCESS_OPEN, &stale, &hers, FAULT_NONE},
	    {ACCESS_OWNER, &nobody, &hers, FAULT_UNAUTHORIZED},
	    {ACCESS_OWNER, &nobody, &nobodys, FAULT_UNAUTHORIZED},
	    {ACCESS_OWNER, &alice, &hers, FAULT_NONE},
	    {ACCESS_OWNER, &reader, &hers, FAULT_NOT_FOUND},
	    {ACCESS_OWNER, &alice, &nobodys, FAULT_NOT_FOUND},
	    {ACCESS_OWNER, &root, &hers, FAULT_NONE}, {ACCESS_TOKEN, &reader, &hers, FAULT_NONE},
	    {ACCESS_TOKEN, &writer, &hers, FAULT_FORBIDDEN},
	    {ACCESS_TOKEN, &nobody, &hers, FAULT_UNAUTHORIZED},
	    {ACCESS_USER, &alice, &nobodys, FAULT_NONE},
	    {ACCESS_OFF, &alice, &hers, FAULT_FORBIDDEN}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config config = {.read_access = cases[i].access};
		struct refusal why;
		assert_int_equal(
		    rules_may_see(cases[i].caller, &config, cases[i].file, &why), cases[i].fault);
	}
}

static void files_are_deleted_by_whom_they_belong_to(void **state)
{
	static const struct file hers = {.owner = "alice"}, nobodys = {.owner = NULL};
	static const struct {
		int access;
		const struct caller *caller;
		const struct file *file;
		bool fits;
		enum fault fault;
	} cases[] = {{ACCESS_OWNER, &nobody, &nobodys, false, FAULT_UNAUTHORIZED},
	    {ACCESS_OWNER, &stale, &nobodys, true, FAULT_NONE},
	    {ACCESS_OWNER, &stale, &nobodys, false, FAULT_UNAUTHORIZED},
	    {ACCESS_OWNER, &alice, &hers, false, FAULT_NONE},
	    {ACCESS_OWNER, &alice, &nobodys, false, FAULT_NOT_FOUND},
	    {ACCESS_OWNER, &reader, &hers, false, FAULT_NOT_FOUND},
	    {ACCESS_OWNER, &writer, &hers, false, FAULT_NONE},
	    {ACCESS_OWNER, &root, &hers, false, FAULT_NONE},
	    {ACCESS_OPEN, &nobody, &hers, false, FAULT_NONE},
	    {ACCESS_TOKEN, &writer, &hers, false, FAULT_NONE},
	    {ACCESS_TOKEN, &reader, &hers, false, FAULT_FORBIDDEN},
	    {ACCESS_TOKEN, &stale, &nobodys, true, FAULT_UNAUTHORIZED},
	    {ACCESS_OFF, &alice, &hers, false, FAULT_FORBIDDEN}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config config = {.delete_access = cases[i].access};
		struct refusal why;
		assert_int_equal(
		    rules_may_delete(cases[i].caller, &config, cases[i].file, cases[i].fits, &why),
		    cases[i].fault);
	}
}

static void metrics_are_for_this_machine_or_admins(void **state)
{
	struct bench b;

	setup(&b, "GET", "/metrics");
	memory_env(&b.m, "REMOTE_ADDR", "127.0.0.1");
	parse(&b);
	assert_int_equal(rules_may_watch(&nobody, &b.request, &b.why), FAULT_NONE);
	memory_env(&b.m, "HTTP_X_FORWARDED_FOR", "192.0.2.7");
	parse(&b);
	assert_int_equal(rules_may_watch(&nobody, &b.request, &b.why), FAULT_UNAUTHORIZED);
	memory_env(&b.m, "HTTP_X_FORWARDED_FOR", NULL);
	memory_env(&b.m, "REMOTE_ADDR", NULL);
	parse(&b);
	assert_int_equal(rules_may_watch(&nobody, &b.request, &b.why), FAULT_UNAUTHORIZED);
	memory_env(&b.m, "REMOTE_ADDR", "192.0.2.7");
	parse(&b);
	assert_int_equal(rules_may_watch(&nobody, &b.request, &b.why), FAULT_UNAUTHORIZED);
	parse(&b);
	assert_int_equal(rules_may_watch(&alice, &b.request, &b.why), FAULT_FORBIDDEN);
	parse(&b);
	assert_int_equal(rules_may_watch(&root, &b.request, &b.why), FAULT_NONE);
	memory_free(&b.m);
}

static void a_grant_takes_the_smaller_limits(void **state)
{
	struct bench b;
	struct grant grant;
	struct caller caller = {.owner = {"al", 2}, .quota = 500};

	setup(&b, "POST", "/upload");
	memory_env(&b.m, "CONTENT_LENGTH", "12");
	b.config.owner_quota_bytes = 900;
	b.config.expire_after = 1000;
	parse(&b);
	rules_grant(&b.request, &caller, &b.config, 400, &grant);
	assert_int_equal(grant.length, 12);
	assert_int_equal(grant.owner_quota, 500);
	assert_int_equal(grant.lasts, 400);
	rules_grant(&b.request, &caller, &b.config, 4000, &grant);
	assert_int_equal(grant.lasts, 1000);
	b.config.expire_after = 0;
	rules_grant(&b.request, &nobody, &b.config, 0, &grant);
	assert_int_equal(grant.lasts, 0);
	assert_int_equal(grant.owner_quota, 900);
	memory_free(&b.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(uploading_takes_the_right),
	    cmocka_unit_test(files_are_seen_by_whom_they_concern),
	    cmocka_unit_test(files_are_deleted_by_whom_they_belong_to),
	    cmocka_unit_test(metrics_are_for_this_machine_or_admins),
	    cmocka_unit_test(a_grant_takes_the_smaller_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
