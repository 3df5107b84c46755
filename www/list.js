// list.js: what has been received: pages of it, filters, several at once, deleting with a way back.

import { $, announce, copy, el, icon, nameOf, pathOf, refill, removeRow, say, setText, soon, tool } from "./dom.js";
import { bytes, count, exactly, family, kind, when, whenFully } from "./format.js";
import { ask, credentials } from "./transport.js";
import { bearer, deleteTokens, setDeleteToken } from "./store.js";
import { explain } from "./refusals.js";

const GRACE = 6000; // between "Delete" and the deed

export const link = (record) => new URL(record.url, document.baseURI).href;

// reading takes a token of ours, which links do not carry
let shut = false;
export const isShut = () => shut;

export async function fetchFile(record, range, signal) {
	const answer = await fetch(link(record), { headers: { ...credentials(), ...range }, signal });
	if (!answer.ok) throw new Error(answer.status);
	return answer;
}

// the file's own address; or a blob's, where a token has to go along or the type is ours
export async function address(record, type) {
	if (!shut && !type) return link(record);
	const blob = await (await fetchFile(record)).blob();
	return URL.createObjectURL(new Blob([blob], { type: type ?? record.type }));
}

export function save(href, name) {
	el("a", { href, download: name }).click();
	setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
const download = async (record) => (shut ? (await import("./get.js")).get(record) : save(link(record), record.name));
const copyLinks = (some, what) => copy(some.map(({ record }) => link(record)).join("\n"), what, shut ? "Opening needs a token." : "");

// the browser's own download, however large
export const saving = (record) => ({ href: link(record), download: record.name });

export class List {
	constructor(onopen) {
		this.onopen = onopen;
		this.fresh = []; // arrived, not shown yet
		this.shown = new Map(); // id -> {record, row, box, acts, doom: the timer of its deletion}
		let typing;
		$("filters").oninput = () => {
			clearTimeout(typing);
			typing = setTimeout(() => this.load(), 220);
		};
		$("more").onclick = async () => {
			const last = $("rows").lastElementChild;
			await this.page();
			last?.nextElementSibling?.querySelector(".open").focus();
		};
		$("all").onchange = () => {
			this.all.forEach((it) => (it.box.checked = $("all").checked && !it.doom));
			this.tell();
		};
		$("chosen-get").onclick = async () => {
			for (const { record } of this.chosen) {
				await download(record);
				await new Promise((go) => setTimeout(go, 400)); // browsers drop clicks that come all at once
			}
		};
		$("chosen-link").onclick = () => copyLinks(this.chosen, "Links");
		$("chosen-drop").onclick = () => this.doom(this.chosen.filter((it) => this.mayDrop(it)));
		this.sight = new IntersectionObserver((seen) => seen.at(-1).isIntersecting && !this.problem && this.page(), { rootMargin: "600px" });
		addEventListener("pagehide", () => this.strikeDoomed());
		addEventListener("online", () => this.problem && this.page());
	}

	get all() {
		return [...this.shown.values()];
	}
	get chosen() {
		return this.all.filter((it) => it.box.checked);
	}

	load() {
		const asked = [...new FormData($("filters"))].filter(([, value]) => value);
		this.plain = String(asked) === "order,newest";
		this.busy?.abort();
		this.busy = null;
		this.next = `files?${new URLSearchParams(asked)}`;
		return this.page();
	}

	async page() {
		if (this.busy || !this.next) return;
		const { signal } = (this.busy = new AbortController());
		this.problem = "";
		try {
			const { files, next, total } = await ask(this.next, { signal });
			shut = !!bearer() && !(files[0] && (await fetch(link(files[0]), { method: "HEAD", signal })).ok);
			if (!this.next.includes("cursor=")) this.begin(files);
			Object.assign(this, { next, total });
			$("rows").append(...files.filter(({ id }) => !this.shown.has(id)).map((record) => this.enter(record)));
		} catch (refusal) {
			if (signal.aborted) return;
			const { what, todo } = explain(refusal);
			this.problem = `Could not read the list. ${what} ${todo}`;
		}
		this.busy = null;
		this.tell();
		// an observer only tells of changes
		this.sight.disconnect();
		if (this.next) this.sight.observe($("more").parentElement);
	}

	// Read again, it keeps the rows it had, with what is chosen in them and where the keyboard is.
	begin(files) {
		const kept = files.map(({ id }) => this.shown.get(id)).filter((it) => it && it.as === `${shut} ${bearer()}`), at = document.activeElement;
		this.strikeDoomed();
		this.shown = new Map(kept.map((it) => [it.record.id, it]));
		for (const it of kept) it.doom || it.acts.contains(at) || this.equip(it); // a delete token may have come
		$("rows").replaceChildren(...files.map((record) => this.shown.get(record.id)?.row ?? this.enter(record)));
		if ($("rows").contains(at)) at.focus({ preventScroll: true });
	}

	tell() {
		$("register").hidden = !this.shown.size;
		setText($("empty"), this.problem || (this.shown.size ? "" : `Nothing received ${this.plain ? "yet" : "matches this"}.`));
		setText($("total"), this.problem || this.total === undefined ? "" : count(this.total, "file"));
		$("more").hidden = !this.next;
		setText($("more"), this.problem ? "Try again" : "Show more");

		const { chosen } = this;
		$("chosen").hidden = !chosen.length;
		setText($("chosen-count"), `${chosen.length} chosen, ${bytes(chosen.reduce((sum, it) => sum + it.record.size, 0))}`);
		$("chosen-drop").hidden = !chosen.some((it) => this.mayDrop(it));
		$("all").checked = chosen.length && chosen.length === this.shown.size;
		$("all").indeterminate = chosen.length && !$("all").checked;
	}

	arrived(record) {
		this.fresh.push(record);
		soon(this.greet, 40);
	}
	greet = () => {
		const some = this.fresh.splice(0);
		if (!this.plain || some.some(({ url }) => !url)) return void (this.chosen.length || this.load());
		const rows = some.filter(({ id }) => !this.shown.has(id)).map((record) => this.enter(record));
		$("rows").prepend(...rows.reverse());
		this.total += rows.length;
		this.tell();
	};

	enter(record) {
		const { id, name, type, size, uploaded_at, owner } = record;
		const cell = (column, content = "", title) => el(`td.c-${column}`, { title }, content);
		const it = {
			record, acts: cell("acts"), as: `${shut} ${bearer()}`,
			box: el("input", { type: "checkbox", "aria-label": `Choose ${name}`, onchange: () => this.tell() }),
		};
		it.row = el("tr", {}, cell("pick", it.box),
			cell("name", this.title(it)), cell("type", kind(type), type), cell("size", bytes(size), exactly(size)), cell("time", when(uploaded_at), whenFully(uploaded_at)),
			cell("owner", el("bdi", {}, owner ?? "–")), it.acts);
		this.equip(it);
		this.shown.set(id, it);
		return it.row;
	}

	title(it) {
		const { id, name, type, path } = it.record;
		const onclick = (event) => {
			if (event.ctrlKey || event.metaKey || event.shiftKey) return;
			event.preventDefault();
			this.onopen(it, this);
		};
		const label = el("span.label", {}, ...pathOf(path), nameOf(name));
		return shut ? el("button.open", { onclick }, icon(family(type)), label) : el("a.open", { href: `files/${id}`, onclick }, icon(family(type)), label);
	}

	// also one that the filters do not show
	open(record) {
		this.onopen(this.shown.get(record.id) ?? { record }, this);
	}

	// icon, words, deed
	deeds(it) {
		const { record } = it;
		return [["get", "Download", () => download(record)], ["link", shut ? "Copy link (it needs a token)" : "Copy link", () => copyLinks([it], "Link")],
			...(it.row && this.mayDrop(it) ? [["drop", "Delete", () => this.doom([it])]] : [])];
	}
	equip(it) {
		refill(it.acts, ...this.deeds(it).map(([picture, words, deed]) => {
			const title = `${words}: ${it.record.name}`;
			return picture === "get" && !shut ? el("a.tool", { ...saving(it.record), title, "aria-label": title }, icon(picture)) : tool(picture, title, deed);
		}));
	}
	mayDrop({ record: { id, owner } }) {
		return deleteTokens()[id] || bearer() || (owner && owner === this.owner);
	}
	is(owner) {
		this.owner = owner;
		this.all.forEach((it) => it.doom || this.equip(it));
	}

	// Struck through now, deleted in a moment; until then there is a way back.
	doom(some) {
		for (const it of some) {
			it.doom = setTimeout(() => this.strike(it), GRACE);
			it.box.checked = false;
			it.row.classList.add("going");
			it.acts.replaceChildren(el("button", { "aria-label": `Undo deleting ${it.record.name}`, onclick: () => it.struck || this.spare(it) }, "Undo"));
		}
		some[0].acts.firstChild.focus();
		announce(`${some.length > 1 ? count(some.length, "file") : some[0].record.name} will be deleted; press Undo to keep.`);
		this.tell();
	}

	spare(it, why = "kept.") {
		clearTimeout(it.doom);
		it.doom = it.struck = 0;
		it.row.classList.remove("going");
		this.equip(it);
		if (it.acts.contains(document.activeElement)) it.acts.lastChild.focus();
		announce(`${it.record.name}: ${why}`);
	}

	strikeDoomed() {
		this.all.filter((it) => it.doom).forEach((it) => this.strike(it));
	}

	async strike(it) {
		const { id } = it.record;
		clearTimeout(it.doom);
		if (it.struck) return;
		it.struck = true;
		try {
			await ask(`files/${id}`, { method: "DELETE", headers: credentials(deleteTokens()[id]), keepalive: true });
		} catch (refusal) {
			if (refusal.status !== 404 && refusal.status !== 410) {
				const why = `Could not delete it. ${explain(refusal).what}`;
				it.row.cells[1].append(el("p.why", {}, el("b", {}, why)));
				return this.spare(it, why);
			}
		}
		setDeleteToken(id);
		if (this.shown.get(id) !== it) return;
		removeRow(it.row, ".open", $("find"));
		this.shown.delete(id);
		this.total--;
		this.tell();
	}
}
