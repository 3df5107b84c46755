// card.js: one file's own note: what is known of it, and a look inside that cannot bite.
//
// Nothing of a file is ever shown as a page. Pictures (SVG too) go through <img>, where no script runs; text is
// text; PDF bytes get their type from us, so that they can only reach the browser's own reader.

import { $, copy, el, tool } from "./dom.js";
import { bytes, exactly, family, visible, whenFully } from "./format.js";
import { credentials } from "./transport.js";
import { bearer } from "./store.js";
import { download, link } from "./list.js";

const TEXT_MOST = 64 * 1024;
const BLOB_MOST = 32 * 1024 * 1024;
let blobUrl = "";
let turn = 0;

function clear() {
	turn++;
	$("card-view").replaceChildren();
	if (blobUrl) URL.revokeObjectURL(blobUrl);
	blobUrl = "";
}

async function fetchBytes(record, headers = {}) {
	const answer = await fetch(link(record), { headers: { ...credentials(), ...headers } });
	if (!answer.ok) throw new Error(answer.status);
	return answer;
}

/** An address for <img> and the like: the file's own, or a blob where a token has to go along. */
async function source(record, type) {
	if (!bearer() && !type) return link(record);
	const blob = await (await fetchBytes(record)).blob();
	return (blobUrl = URL.createObjectURL(new Blob([blob], { type: type || record.type })));
}

async function textOf(record) {
	const wanted = Math.min(TEXT_MOST, record.size);
	if (!wanted) return "";
	const answer = await fetchBytes(record, { Range: `bytes=0-${wanted - 1}` });
	const reader = answer.body.getReader(); // a server without ranges sends all of it: stop there
	const head = new Uint8Array(wanted);
	let got = 0;
	while (got < wanted) {
		const { done, value } = await reader.read();
		if (done) break;
		head.set(value.subarray(0, wanted - got), got);
		got += Math.min(value.length, wanted - got);
	}
	reader.cancel().catch(() => {});
	return new TextDecoder().decode(head.subarray(0, got));
}

const say = (...words) => [el("p", {}, ...words)];

const VIEWS = {
	async image(record) {
		if (record.size > BLOB_MOST) return say(`A picture of ${bytes(record.size)} is too large to show here; download it.`);
		const img = el("img", { alt: `Preview of ${visible(record.name)}`, src: await source(record) });
		img.onerror = () => img.replaceWith(...say("Your browser can't show this kind of picture; download it."));
		return [img];
	},
	async text(record) {
		const pre = el("pre", { tabindex: 0, dir: "auto", role: "region", "aria-label": `Beginning of ${visible(record.name)}` });
		pre.textContent = await textOf(record);
		return record.size > TEXT_MOST ? [pre, el("p", { class: "small" }, `The first ${bytes(TEXT_MOST)} of ${bytes(record.size)}.`)] : [pre];
	},
	async pdf(record) {
		if (!navigator.pdfViewerEnabled) return say("Your browser has no PDF reader of its own; download the file.");
		if (record.size > BLOB_MOST) return say(`A PDF of ${bytes(record.size)} is too large to show here; download it.`);
		return [el("iframe", { title: `Preview of ${visible(record.name)}`, src: await source(record, "application/pdf") })];
	},
	audio: media,
	video: media,
};

async function media(record) {
	if (bearer() && record.size > BLOB_MOST) return say("Too large to play here while a token is in use; download it.");
	const player = el(family(record.type), { controls: true, preload: "metadata", src: await source(record), "aria-label": `Play ${visible(record.name)}` });
	player.onerror = () => player.replaceWith(...say("Your browser can't play this; download it."));
	return [player];
}

function facts(record) {
	const fact = (term, text, wide = false, title = null) => el("div", { class: wide ? "wide" : null }, el("dt", {}, term), el("dd", { title }, el("bdi", {}, text)));
	const all = [fact("Type, as found", record.type), fact("Type, as declared", record.declared_type || "–"), fact("Size", bytes(record.size), false, exactly(record.size)),
		fact("Received", whenFully(record.uploaded_at)), fact("Sender", record.owner === null ? "not named" : visible(record.owner)),
		fact("Kept until", record.expires_at ? whenFully(record.expires_at) : "deleted"), fact("SHA-256", record.sha256, true)];
	for (const [name, value] of Object.entries(record.fields || {})) all.push(fact(name === "note" ? "Note" : visible(name), [value].flat().join("\n"), true));
	return all;
}

export async function openCard(record, list) {
	clear();
	const mine = turn;
	$("card-name").textContent = visible(record.name);
	$("card-facts").replaceChildren(...facts(record));
	const act = (text, onclick, main = false) => el("button", { type: "button", class: main ? "main" : null, onclick }, text);
	$("card-acts").replaceChildren(act("Download", () => download(record), true), act("Copy link", () => copy(link(record), "Link")), act("Copy SHA-256", () => copy(record.sha256, "SHA-256")));
	if (list.mayDrop(record)) $("card-acts").append(act("Delete", () => {
		$("card").close();
		const it = list.shown.get(record.id);
		if (it && !it.doom) list.doom(it);
	}));
	$("card").showModal();
	const view = VIEWS[family(record.type)];
	if (!view) return;
	$("card-view").append(...say("Fetching a look inside."));
	const nodes = await view(record).catch(() => say("A look inside could not be fetched."));
	if (mine === turn) $("card-view").replaceChildren(...nodes);
}

$("card-close").append(...tool("x", "", "", () => {}).childNodes);
$("card-close").onclick = () => $("card").close();
$("card").onclose = clear;
$("card").onclick = (event) => event.target === $("card") && $("card").close();
