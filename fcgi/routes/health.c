/* health.c: is all well? For load balancers and people. */
#include "routes/routes.h"

enum fault health_show(struct call *c)
{
	struct health h;

	keep_health(c->service->keep, &h);
	const struct fact facts[] = {
	    {.name = "files", .figure = h.files},
	    {.name = "bytes", .figure = h.bytes},
	    {.name = "reserved_bytes", .figure = h.reserved},
	    {.name = "free_bytes", .figure = h.free_bytes},
	    {.name = "sniffers", .figure = h.sniffers},
	    {.name = "sandbox", .text = c->service->jail},
	    {.name = "version", .text = WAYBILL_VERSION},
	};
	return reply_health(&c->reply, h.ok, h.reason, facts, sizeof facts / sizeof *facts);
}
