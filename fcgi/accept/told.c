/*
 * told.c: what the server in front tells of itself, held against the settings.
 *
 * Two configurations have to agree, and whoever edits one does not see the other. So the server's
 * files announce what they do, and a contradiction is logged: once for each process and kind, since
 * each request would repeat it. No client can announce anything: its headers arrive as HTTP_*.
 */
#include <stdatomic.h>

#include "accept/accept.h"
#include "shared/log.h"

enum { SHOWN = 512 };

int told_streamed(const struct request *request)
{
	struct span said = request->header[HEADER_TOLD_STREAMED];

	if (span_is(said, "yes"))
		return 1;
	return span_is(said, "no") ? 0 : -1;
}

/* ---- downloads ------------------------------------------------------------------------------- */

enum { TOLD_NOTHING = -1, TOLD_STRANGE = -2 };

static const char *const ways[] = {[SENDFILE_AUTO] = "auto",
    [SENDFILE_NONE] = "none",
    [SENDFILE_X_SENDFILE] = "x-sendfile",
    [SENDFILE_X_ACCEL] = "x-accel-redirect"};

static int announced(struct span said)
{
	if (said.len == 0)
		return TOLD_NOTHING;
	for (int way = SENDFILE_NONE; way <= SENDFILE_X_ACCEL; way++)
		if (span_is(said, ways[way]))
			return way;
	return TOLD_STRANGE;
}

static void disagree_sendfile(struct span said, int own)
{
	static atomic_flag logged = ATOMIC_FLAG_INIT;
	char shown[SHOWN];

	if (!atomic_flag_test_and_set(&logged))
		log_line(LOG_WARN, "the web server and sendfile disagree",
		    "server=%s sendfile=%s hint=\"waybill sends downloads itself; let sendfile be "
		    "auto, or make the server's file anew with fill.sh SENDFILE=yes\"",
		    log_value(said, shown, sizeof shown), ways[own]);
}

/* Does the server look for objects where they are? Not told: nothing speaks against it. */
static bool same_objects(const struct request *request, const struct config *config)
{
	static atomic_flag logged = ATOMIC_FLAG_INIT;
	struct span said = span_without_slashes(request->header[HEADER_TOLD_OBJECTS], 1), rest = said;
	char shown[SHOWN], ours[SHOWN];

	if (said.len == 0 || (span_skip(&rest, span_of(config->data_dir)) && span_is(rest, "/objects")))
		return true;
	if (!atomic_flag_test_and_set(&logged))
		log_line(LOG_WARN, "the web server and data_dir disagree",
		    "server=%s data_dir=%s hint=\"waybill sends downloads itself; make the "
		    "server's file anew with fill.sh DATA=, the directory that data_dir names\"",
		    log_value(said, shown, sizeof shown),
		    log_value(span_of(config->data_dir), ours, sizeof ours));
	return false;
}

int told_sendfile(const struct request *request, const struct config *config)
{
	struct span said = request->header[HEADER_TOLD_SENDFILE];
	int told = announced(said), own = config->sendfile;

	if (own == SENDFILE_NONE)
		return SENDFILE_NONE;
	if (told == TOLD_NOTHING)
		told = own == SENDFILE_AUTO ? SENDFILE_NONE : own;
	if (told == TOLD_STRANGE || (own != SENDFILE_AUTO && own != told)) {
		disagree_sendfile(said, own);
		return SENDFILE_NONE;
	}
	return told == SENDFILE_NONE || same_objects(request, config) ? told : SENDFILE_NONE;
}

/* ---- uploads --------------------------------------------------------------------------------- */

int64_t told_max_bytes(const struct request *request, const struct config *config)
{
	static atomic_flag logged = ATOMIC_FLAG_INIT;
	struct span said = request->header[HEADER_TOLD_BODY_LIMIT];
	int64_t limit;

	if (!text_number(said, &limit) || limit == 0 || limit >= config->max_bytes)
		return config->max_bytes;
	if (!atomic_flag_test_and_set(&logged))
		log_line(LOG_WARN, "the web server takes less than max_bytes",
		    "server=%lld max_bytes=%lld hint=\"larger bodies end in the server's own 413; make its "
		    "file anew with fill.sh LIMIT=, or lower max_bytes\"",
		    (long long)limit, (long long)config->max_bytes);
	return limit;
}

void told_body_file(void)
{
	static atomic_flag logged = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&logged))
		log_line(LOG_WARN, "the web server hands bodies over as files",
		    "hint=\"set body_file_dir to the directory it writes them to "
		    "(client_body_temp_path); until then those uploads fail\"");
}

/* ---- the mount point ------------------------------------------------------------------------- */

struct span told_base(struct exchange *x, const struct config *config)
{
	static atomic_flag logged = ATOMIC_FLAG_INIT;
	struct span said = span_without_slashes(span_trim(span_of(x->env(x, "WAYBILL_BASE"))), 0);
	char shown[SHOWN], ours[SHOWN];

	if (said.at && config->base[0] && !span_is(said, config->base) &&
	    !atomic_flag_test_and_set(&logged))
		log_line(LOG_WARN, "the web server and base disagree",
		    "server=%s base=%s hint=\"the server's WAYBILL_BASE counts; take base out of "
		    "the settings\"",
		    log_value(said, shown, sizeof shown),
		    log_value(span_of(config->base), ours, sizeof ours));
	return said;
}
