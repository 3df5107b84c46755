// desk.js: how the queue looks and what is said of it: a barcode for each file, one for all, the title.

import { $, announce, el, icon, nameOf, refill, removeRow, setText, tool } from "./dom.js";
import { bytes, duration, exactly, family, percent } from "./format.js";
import { explain } from "./refusals.js";
import { fileKey, unfinished } from "./store.js";
import { endTus } from "./transport.js";

const SAY_EVERY = 10_000;
const warn = (event) => event.preventDefault();
const line = (...parts) => parts.filter(Boolean).join(" · ");
const pace = (left, speed) => speed > 0 && line(`${bytes(Math.round(speed))}/s`, `${duration(left / speed)} left`);

export class Desk {
	/** onkey(): a token is wanted */
	constructor(onkey) {
		this.onkey = onkey;
		this.rows = new Map(); // item -> its nodes
		this.dirty = new Set();
		this.said = 0;
		$("clear").onclick = () => this.queue.items.filter((item) => item.over).forEach((item) => this.remove(item));
		$("pause-all").onclick = () => {
			const { queue } = this;
			const pausable = queue.items.filter((item) => item.pausable);
			pausable.forEach((item) => queue.pause(item));
			if (!pausable.length) queue.items.filter((item) => item.state === "paused").forEach((item) => queue.resume(item));
		};
		setInterval(() => this.rows.forEach((row, item) => item.retryAt && this.touch(item)), 1000);
	}

	start(queue) {
		this.queue = queue;
		for (const [key, it] of Object.entries(unfinished())) this.showUnfinished(key, it);
		this.sum();
	}

	// stopped in an earlier life of this page
	showUnfinished(key, { name, size, at }) {
		const { li, bar, what, why, acts } = this.row({ name, size, type: "" });
		Object.assign(li.dataset, { state: "paused", key });
		bar.value = at;
		what.textContent = `stopped at about ${percent(at, size)}`;
		why.textContent = "Choose the same file again and it goes on from there.";
		acts.append(tool("x", `Forget ${name}`, () => {
			endTus(key);
			removeRow(li, ".tool", $("choose"));
			this.sum();
		}));
	}

	// Not by requestAnimationFrame: the title is read when the page is not.
	touch(item) {
		if (!this.dirty.size) setTimeout(() => this.draw(), 40);
		this.dirty.add(item);
	}

	draw() {
		for (const item of this.dirty) {
			if (!this.queue.items.includes(item)) continue;
			if (!this.rows.has(item)) {
				$("items").querySelector(`[data-key="${CSS.escape(fileKey(item.file))}"]`)?.remove();
				this.rows.set(item, this.row(item, item.path));
			}
			this.fill(item, this.rows.get(item));
		}
		this.dirty.clear();
		this.sum();
	}

	row({ name, size, type }, path) {
		const bar = el("progress", { max: size || 1, value: 0, "aria-label": `Sent of ${name}` });
		const row = { bar, stamp: el("span.stamp", { hidden: "" }, "RECEIVED"), what: el("p.figures"), acts: el("div.acts"), why: el("p.why") };
		const label = el("div.label", {}, nameOf(name, path), el("span.figures", { title: exactly(size) }, bytes(size)));
		row.li = el("li.item", {}, icon(family(type)), label, ...Object.values(row));
		$("items").append(row.li);
		return row;
	}

	fill(item, row) {
		row.bar.value = item.sent;
		setText(row.what, this.figures(item));
		const face = [item.state, item.problem?.slug, item.doubt].join();
		if (row.face === face) return;
		row.face = face;
		row.li.dataset.state = item.state;
		row.stamp.hidden = item.state !== "done";
		row.bar.hidden = item.over;
		this.reason(item, row);
		refill(row.acts, ...this.acts(item));
	}

	figures({ state, sent, size, speed, retryAt, record }) {
		const share = percent(sent, size);
		if (state === "sending") return line(share, pace(size - sent, speed));
		if (state === "storing") return "sent · storing";
		if (state === "paused") return retryAt ? line(share, `trying again in ${duration((retryAt - performance.now()) / 1000)}`) : `paused at ${share}`;
		return (state === "done" && record.type) || state;
	}

	reason(item, { why }) {
		why.textContent = item.over ? "" : item.doubt;
		if (!item.problem) return;
		const { what, todo } = explain(item.problem, item);
		why.replaceChildren(el("b", {}, what), ` ${todo} `);
		if (item.problem.slug === "unauthorized") why.append(el("button.plain", { onclick: this.onkey }, "Enter a token"));
	}

	acts(item) {
		const { queue } = this;
		const act = (picture, word, deed) => tool(picture, `${word} ${item.name}`, deed);
		const all = [];
		if (item.state === "refused" && !explain(item.problem, item).final) all.push(act("again", "Retry", () => queue.resume(item)));
		if (item.resumable && item.state === "sending") all.push(act("pause", "Pause", () => queue.pause(item)));
		if (item.state === "paused") all.push(act("play", "Resume", () => queue.resume(item)));
		return [...all, act("x", item.over ? "Clear" : "Cancel", () => this.remove(item))];
	}

	remove(item) {
		if (!item.over) announce(`${item.name} cancelled.`);
		removeRow(this.rows.get(item).li, ".tool", $("choose"));
		this.rows.delete(item);
		this.queue.remove(item);
		this.sum();
	}

	sum() {
		const { items } = this.queue;
		const counted = items.filter((item) => item.state !== "refused");
		const [size, sent, speed] = ["size", "sent", "speed"].map((key) => counted.reduce((sum, item) => sum + item[key], 0));
		const done = items.filter((item) => item.state === "done").length;
		const refused = items.length - counted.length;
		const busy = counted.length > done;
		const some = items.length > 0;

		$("desk").hidden = !$("items").childElementCount;
		$("overall").hidden = !some;
		$("overall").max = size || 1;
		$("overall").value = size ? sent : done;
		setText($("overall-text"), some ? line(`${done} of ${items.length} received`, refused && `${refused} refused`, busy && `${bytes(sent)} of ${bytes(size)}`, busy && pace(size - sent, speed)) : "");
		$("clear").hidden = !done && !refused;
		const pausable = items.some((item) => item.pausable);
		$("pause-all").hidden = !pausable && !items.some((item) => item.state === "paused");
		setText($("pause-all"), pausable ? "Pause all" : "Resume all");
		document.title = some ? `${busy ? percent(sent, size) : refused ? `${refused} refused` : `${done} received`} · waybill` : "waybill";
		(busy ? addEventListener : removeEventListener)("beforeunload", warn);

		if (!speed || performance.now() - this.said < SAY_EVERY) return;
		this.said = performance.now();
		announce(`${percent(sent, size)} sent, ${duration((size - sent) / speed)} left.`);
	}

	finished({ name, problem, size }) {
		const { what, todo } = problem ? explain(problem, { size }) : {};
		announce(problem ? `${name} refused. ${what} ${todo}` : `${name} received.`);
	}
}
