/* house.c: serve, gc, config: the house and its keeping. */
#include "cli/inside.h"

#include <inttypes.h>

int cli_gc(struct options *o)
{
	struct store store;
	struct swept swept = {0};
	struct refusal why;
	int status = store_open(&store, o, KEEP_READ | KEEP_WRITE);

	if (status != DONE)
		return status;
	refusal_clear(&why);
	if (keep_sweep(store.keep, &swept, &why) != FAULT_NONE)
		status = complain("%s", refusal_detail(&why));
	else
		printf("dropped %" PRId64 " expired files, %" PRId64 " unfinished uploads, %" PRId64
		       " orphans: %" PRId64 " bytes\n",
		    swept.files, swept.partials, swept.orphans, swept.bytes);
	return store_close(&store, status);
}

int cli_config(struct options *o)
{
	char problem[512];

	if (config_print(o->config_path, stdout, problem, sizeof problem))
		return DONE;
	complain("%s", problem);
	return USAGE;
}

int cli_serve(struct options *o)
{
	return serve_forever(o->config_path, o->listen, -1);
}

int cli_verify(struct options *o)
{
	return complain("verify is not built yet");
}
