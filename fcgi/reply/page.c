/* page.c: the same answers for people whose browser runs no script. Plain words, semantic HTML. */
#include <stdio.h>
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

/* "441.6 KiB" */
static const char *size_text(int64_t bytes, char to[32])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double size = (double)bytes / 1024;
	unsigned unit = 0;
	if (bytes < 1024) {
		snprintf(to, 32, "%lld %s", (long long)bytes, bytes == 1 ? "byte" : "bytes");
		return to;
	}
	for (; size >= 1023.95 && unit < 5; unit++)
		size /= 1024;
	snprintf(to, 32, "%.1f %s", size, units[unit]);
	return to;
}

/* <time datetime="2026-11-22T11:33:00.123Z">2026-11-22 11:33 UTC</time> */
static void add_time(struct buffer *b, int64_t ms)
{
	char text[32];
	text_time(ms, text);
	buffer_html(b, "<time datetime=\"%s\">%.*s %.*s UTC</time>", text, 10, text, 5, text + 11);
}

static void add_name_link(struct buffer *b, const struct file *file, struct span base)
{
	buffer_html(b, "<a href=\"%.*s/files/%s/content\"><bdi>%s</bdi></a>", SPAN(base), file->id,
	    file->name);
}

/* ---- a refusal ------------------------------------------------------------------------------ */

enum fault page_refusal(struct reply *r, const struct refusal *why)
{
	struct buffer b = {0};
	struct span base = reply_base(r);
	int status = fault_status(why->fault);
	char size[32];
	buffer_html(&b, "<article class=\"refusal\">\n<h1>%s</h1>\n<p class=\"detail\">%s</p>\n",
	    fault_title(why->fault), refusal_detail(why));
	buffer_html(&b, "<dl>\n");
	if (why->file[0])
		buffer_html(&b, "<dt>File</dt><dd><bdi>%s</bdi></dd>\n", why->file);
	if (why->detected_type[0])
		buffer_html(&b, "<dt>What it is</dt><dd>%s</dd>\n", why->detected_type);
	if (why->max_bytes > 0)
		buffer_html(&b, "<dt>Largest size accepted</dt><dd>%s (%lld bytes)</dd>\n",
		    size_text(why->max_bytes, size), (long long)why->max_bytes);
	buffer_html(&b, "<dt>Code</dt><dd>%lld <code>%s</code></dd>\n</dl>\n", (long long)status,
	    fault_slug(why->fault));
	buffer_html(
	    &b, "<p><a href=\"%.*s/\">Back to the upload page</a></p>\n</article>\n", SPAN(base));
	return send_page(r, status, fault_title(why->fault), &b);
}

/* ---- a receipt: the paper that travels with the shipment ------------------------------------ */

static void add_waybill(struct buffer *b, const struct file *file, struct span base)
{
	char hex[2 * SHA256_LEN + 1], size[32];
	text_hex(file->sha256, SHA256_LEN, hex);
	buffer_html(b, "<article class=\"waybill\">\n<h2>");
	add_name_link(b, file, base);
	buffer_html(b,
	    "</h2>\n<dl>\n<dt>Size</dt><dd>%s (%lld bytes)</dd>\n<dt>Type</dt><dd>%s</dd>\n",
	    size_text(file->size, size), (long long)file->size, file->type);
	if (file->owner)
		buffer_html(b, "<dt>Sent by</dt><dd><bdi>%s</bdi></dd>\n", file->owner);
	buffer_html(b, "<dt>SHA-256</dt><dd><code>%s</code></dd>\n<dt>Received</dt><dd>", hex);
	add_time(b, file->uploaded_at);
	if (file->expires_at > 0) {
		buffer_html(b, "</dd>\n<dt>Kept until</dt><dd>");
		add_time(b, file->expires_at);
	}
	buffer_html(
	    b, "</dd>\n<dt>Number</dt><dd><code>%s</code></dd>\n</dl>\n</article>\n", file->id);
}

enum fault reply_receipt(struct reply *r, const struct files *files)
{
	struct buffer b = {0};
	struct span base = reply_base(r);
	if (files->count == 1)
		buffer_html(&b, "<h1>Your file has arrived</h1>\n");
	else
		buffer_html(&b, "<h1>Your %lld files have arrived</h1>\n", (long long)files->count);
	for (size_t i = 0; i < files->count; i++)
		add_waybill(&b, &files->at[i], base);
	buffer_html(&b,
	    "<p><a href=\"%.*s/\">Upload more</a> <a href=\"%.*s/files\">See all files</a></p>\n",
	    SPAN(base), SPAN(base));
	return send_page(r, 200, "Receipt", &b);
}

/* ---- the list ------------------------------------------------------------------------------- */

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
	buffer_html(b, "<label>Type <select name=\"type\">\n");
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		bool chosen = span_is(asked, types[i][0]);
		known |= chosen;
		add_option(b, types[i][0], types[i][1], chosen);
	}
	if (!known)
		buffer_html(
		    b, "<option value=\"%.*s\" selected>%.*s</option>\n", SPAN(asked), SPAN(asked));
	buffer_html(b, "</select></label>\n");
}

static void add_hidden_time(struct buffer *b, const char *name, int64_t ms)
{
	char text[32];
	if (ms == 0)
		return;
	text_time(ms, text);
	buffer_html(b, "<input type=\"hidden\" name=\"%s\" value=\"%s\">\n", name, text);
}

/* Filters that have no control of their own are carried along hidden: an empty since= would be
 * refused. */
static void add_filter(struct buffer *b, const struct listing *asked, struct span base)
{
	static const struct listing nothing = {.limit = 50};
	if (!asked)
		asked = &nothing;
	buffer_html(
	    b, "<form class=\"filter\" method=\"get\" action=\"%.*s/files\">\n", SPAN(base));
	buffer_html(b,
	    "<label>Name contains <input type=\"search\" name=\"name\" value=\"%.*s\"></label>\n",
	    SPAN(asked->name));
	add_types(b, asked->type);
	buffer_html(b, "<label>Order <select name=\"order\">\n");
	add_option(b, "newest", "Newest first", !asked->oldest_first);
	add_option(b, "oldest", "Oldest first", asked->oldest_first);
	buffer_html(b, "</select></label>\n");
	if (asked->owner.len)
		buffer_html(b, "<input type=\"hidden\" name=\"owner\" value=\"%.*s\">\n",
		    SPAN(asked->owner));
	add_hidden_time(b, "since", asked->since);
	add_hidden_time(b, "until", asked->until);
	if (asked->limit > 0 && asked->limit != nothing.limit)
		buffer_html(b, "<input type=\"hidden\" name=\"limit\" value=\"%lld\">\n",
		    (long long)asked->limit);
	buffer_html(b, "<button>Show</button>\n</form>\n");
}

static void add_row(struct buffer *b, const struct file *file, struct span base)
{
	char size[32];
	buffer_html(b, "<tr><th scope=\"row\">");
	add_name_link(b, file, base);
	buffer_html(b, "</th><td>%s</td><td>%s</td><td>", file->type, size_text(file->size, size));
	add_time(b, file->uploaded_at);
	buffer_html(b, "</td><td><bdi>%s</bdi></td></tr>\n", file->owner ? file->owner : "");
}

static void add_table(struct buffer *b, const struct files *files, struct span base)
{
	buffer_html(b, "<table class=\"files\">\n<thead><tr><th scope=\"col\">Name</th><th "
		       "scope=\"col\">Type</th>"
		       "<th scope=\"col\">Size</th><th scope=\"col\">Uploaded</th><th "
		       "scope=\"col\">Owner</th></tr>"
		       "</thead>\n<tbody>\n");
	for (size_t i = 0; i < files->count; i++)
		add_row(b, &files->at[i], base);
	buffer_html(b, "</tbody>\n</table>\n");
}

enum fault page_listing(struct reply *r, const struct page *page)
{
	struct buffer b = {0};
	struct span base = reply_base(r);
	buffer_html(&b, "<h1>Files</h1>\n");
	add_filter(&b, page->asked, base);
	buffer_html(&b, page->total == 1 ? "<p>%lld file</p>\n" : "<p>%lld files</p>\n",
	    (long long)page->total);
	if (page->files->count)
		add_table(&b, page->files, base);
	buffer_html(&b, "<nav class=\"pages\">");
	if (page->first)
		buffer_html(&b, "<a href=\"%s\" rel=\"first\">First page</a> ", page->first);
	if (page->next)
		buffer_html(&b, "<a href=\"%s\" rel=\"next\">Next page</a>", page->next);
	buffer_html(&b, "</nav>\n");
	return send_page(r, 200, "Files", &b);
}
