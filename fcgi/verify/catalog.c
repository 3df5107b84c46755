/*
 * catalog.c: the catalog by itself.
 */
#include "shared/log.h"
#include "verify/inside.h"

#include <stdlib.h>
#include <string.h>

static void tell_damage(void *self, struct span what, struct span whose)
{
	char text[512];

	verify_tell(self, NULL, "catalog problem=%s", log_value(what, text, sizeof text));
}

static void tell_row(void *self, struct span what, struct span whose)
{
	struct verifying *v = self;
	char who[512];

	verify_tell(v, v->repair ? "yes" : NULL, "%.*s of=%s", (int)what.len, what.at,
	    log_value(whose, who, sizeof who));
}

static enum fault check_all(struct verifying *v, bool *usable, struct refusal *why)
{
	struct catalog *catalog = v->keep->catalog;
	bool mended;

	if (catalog_check_file(catalog, v->repair, tell_damage, v, usable, &mended))
		verify_tell(v, NULL,
		    "catalog problem=\"waybill.db cannot be read; see waybill restore, or move it "
		    "away and see verify --adopt\"");
	if (mended)
		v->result->repaired = v->result->findings;
	v->indexes = v->result->findings;
	return *usable ? catalog_check_rows(catalog, tell_row, v, why) : FAULT_NONE;
}

/* A finding may be printed into a pipe that nobody reads, and an open reader keeps the WAL from
 * beginning anew: so it is told when that is over. */
enum fault verify_catalog(struct verifying *v, bool *usable, struct refusal *why)
{
	char *text = NULL, *rest, *line;
	size_t len = 0;

	v->held = open_memstream(&text, &len);
	if (v->held == NULL)
		return refuse(why, FAULT_INTERNAL, "Out of memory.");
	enum fault f = check_all(v, usable, why);
	bool whole = fclose(v->held) == 0;
	v->held = NULL;
	for (rest = text; whole && (line = strsep(&rest, "\n")) != NULL && *line != '\0';)
		inspector_tell(v->inspector, line);
	free(text);
	if (!whole)
		return refuse(why, FAULT_INTERNAL, "Out of memory.");
	if (!f && v->repair && v->result->findings > v->indexes)
		f = catalog_mend(v->keep->catalog, why);
	return f;
}
