/* sniff.c: one verdict: ask a child, and trust nobody's answer. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/text.h"
#include "sniff/sniff.h"
#include "sniff/sniffer.h"

enum { STALE = 16 }; /* packets of earlier queries that are passed over */

/* ---- one verdict ----------------------------------------------------------------------------- */

enum heard { HEARD_TYPE, HEARD_DEATH, HEARD_NOTHING, HEARD_RUBBISH, HEARD_PARENT_GONE };

/* An honest child sends nothing but clean types: judge() in sniffer.c sees to it. */
static bool is_type(const struct sniff_answer *answer, char type[TYPE_BYTES + 1])
{
	size_t len = strnlen(answer->text, sizeof answer->text);
	return len <= TYPE_BYTES && text_media_type((struct span){answer->text, len}, type) &&
	       strcmp(type, answer->text) == 0;
}

/* Is child `birth` of the slot dead? The parent writes it down before it tells. */
static bool is_dead(const struct sniffers *s, const struct slot *slot, uint32_t birth)
{
	size_t i = (size_t)(slot - s->slots);
	uint32_t last = atomic_load(&s->board->slot[i].birth);

	return last > birth || (last == birth && atomic_load(&s->board->slot[i].pid) == 0);
}

/* One packet, of the right size or *heard says what is wrong. */
static bool next_packet(
    struct sniffers *s, struct slot *slot, struct sniff_answer *answer, enum heard *heard)
{
	ssize_t got = TEMP_FAILURE_RETRY(recv(slot->socket, answer, sizeof *answer, MSG_TRUNC));
	if (got == sizeof *answer)
		return true;
	*heard = HEARD_RUBBISH;
	if (got <= 0 && !sniffers_parent_alive(s)) /* a child can send an empty packet, too */
		*heard = HEARD_PARENT_GONE;
	else if (got < 0)
		*heard = HEARD_NOTHING;
	return false;
}

static enum heard hear(struct sniffers *s, struct slot *slot, char type[TYPE_BYTES + 1])
{
	int64_t deadline = clock_steady() + SNIFF_TIMEOUT_MS;
	for (int packets = 0; packets < STALE; packets++) {
		struct sniff_answer answer;
		enum heard heard;
		if (!next_packet(s, slot, &answer, &heard))
			return heard;
		if (answer.kind == SNIFF_DIED && answer.seq >= slot->asked)
			return is_dead(s, slot, answer.seq) ? HEARD_DEATH : HEARD_RUBBISH;
		if (answer.kind == SNIFF_TYPE && answer.seq == slot->seq)
			return is_type(&answer, type) ? HEARD_TYPE : HEARD_RUBBISH;
		if (clock_steady() > deadline)
			return HEARD_NOTHING;
	}
	return HEARD_RUBBISH;
}

/* Have the child ended; what it said or still says is passed over by settle(). */
static void end_child(struct sniffers *s, struct slot *slot, bool retired)
{
	uint32_t index = slot - s->slots;
	struct sniff_kill order = {index, atomic_load(&s->board->slot[index].birth), retired};
	slot->tainted = true;
	slot->suspect = order.birth;
	TEMP_FAILURE_RETRY(send(s->control, &order, sizeof order, MSG_NOSIGNAL));
}

/* Has the suspect's death been announced, or its successor's birth? Whatever it says itself. */
static bool settle(struct sniffers *s, struct slot *slot)
{
	int64_t deadline = clock_steady() + SNIFF_TIMEOUT_MS;
	while (slot->tainted && clock_steady() < deadline) {
		struct sniff_answer answer;
		enum heard heard;
		if (!next_packet(s, slot, &answer, &heard)) {
			if (heard != HEARD_RUBBISH)
				break;
			continue;
		}
		if ((answer.kind == SNIFF_DIED || answer.kind == SNIFF_READY) &&
		    answer.seq >= slot->suspect && is_dead(s, slot, slot->suspect))
			slot->tainted = false;
	}
	if (slot->tainted)
		end_child(s, slot, false);
	return !slot->tainted;
}

static enum fault give_up(struct refusal *why, const char *what)
{
	return refuse(why, FAULT_INTERNAL,
	    "The process that inspects files %s; nothing was stored. Send it again.", what);
}

/* A child that may have been taken over, by this head or one of many, judges no other. `parsed` is
 * of before it was asked: it can write to the region as well as we can. */
static void retire(struct sniffers *s, struct slot *slot, bool parsed)
{
	if (++slot->verdicts >= SNIFF_RETIRE || parsed)
		end_child(s, slot, true);
}

/*
 * One query, one answer. A death in between may be an old one, of a child that was killed while
 * idle or retired with our query unread, so the query is put once more; the same file has to kill
 * two children to be turned away. A second answer to the same query is stale by then.
 */
static enum fault ask(struct sniffers *s, struct slot *slot, size_t len, char type[TYPE_BYTES + 1],
    struct refusal *why)
{
	uint32_t birth = atomic_load(&s->board->slot[slot - s->slots].birth);

	if (++slot->seq == 0)
		slot->seq = 1;
	if (birth != slot->asked)
		slot->verdicts = 0;
	slot->asked = birth;
	struct sniff_query query = {slot->seq, (uint32_t)len};
	for (int attempt = 0; attempt < 2; attempt++) {
		if (send(slot->socket, &query, sizeof query, MSG_NOSIGNAL) != sizeof query)
			return give_up(why, "is not there");
		switch (hear(s, slot, type)) {
		case HEARD_TYPE:
			return FAULT_NONE;
		case HEARD_DEATH:
			continue;
		case HEARD_NOTHING:
			end_child(s, slot, false);
			return give_up(why, "did not answer in time");
		case HEARD_RUBBISH:
			end_child(s, slot, false);
			return give_up(why, "gave no sensible answer");
		case HEARD_PARENT_GONE:
			return give_up(why, "is not there");
		}
	}
	return give_up(why, "died of this file");
}

/*
 * The head of the file into the slot's region; *len may turn out smaller. Not before a child that was
 * to be ended is dead: until then it reads what is written there, and may alter what the next one
 * judges.
 */
static enum fault fill(struct sniffers *s, struct slot *slot, int fd, const void *bytes,
    size_t *len, struct refusal *why)
{
	if (*len > 0 && !settle(s, slot))
		return give_up(why, "is not there");
	if (bytes) {
		memcpy(slot->region, bytes, *len);
		return FAULT_NONE;
	}
	size_t have = 0;
	while (have < *len) {
		ssize_t got = pread(fd, slot->region + have, *len - have, (off_t)have);
		if (got < 0 && errno != EINTR)
			return refuse(why, fault_of_errno(errno), NULL);
		if (got == 0)
			break;
		have += got > 0 ? (size_t)got : 0;
	}
	*len = have;
	return FAULT_NONE;
}

enum fault sniff_type(struct sniffers *s, int fd, const void *bytes, size_t len,
    char type[TYPE_BYTES + 1], struct refusal *why)
{
	if (len > HEAD_BYTES)
		len = HEAD_BYTES;
	struct slot *slot = sniffers_take(s);
	enum fault f = fill(s, slot, fd, bytes, &len, why);
	bool sized = !f && sniff_wants_file(slot->region, len);
	bool parsed = !f && sniff_is_parsed(slot->region, len);
	if (sized && ftruncate(slot->memory, (off_t)len) < 0)
		f = refuse(why, fault_of_errno(errno), NULL);
	if (!f && len)
		f = ask(s, slot, len, type, why);
	else if (!f)
		span_copy(type, TYPE_BYTES + 1, span_of("inode/x-empty")); /* file(1)'s word */
	if (!f && len)
		retire(s, slot, parsed);
	if (sized && ftruncate(slot->memory, HEAD_BYTES) < 0)
		f = refuse(why, fault_of_errno(errno), NULL);
	sniffers_give_back(s, slot, len);
	return f;
}
