// desk.js: how the queue looks and what is said of it: a barcode for each file, one for all, the title.

import { $, announce, el, icon, nameOf, setText, tool } from "./dom.js";
import { bytes, duration, exactly, family, percent, visible } from "./format.js";
import { explain } from "./refusals.js";
import { fileKey, unfinished } from "./store.js";
import { endTus } from "./transport.js";

const SAY_EVERY = 10_000;
const warn = (event) => event.preventDefault();
const line = (...parts) => parts.filter(Boolean).join(" · ");
const pace = (left, speed) => speed > 0 && line(`${bytes(Math.round(speed))}/s`, `${duration(left / speed)} left`);

export class Desk {
	/** hooks: onkey() when a token is wanted */
	constructor(hooks) {
		this.hooks = hooks;
		this.rows = new Map(); // item -> its nodes
		this.dirty = new Set();
		this.said = 0;
		$("clear").onclick = () => this.queue.items.filter((item) => item.over).forEach((item) => this.remove(item));
		$("pause-all").onclick = () => {
			const { items } = this.queue;
			if (items.some((item) => item.pausable)) items.filter((item) => item.pausable).forEach((item) => this.queue.pause(item));
			else items.filter((item) => item.state === "paused").forEach((item) => this.queue.resume(item));
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
		const row = this.row({ name, size, type: "" });
		row.li.dataset.state = "paused";
		row.li.dataset.key = key;
		row.bar.value = at;
		row.what.textContent = `stopped at ${percent(at, size)}`;
		row.why.textContent = "Choose the same file again and it goes on from there.";
		row.acts.append(tool("x", `Forget ${visible(name)}`, () => {
			endTus(key);
			row.li.remove();
			this.sum();
			$("choose").focus();
		}));
	}

	touch(item) {
		if (!this.dirty.size) requestAnimationFrame(() => this.draw());
		this.dirty.add(item);
	}

	draw() {
		for (const item of this.dirty) {
			if (!this.queue.items.includes(item)) continue;
			if (!this.rows.has(item)) {
				$("items").querySelector(`[data-key="${CSS.escape(fileKey(item.file))}"]`)?.remove();
				this.rows.set(item, this.row({ name: item.name, size: item.size, type: item.file.type, path: item.path }));
			}
			this.fill(item, this.rows.get(item));
		}
		this.dirty.clear();
		this.sum();
	}

	row({ name, size, type, path }) {
		const label = nameOf(name);
		if (path) label.title = visible(path);
		const row = {
			bar: el("progress", { max: size || 1, value: 0, "aria-label": `Sent of ${visible(name)}` }), stamp: el("span", { class: "stamp", hidden: "" }, "RECEIVED"),
			what: el("p", { class: "figures" }), acts: el("div", { class: "acts" }), why: el("p", { class: "why" }),
		};
		row.li = el("li", { class: "item" }, icon(family(type)), el("div", { class: "label" }, label, el("span", { class: "figures", title: exactly(size) }, bytes(size))), ...Object.values(row));
		$("items").append(row.li);
		return row;
	}

	fill(item, row) {
		row.bar.value = item.sent;
		setText(row.what, this.figures(item));
		const face = [item.state, item.problem?.slug, item.doubt, item.retryAt > 0].join();
		if (row.face === face) return;
		row.face = face;
		row.li.dataset.state = item.state;
		row.stamp.hidden = item.state !== "done";
		row.bar.hidden = item.over;
		this.reason(item, row);
		const had = row.acts.contains(document.activeElement);
		row.acts.replaceChildren(...this.acts(item));
		if (had) row.acts.firstChild.focus();
	}

	figures({ state, sent, size, speed, retryAt, record }) {
		const share = percent(sent, size);
		const wait = Math.ceil((retryAt - performance.now()) / 1000);
		if (state === "sending") return line(share, pace(size - sent, speed));
		if (state === "storing") return "sent · storing";
		if (state === "paused") return retryAt ? line(share, wait > 0 ? `trying again in ${wait} s` : "trying again") : `paused at ${share}`;
		return (state === "done" && record.type) || state;
	}

	reason(item, { why }) {
		why.textContent = item.over ? "" : item.doubt;
		if (!item.problem) return;
		const { what, todo } = explain(item.problem, item);
		why.replaceChildren(el("b", {}, what), ` ${todo} `);
		if (item.problem.slug === "unauthorized") why.append(el("button", { class: "plain", onclick: this.hooks.onkey }, "Enter a token"));
	}

	acts(item) {
		const name = visible(item.name);
		const act = (picture, word, deed) => tool(picture, `${word} ${name}`, () => deed(item));
		const { queue } = this;
		const all = [];
		if (item.state === "refused" && !explain(item.problem, item).final) all.push(act("again", "Retry", (it) => queue.resume(it)));
		if (item.resumable && item.pausable && item.state !== "waiting") all.push(act("pause", "Pause", (it) => queue.pause(it)));
		if (item.state === "paused") all.push(act("play", "Resume", (it) => queue.resume(it)));
		return [...all, act("x", item.over ? "Clear" : "Cancel", (it) => this.remove(it))];
	}

	remove(item) {
		const { li } = this.rows.get(item);
		const next = li.nextElementSibling ?? li.previousElementSibling;
		if (!item.over) announce(`${visible(item.name)} cancelled.`);
		li.remove();
		this.rows.delete(item);
		this.queue.remove(item);
		this.sum();
		(next?.querySelector(".tool") ?? $("choose")).focus();
	}

	sum() {
		const { items } = this.queue;
		const counted = items.filter((item) => item.state !== "refused");
		const total = (of) => counted.reduce((sum, item) => sum + of(item), 0);
		const [size, sent, speed] = [total((it) => it.size), total((it) => it.sent), total((it) => it.speed)];
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
		announce(`${percent(sent, size).replace("%", "percent")} sent, ${duration((size - sent) / speed)} left.`);
	}

	finished(item) {
		const { what, todo } = item.problem ? explain(item.problem, item) : {};
		announce(item.problem ? `${visible(item.name)} refused. ${what} ${todo}` : `${visible(item.name)} received.`);
	}
}
