/* resume.c: resumable uploads. To come. */
#include "routes/routes.h"

enum fault resume_create(struct call *c)
{
	return refuse(&c->why, FAULT_NOT_FOUND, NULL);
}

enum fault resume_head(struct call *c)
{
	return refuse(&c->why, FAULT_NOT_FOUND, NULL);
}

enum fault resume_append(struct call *c)
{
	return refuse(&c->why, FAULT_NOT_FOUND, NULL);
}

enum fault resume_delete(struct call *c)
{
	return refuse(&c->why, FAULT_NOT_FOUND, NULL);
}

enum fault resume_options(struct call *c)
{
	reply_allow(&c->reply, METHOD_GET | METHOD_HEAD | METHOD_POST | METHOD_PUT | METHOD_PATCH |
		METHOD_DELETE | METHOD_OPTIONS);
	return reply_empty(&c->reply, 204);
}
