/* negotiate.c: a page for people, JSON for programs. Pure. */
#include "accept/inside.h"

/* A weight in thousandths; RFC 9110 12.4.2: 1, or 0 with up to three decimals. Bad: 0. */
static int weight(struct span range)
{
	struct span value;
	int thousandths = 0, unit = 1000;

	if (!text_parameter(range, "q", &value))
		return 1000;
	for (size_t i = 0; i < value.len && unit > 0; i++) {
		if (i == 1 && value.at[i] == '.')
			continue;
		if (value.at[i] < '0' || value.at[i] > '9')
			return 0;
		thousandths += (value.at[i] - '0') * unit;
		unit /= 10;
	}
	return thousandths > 1000 ? 1000 : thousandths;
}

/* The most specific range that matches `type` decides its weight; -1: none matches. */
struct preference {
	const char *type, *subtypes;
	int specificity, weight;
};

static void consider(struct preference *p, struct span name, int q)
{
	int specificity = -1;

	if (span_is_nocase(name, p->type))
		specificity = 2;
	else if (span_is_nocase(name, p->subtypes))
		specificity = 1;
	else if (span_is(name, "*/*"))
		specificity = 0;
	if (specificity > p->specificity) {
		p->specificity = specificity;
		p->weight = q;
	}
}

bool request_prefers_html(struct span accept)
{
	struct preference html = {"text/html", "text/*", -1, 0};
	struct preference json = {"application/json", "application/*", -1, 0};
	struct preference problem = {"application/problem+json", "application/*", -1, 0};

	while (accept.len > 0) {
		struct span range = span_cut(&accept, ',');
		int q = weight(range);
		struct span name = span_trim(span_cut(&range, ';'));
		consider(&html, name, q);
		consider(&json, name, q);
		consider(&problem, name, q);
	}
	int best = json.weight > problem.weight ? json.weight : problem.weight;
	return html.weight > best;
}
