/*
 * health.c: is all well? For load balancers and people.
 *
 * Alive and ready are two questions. Where uploads are refused (a full disk, say) but what is there
 * can be read, a load balancer that takes the worker out would take the downloads with it: so it is
 * alive, and says what is wrong. `?ready` asks whether uploads can be kept.
 */
#include "routes/routes.h"

/* What /metrics would tell, for those who may see it. */
static enum fault tell(struct call *c, int status, const char *state, const struct health *h)
{
	const struct fact facts[] = {
	    {.name = "files", .figure = h->files},
	    {.name = "bytes", .figure = h->bytes},
	    {.name = "reserved_bytes", .figure = h->reserved},
	    {.name = "free_bytes", .figure = h->free_bytes},
	    {.name = "sniffers", .figure = h->sniffers},
	    {.name = "sandbox", .text = c->service->jail},
	    {.name = "version", .text = WAYBILL_VERSION},
	};
	bool may_watch = !rules_may_watch(&c->caller, &c->request, NULL);

	return reply_health(&c->reply, status, state, h->ok ? NULL : h->reason, facts,
	    may_watch ? sizeof facts / sizeof *facts : 0);
}

enum fault health_show(struct call *c)
{
	struct health h;
	struct span ready;
	enum fault f = request_parameter(&c->request, "ready", &c->scratch, &ready, &c->why);

	if (f)
		return f;
	keep_health(c->service->keep, &h);
	if (!h.readable)
		return tell(c, 503, "failing", &h);
	if (!h.ok)
		return tell(c, ready.at ? 503 : 200, "degraded", &h);
	return tell(c, 200, "ok", &h);
}
