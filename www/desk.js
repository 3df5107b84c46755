// desk.js: how the queue looks and what is said of it: a barcode for each file, one for all, the title.

import { $, announce, el, icon, nameOf, pathOf, refill, removeRow, setText, soon, tool } from "./dom.js";
import { bytes, duration, exactly, family, kind, percent } from "./format.js";
import { explain } from "./refusals.js";
import { unfinished } from "./store.js";
import { endTus } from "./tus.js";

const SAY_EVERY = 10_000;
// offset_conflict: browsers send again by themselves what a broken line swallowed
const NETWORK = /^(offline|server_gone|connection_reset|body_timeout|offset_conflict)$/;
const warn = (event) => event.preventDefault();
const line = (...parts) => parts.filter(Boolean).join(" · ");
const retryable = (item) => item.failed && !explain(item.problem, item).final;
const pace = (left, speed) => speed > 0 && line(`${bytes(Math.round(speed))}/s`, `${duration(left / speed)} left`);

export class Desk {
	/** onkey(): a token is wanted; onopen(record): a look at what was received */
	constructor(onkey, onopen) {
		Object.assign(this, { onkey, onopen });
		this.rows = new Map(); // item -> its nodes
		this.dirty = new Set();
		this.said = 0;
		$("clear").onclick = () => this.queue.items.filter((item) => item.state === "done").forEach((item) => this.remove(item));
		$("retry-all").onclick = () => this.queue.items.filter(retryable).forEach((item) => this.queue.resume(item));
		$("pause-all").onclick = () => {
			const { queue } = this;
			const pausable = queue.items.filter((item) => item.pausable);
			pausable.forEach((item) => queue.pause(item));
			if (!pausable.length) queue.items.filter((item) => item.state === "paused").forEach((item) => queue.resume(item));
		};
		setInterval(() => this.rows.forEach((row, item) => item.state === "lost" && this.touch(item)), 1000);
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
			endTus({ key });
			removeRow(li, ".tool", $("choose"));
			this.sum();
		}));
	}

	// The more there are, the dearer is each look at them.
	touch(item) {
		soon(this.draw, 40 + this.rows.size);
		this.dirty.add(item);
	}

	draw = () => {
		for (const item of this.dirty) {
			if (!this.rows.has(item)) {
				$("items").querySelector(`[data-key="${CSS.escape(item.key)}"]`)?.remove();
				this.rows.set(item, this.row(item, item.path));
			}
			this.fill(item, this.rows.get(item));
		}
		this.dirty.clear();
		this.sum();
	};

	row({ name, size, type }, path) {
		const bar = el("progress", { max: size || 1, value: 0, "aria-label": `Sent of ${name}` });
		const row = { bar, stamp: el("span.stamp", { hidden: "" }, "RECEIVED"), what: el("p.figures"), acts: el("div.acts"), why: el("p.why") };
		row.name = nameOf(name, path);
		const label = el("div.label", {}, ...pathOf(path), row.name, el("span.figures", { title: exactly(size) }, bytes(size)));
		row.li = el("li.item", {}, icon(family(type)), label, bar, row.stamp, row.what, row.acts, row.why);
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
		if (item.failed) this.raise(row.li);
		if (item.record?.url && !row.name.closest(".open")) this.openable(item, row);
		row.stamp.hidden = item.state !== "done";
		row.bar.hidden = item.over;
		this.reason(item, row);
		refill(row.acts, ...this.acts(item));
	}

	// What failed stands first, where it is seen.
	raise(li) {
		const had = li.contains(document.activeElement) && document.activeElement;
		const first = [...$("items").children].find((other) => !/refused|broken/.test(other.dataset.state) || other === li);
		if (first !== li) $("items").insertBefore(li, first);
		if (had) had.focus();
	}

	openable({ record }, row) {
		const button = el("button.open", { onclick: () => this.onopen(record) });
		row.name.replaceWith(button);
		button.append(row.name);
	}

	figures({ state, sent, size, speed, retryAt, record, problem }) {
		const share = percent(sent, size);
		const { lost, nextAt } = this.queue.network;
		const left = ((retryAt || nextAt) - performance.now()) / 1000;
		if (state === "lost") return line(`waiting for the ${NETWORK.test(problem.slug) ? "network" : "server"}`, left > 0 ? `again in ${duration(left)}` : "trying");
		if (state === "waiting" && lost) return "waiting for the network";
		if (state === "sending") return line(share, pace(size - sent, speed));
		if (state === "storing") return "sent · storing";
		if (state === "paused") return `paused at ${share}`;
		if (state === "broken") return "not sent";
		return (state === "done" && record.type && kind(record.type)) || state;
	}

	reason(item, { why }) {
		why.textContent = item.over ? "" : item.doubt;
		if (!item.problem) return;
		const { what, todo } = explain(item.problem, item);
		why.replaceChildren(el("b", {}, what), item.state === "lost" ? " It goes on by itself." : ` ${todo} `);
		if (item.problem.slug === "unauthorized") why.append(el("button.plain", { onclick: this.onkey }, "Enter a token"));
	}

	acts(item) {
		const { queue } = this;
		const act = (picture, word, deed) => tool(picture, `${word} ${item.name}`, deed);
		const all = [];
		if (retryable(item) || item.state === "lost") all.push(act("again", "Retry", () => queue.resume(item)));
		if (item.state === "sending" || item.state === "lost") all.push(act("pause", "Pause", () => queue.pause(item)));
		if (item.state === "paused") all.push(act("play", "Resume", () => queue.resume(item)));
		return [...all, act("x", item.over ? "Clear" : "Cancel", () => this.remove(item))];
	}

	remove(item) {
		if (!item.over) announce(`${item.name} cancelled.`);
		removeRow(this.rows.get(item).li, ".tool:last-child", $("choose"));
		this.rows.delete(item);
		this.queue.remove(item);
		this.dirty.delete(item);
		this.sum();
	}

	// What can still arrive counts in full; what never will does not count.
	sum() {
		const { items } = this.queue;
		const counted = items.filter((item) => !item.failed || retryable(item));
		const [size, sent, speed] = ["size", "sent", "speed"].map((key) => counted.reduce((sum, item) => sum + (key !== "size" && item.failed ? 0 : item[key]), 0));
		const number = (state) => items.filter((item) => item.state === state).length;
		const [done, refused, broken] = ["done", "refused", "broken"].map(number);
		const failed = line(refused && `${refused} refused`, broken && `${broken} not sent`);
		const busy = done + refused + broken < items.length;
		const some = items.length > 0;

		$("desk").hidden = !$("items").childElementCount;
		$("overall").hidden = !some;
		$("overall").max = size || 1;
		$("overall").value = size ? sent : done === items.length;
		setText($("overall-text"), some ? line(`${done} of ${items.length} received`, failed, busy && this.queue.network.lost && "waiting for the network", busy && `${bytes(sent)} of ${bytes(size)}`, busy && pace(size - sent, speed)) : "");
		$("clear").hidden = !done;
		$("retry-all").hidden = !items.some(retryable);
		const pausable = items.some((item) => item.pausable);
		$("pause-all").hidden = !pausable && !items.some((item) => item.state === "paused");
		setText($("pause-all"), pausable ? "Pause all" : "Resume all");
		document.title = some ? `${busy ? percent(sent, size) : failed || `${done} received`} · waybill` : "waybill";
		(busy ? addEventListener : removeEventListener)("beforeunload", warn);

		if (!speed || performance.now() - this.said < SAY_EVERY) return;
		this.said = performance.now();
		announce(`${percent(sent, size)} sent, ${duration((size - sent) / speed)} left.`);
	}

	finished({ name, state, problem, size }) {
		const { what, todo } = problem ? explain(problem, { size }) : {};
		announce(problem ? `${name} ${state === "broken" ? "not sent" : state}. ${what} ${todo}` : `${name} received.`);
	}

	network(lost) {
		if (lost !== !!this.lost) announce(lost ? "The network is lost; it goes on by itself." : "The network is back.");
		this.lost = lost;
		this.sum();
	}
}
