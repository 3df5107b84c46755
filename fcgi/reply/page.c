/* page.c: the same answers for people whose browser runs no script. Plain words, semantic HTML. */
#include <string.h>

#include "reply/inside.h"
#include "shared/text.h"

/* www/frame.html, with the marks %{title}, %{base} and %{main} (embed.S). */
extern const char embed_frame[], embed_frame_end[];

/* A span for buffer_html()'s %.*s. */
#define SPAN(s) (int)(s).len, (s).len ? (s).at : ""

struct marks {
	const char *title;
	struct span base;
	const struct buffer *main;
};

static void fill_mark(struct buffer *b, struct span mark, const struct marks *marks)
{
	if (span_is(mark, "title"))
		buffer_html(b, "%s", marks->title);
	else if (span_is(mark, "base"))
		buffer_html(b, "%.*s", SPAN(marks->base));
	else if (span_is(mark, "main"))
		buffer_add(b, marks->main->at, marks->main->used);
}

static void fill_frame(struct buffer *b, const struct marks *marks)
{
	const char *at = embed_frame;
	while (at < embed_frame_end) {
		size_t left = (size_t)(embed_frame_end - at);
		const char *mark = memmem(at, left, "%{", 2);
		const char *end = mark ? memchr(mark, '}', (size_t)(embed_frame_end - mark)) : NULL;
		if (!end) {
			buffer_add(b, at, left);
			return;
		}
		buffer_add(b, at, (size_t)(mark - at));
		fill_mark(b, (struct span){mark + 2, (size_t)(end - mark - 2)}, marks);
		at = end + 1;
	}
}

/* The whole page around `main`, which is freed. */
static enum fault send_page(struct reply *r, int status, const char *title, struct buffer *main)
{
	struct buffer b = {0};
	fill_frame(&b, &(struct marks){title, reply_base(r), main});
	b.failed |= main->failed;
	buffer_free(main);
	return reply_buffer(r, status, "text/html; charset=utf-8", &b);
}

/* <time datetime="2026-11-22T11:33:00.123Z">2026-11-22 11:33</time>, UTC like all times here */
static void add_time(struct buffer *b, int64_t ms)
{
	char text[32];
	text_time(ms, text);
	buffer_html(b, "<time datetime=\"%s\">%.*s %.*s</time>", text, 10, text, 5, text + 11);
}

static void add_name_link(struct buffer *b, const struct file *file, struct span base)
{
	buffer_html(b, "<a href=\"%.*s/files/%s/content\"><bdi>%s</bdi></a>", SPAN(base), file->id,
	    file->name);
}

/* One box of the paper: <div><dt>Size</dt><dd>, and what closes it. */
static void open_fact(struct buffer *b, const char *name)
{
	buffer_html(b, "<div><dt>%s</dt><dd>", name);
}

static void close_fact(struct buffer *b)
{
	buffer_html(b, "</dd></div>\n");
}

static void add_fact(struct buffer *b, const char *name, const char *text)
{
	open_fact(b, name);
	buffer_html(b, "<bdi>%s</bdi>", text);
	close_fact(b);
}

static void add_size_fact(struct buffer *b, const char *name, int64_t bytes)
{
	char size[TEXT_FIGURE];
	open_fact(b, name);
	buffer_html(b, "%s", text_figure(bytes, size));
	close_fact(b);
}

static void add_time_fact(struct buffer *b, const char *name, int64_t ms)
{
	open_fact(b, name);
	add_time(b, ms);
	buffer_text(b, " UTC");
	close_fact(b);
}

/* ---- a refusal ------------------------------------------------------------------------------- */

enum fault page_refusal(struct reply *r, const struct refusal *why)
{
	struct buffer b = {0};
	struct span base = reply_base(r);
	int status = fault_status(why->fault);
	buffer_html(&b,
	    "<section class=\"row refusal\">\n<div class=\"box\">\n<p class=\"lead\">%s</p>\n"
	    "<p><a href=\"%.*s/\">Back to the upload page</a></p>\n</div>\n</section>\n",
	    refusal_detail(why), SPAN(base));
	buffer_html(&b, "<dl class=\"card-facts\">\n");
	if (why->file[0])
		add_fact(&b, "File", why->file);
	if (why->detected_type[0])
		add_fact(&b, "What it is", why->detected_type);
	if (why->max_bytes > 0)
		add_size_fact(&b, "Largest size accepted", why->max_bytes);
	open_fact(&b, "Status");
	buffer_html(&b, "%lld %s", (long long)status, fault_slug(why->fault));
	close_fact(&b);
	buffer_html(&b, "</dl>\n");
	return send_page(r, status, fault_title(why->fault), &b);
}

/* ---- a receipt: the paper that travels with the shipment ------------------------------------- */

static void add_waybill(struct buffer *b, const struct file *file, struct span base)
{
	char hex[2 * SHA256_LEN + 1];
	text_hex(file->sha256, SHA256_LEN, hex);
	buffer_html(b, "<article class=\"waybill\">\n<dl class=\"card-facts\">\n");
	buffer_html(b, "<div class=\"wide\"><dt>File</dt><dd>");
	add_name_link(b, file, base);
	close_fact(b);
	add_size_fact(b, "Size", file->size);
	add_fact(b, "Type", file->type);
	if (file->owner)
		add_fact(b, "Sender", file->owner);
	add_time_fact(b, "Received", file->uploaded_at);
	if (file->expires_at > 0)
		add_time_fact(b, "Kept until", file->expires_at);
	buffer_html(b, "<div class=\"wide\"><dt>SHA-256</dt><dd>%s</dd></div>\n", hex);
	buffer_html(b, "<div class=\"wide\"><dt>Number</dt><dd>%s</dd></div>\n", file->id);
	buffer_html(b, "</dl>\n</article>\n");
}

static void add_withdrawal(struct buffer *b, const struct file *first, struct span base)
{
	buffer_html(b,
	    "<section class=\"row\">\n<form class=\"box\" method=\"post\" action=\"%.*s/receipt/%s\">\n"
	    "<p class=\"small\">Sent by mistake? For an hour it can be taken back here.</p>\n"
	    "<p><button>Withdraw</button></p>\n</form>\n</section>\n",
	    SPAN(base), first->id);
}

enum fault reply_withdrawn(struct reply *r, size_t count)
{
	struct buffer b = {0};

	if (!reply_wants_html(r))
		return reply_empty(r, 204);
	buffer_html(&b, "<section class=\"row\">\n<div class=\"box\">\n<p class=\"lead\">");
	if (count == 1)
		buffer_html(&b, "Your file has been deleted.");
	else
		buffer_html(&b, "Your %lld files have been deleted.", (long long)count);
	buffer_html(&b,
	    "</p>\n<p><a href=\"%.*s/\">Send something else</a></p>\n</div>\n</section>\n",
	    SPAN(reply_base(r)));
	return send_page(r, 200, "Withdrawn", &b);
}

enum fault reply_receipt(struct reply *r, const struct files *files, bool may_withdraw)
{
	struct buffer b = {0};
	struct span base = reply_base(r);
	buffer_html(&b, "<section class=\"row\">\n<div class=\"box\">\n<p class=\"lead\">");
	if (files->count == 1)
		buffer_html(&b, "Your file has arrived.");
	else
		buffer_html(&b, "Your %lld files have arrived.", (long long)files->count);
	buffer_html(
	    &b, "</p>\n<p><a href=\"%.*s/\">Send more</a></p>\n</div>\n</section>\n", SPAN(base));
	for (size_t i = 0; i < files->count; i++)
		add_waybill(&b, &files->at[i], base);
	if (may_withdraw)
		add_withdrawal(&b, &files->at[0], base);
	return send_page(r, 200, "Receipt", &b);
}

/* ---- the list -------------------------------------------------------------------------------- */

static void add_option(struct buffer *b, const char *value, const char *label, bool chosen)
{
	buffer_html(b, "<option value=\"%s\"", value);
	buffer_html(b, chosen ? " selected>%s</option>\n" : ">%s</option>\n", label);
}

static void add_types(struct buffer *b, struct span asked)
{
	static const char *const types[][2] = {{"*/*", "Any type"}, {"image/*", "Images"},
	    {"video/*", "Videos"}, {"audio/*", "Sound"}, {"text/*", "Text"},
	    {"application/pdf", "PDF"}, {"application/*", "Other documents and archives"}};
	bool known = asked.len == 0;
	buffer_html(b, "<p><label for=\"type\">Type</label><select id=\"type\" name=\"type\">\n");
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		bool chosen = span_is(asked, types[i][0]);
		known |= chosen;
		add_option(b, types[i][0], types[i][1], chosen);
	}
	if (!known)
		buffer_html(
		    b, "<option value=\"%.*s\" selected>%.*s</option>\n", SPAN(asked), SPAN(asked));
	buffer_html(b, "</select></p>\n");
}

static void add_hidden_time(struct buffer *b, const char *name, int64_t ms)
{
	char text[32];
	if (ms == 0)
		return;
	text_time(ms, text);
	buffer_html(b, "<input type=\"hidden\" name=\"%s\" value=\"%s\">\n", name, text);
}

/* Filters that have no control of their own are carried along hidden: an empty since= would be refused. */
static void add_filter(struct buffer *b, const struct listing *asked, struct span base)
{
	static const struct listing nothing = {.limit = 50};
	if (!asked)
		asked = &nothing;
	buffer_html(
	    b, "<form class=\"filters\" method=\"get\" action=\"%.*s/files\">\n", SPAN(base));
	buffer_html(b,
	    "<p><label for=\"name\">Name contains</label><input type=\"search\" id=\"name\" "
	    "name=\"name\" value=\"%.*s\"></p>\n",
	    SPAN(asked->name));
	add_types(b, asked->type);
	buffer_html(
	    b, "<p><label for=\"order\">Order</label><select id=\"order\" name=\"order\">\n");
	add_option(b, "newest", "Newest first", !asked->oldest_first);
	add_option(b, "oldest", "Oldest first", asked->oldest_first);
	buffer_html(b, "</select></p>\n");
	if (asked->owner.len)
		buffer_html(b, "<input type=\"hidden\" name=\"owner\" value=\"%.*s\">\n",
		    SPAN(asked->owner));
	add_hidden_time(b, "since", asked->since);
	add_hidden_time(b, "until", asked->until);
	if (asked->limit > 0 && asked->limit != nothing.limit)
		buffer_html(b, "<input type=\"hidden\" name=\"limit\" value=\"%lld\">\n",
		    (long long)asked->limit);
	buffer_html(b, "<p><button>Show</button></p>\n</form>\n");
}

/* The roles are those of the elements, said again: Safari forgets them where CSS changes display. */
static void add_row(struct buffer *b, const struct file *file, struct span base)
{
	char size[TEXT_FIGURE];
	buffer_html(b, "<tr role=\"row\"><td role=\"cell\" class=\"c-name\">");
	add_name_link(b, file, base);
	buffer_html(b, "</td><td role=\"cell\" class=\"c-type\">%s</td>", file->type);
	buffer_html(b, "<td role=\"cell\" class=\"c-size\">%s</td>", text_bytes(file->size, size));
	buffer_html(b, "<td role=\"cell\" class=\"c-time\">");
	add_time(b, file->uploaded_at);
	buffer_html(b, "</td><td role=\"cell\" class=\"c-owner\"><bdi>%s</bdi></td></tr>\n",
	    file->owner ? file->owner : "");
}

static void add_table(struct buffer *b, const struct files *files, struct span base)
{
	static const char *const columns[][2] = {{"c-name", "Name"}, {"c-type", "Type"},
	    {"c-size", "Size"}, {"c-time", "Received (UTC)"}, {"c-owner", "Sender"}};
	buffer_html(b, "<table class=\"register\" role=\"table\">\n<thead><tr role=\"row\">");
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		buffer_html(b, "<th role=\"columnheader\" class=\"%s\">%s</th>", columns[i][0],
		    columns[i][1]);
	buffer_html(b, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < files->count; i++)
		add_row(b, &files->at[i], base);
	buffer_html(b, "</tbody>\n</table>\n");
}

enum fault page_listing(struct reply *r, const struct page *page)
{
	struct buffer b = {0};
	struct span base = reply_base(r);
	buffer_html(&b, "<section class=\"row\">\n<div class=\"box\">\n");
	add_filter(&b, page->asked, base);
	buffer_html(&b, "<p class=\"figures\">");
	buffer_html(&b, page->total == 1 ? "%lld file" : "%lld files", (long long)page->total);
	buffer_html(&b, "</p>\n");
	if (page->files->count)
		add_table(&b, page->files, base);
	else
		buffer_html(&b, "<p class=\"empty\">Nothing here.</p>\n");
	buffer_html(&b, "<nav class=\"pages\">");
	if (page->first)
		buffer_html(&b, "<a href=\"%s\" rel=\"first\">First page</a> ", page->first);
	if (page->next)
		buffer_html(&b, "<a href=\"%s\" rel=\"next\">Next page</a>", page->next);
	buffer_html(&b, "</nav>\n</div>\n</section>\n");
	return send_page(r, 200, "Files", &b);
}
