/*
 * resume.h: what the two protocols of resumable uploads share.
 *
 *     resumable.c  the endpoints        resume.c  the pour, what every answer tells
 *     tus.c     tus 1.0.0          ietf.c  draft-ietf-httpbis-resumable-upload-12
 */
#ifndef WAYBILL_ROUTES_RESUME_H
#define WAYBILL_ROUTES_RESUME_H

#include "body/resume.h"
#include "keep/upload.h"
#include "routes/routes.h"

enum fault tus_create(struct call *c);
enum fault tus_append(struct call *c, struct span id);
/* `all`: else no more than how far it is. */
void tus_tell_state(struct call *c, const struct resumable *row, bool all);

enum fault ietf_create(struct call *c);
enum fault ietf_append(struct call *c, struct span id);
void ietf_tell_state(struct call *c, const struct resumable *row, bool all);

/* What both append to: found, settled enough to be judged. 404 for what is no id. The row's owner
 * pays, whoever sends. */
enum fault resume_find(struct call *c, struct span id, bool settle, struct resumable *row);
/*
 * Pour the body into c->upload. A body that breaks off leaves what came recorded, unless a digest
 * was promised for it, or it would look complete to a tus client. Nothing is recorded where it ends
 * well: that is for the caller, who pauses or finishes.
 */
enum fault resume_pour(struct call *c);
/* Upload-Limit as of now. */
void resume_tell_limits(struct call *c, const struct resumable *row);
/* The same, as text. */
enum { LIMITS_ROOM = 80 };
void resume_limits_text(
    const struct call *c, const struct resumable *row, char text[LIMITS_ROOM]);
void resume_tell_offset(struct call *c, int64_t offset);
/* Location of the upload resource; INTERNAL: no room. */
enum fault resume_tell_location(struct call *c, const char *id);
void resume_tell_file(struct call *c, const char *id);
/* An unfinished upload is known to who knows its address; a finished one is a file, and more than
 * offset, length and completion is told of it only to who may see that. */
bool resume_may_see(struct call *c, const struct resumable *row);
/* This upload was never heard of by its client: it goes. Returns `fault`. */
enum fault resume_forget(struct call *c, enum fault fault);

#endif
