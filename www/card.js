// card.js: what is known of one file, and a look inside that cannot bite: never as a page, but pictures (SVG too) in
// <img>, where no script runs, text as text, and PDF bytes typed by us, so that only the browser's reader gets them.

import { $, copy, el, icon } from "./dom.js";
import { bytes, exactly, family, visible, whenFully } from "./format.js";
import { credentials } from "./transport.js";
import { bearer } from "./store.js";
import { download, link } from "./list.js";

const TEXT_MOST = 64 * 1024;
const BLOB_MOST = 32 * 1024 * 1024;
let blobUrl = "";

const say = (text) => [el("p", {}, text)];

async function fetchBytes(record, range) {
	const answer = await fetch(link(record), { headers: { ...credentials(), ...range } });
	if (!answer.ok) throw new Error(answer.status);
	return answer;
}

// the file's own address; or a blob, where a token has to go along or the type is ours
async function source(record, type) {
	if (!bearer() && !type) return link(record);
	const blob = await (await fetchBytes(record)).blob();
	return (blobUrl = URL.createObjectURL(new Blob([blob], { type: type ?? record.type })));
}

async function text(record) {
	const most = Math.min(TEXT_MOST, record.size);
	const pre = el("pre", { tabindex: 0, dir: "auto", role: "region", "aria-label": `Beginning of ${visible(record.name)}` });
	if (most) {
		const reader = (await fetchBytes(record, { Range: `bytes=0-${most - 1}` })).body.pipeThrough(new TextDecoderStream()).getReader();
		for (let got = ""; got.length < most; pre.textContent = got.slice(0, most)) {
			const { done, value } = await reader.read();
			if (done) break;
			got += value;
		}
		reader.cancel();
	}
	return [pre, ...(most < record.size ? say(`The first ${bytes(most)} of ${bytes(record.size)}.`) : [])];
}

async function media(tag, record, more) {
	const node = el(tag, { ...more, src: await source(record) });
	node.onerror = () => node.replaceWith(...say("Your browser can't show this kind of file; download it."));
	return [node];
}

const VIEWS = {
	text,
	image: (record) => media("img", record, { alt: `Preview of ${visible(record.name)}` }),
	audio: (record) => media("audio", record, { controls: "", "aria-label": visible(record.name) }),
	video: (record) => media("video", record, { controls: "", "aria-label": visible(record.name) }),
	async pdf(record) {
		if (!navigator.pdfViewerEnabled) return say("Your browser has no PDF reader of its own; download the file.");
		return [el("iframe", { title: `Preview of ${visible(record.name)}`, src: await source(record, "application/pdf") })];
	},
};

function look(record) {
	const kind = family(record.type);
	const streams = kind === "text" || (/audio|video/.test(kind) && !bearer());
	if (VIEWS[kind] && !streams && record.size > BLOB_MOST) return say(`At ${bytes(record.size)} this is too large to show here; download it.`);
	return VIEWS[kind]?.(record) ?? [];
}

function facts(record) {
	const fact = (term, value, wide) => el("div", { class: wide }, el("dt", {}, term), el("dd", {}, el("bdi", {}, visible(value))));
	return [fact("Type, as found", record.type), fact("Type, as declared", record.declared_type ?? "–"), fact("Size", exactly(record.size)),
		fact("Received", whenFully(record.uploaded_at)), fact("Kept until", record.expires_at ? whenFully(record.expires_at) : "it is deleted"), fact("Sender", record.owner ?? "not named"),
		fact("SHA-256", record.sha256, "wide"), ...Object.entries(record.fields ?? {}).map(([name, value]) => fact(name === "note" ? "Note" : visible(name), [value].flat().join(", "), "wide"))];
}

export async function openCard(record, list) {
	const act = (word, onclick, kind) => el("button", { class: kind, onclick }, word);
	const drop = () => {
		$("card").close();
		list.doom([list.shown.get(record.id)]);
	};
	$("card-name").textContent = visible(record.name);
	$("card-facts").replaceChildren(...facts(record));
	$("card-acts").replaceChildren(act("Download", () => download(record), "main"), act("Copy link", () => copy(link(record), "Link")), ...(list.mayDrop(record) ? [act("Delete", drop)] : []));
	const view = el("div", { class: "card-view" });
	$("card-view").replaceChildren(view);
	$("card").showModal();
	view.append(...await Promise.resolve(record).then(look).catch(() => say("A look inside could not be fetched.")));
}

$("card-close").append(icon("x"));
$("card-close").onclick = () => $("card").close();
$("card").onclose = () => {
	$("card-view").replaceChildren();
	URL.revokeObjectURL(blobUrl);
};
