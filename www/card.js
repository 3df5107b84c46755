// card.js: what is known of one file, and a look inside that cannot bite: pictures (SVG too) in <img>, where no script
// runs, text as text, and PDF bytes typed by us, so that only the browser's reader gets them.

import { $, copy, el, icon } from "./dom.js";
import { bytes, exactly, family, kind, whenFully } from "./format.js";
import { address, fetchFile, isShut, link, saving } from "./list.js";

const TEXT_MOST = 2 ** 16;
const BLOB_MOST = 2 ** 25;
let shown = ""; // the address of what is looked at

const say = (text) => [el("p", {}, text)];

async function text(record) {
	const most = Math.min(TEXT_MOST, record.size);
	const pre = el("pre", { tabindex: 0, dir: "auto", role: "region", "aria-label": `Beginning of ${record.name}` });
	if (most) pre.textContent = await (await fetchFile(record, { Range: `bytes=0-${most - 1}` })).text();
	return [pre, ...(most < record.size ? say(`The first ${bytes(most)} of ${bytes(record.size)}.`) : [])];
}

async function media(tag, record, more) {
	const node = el(tag, { ...more, src: (shown = await address(record)) });
	node.onerror = () => node.replaceWith(...say("Your browser can't show this kind of file; download it."));
	return [node];
}
const playable = (tag) => (record) => media(tag, record, { controls: "", "aria-label": record.name });

const VIEWS = {
	text,
	image: (record) => media("img", record, { alt: `Preview of ${record.name}` }),
	audio: playable("audio"),
	video: playable("video"),
	async pdf(record) {
		if (!navigator.pdfViewerEnabled) return say("Your browser has no PDF reader of its own; download the file.");
		return [el("iframe", { title: `Preview of ${record.name}`, src: (shown = await address(record, "application/pdf")) })];
	},
};

async function look(record) {
	const kind = family(record.type);
	const streams = kind === "text" || (/audio|video/.test(kind) && !isShut());
	if (VIEWS[kind] && !streams && record.size > BLOB_MOST) return say(`At ${bytes(record.size)} this is too large to show here; download it.`);
	return VIEWS[kind]?.(record) ?? [];
}

function code(href) {
	const box = el("details", {}, el("summary", {}, "QR code"));
	box.ontoggle = async () => {
		box.ontoggle = null;
		const rows = (await import("./qr.js")).qr(href), svg = icon("x"), side = rows?.length + 8;
		if (!rows) return box.append(...say("The link is too long for one."));
		const path = document.createElementNS(svg.namespaceURI, "path");
		path.setAttribute("d", rows.flatMap((row, y) => [...row.matchAll(/1+/g)].map(({ 0: { length }, index }) => `M${index + 4} ${y + 4}h${length}v1h-${length}z`)).join(""));
		svg.replaceChildren(path);
		for (const [name, value] of Object.entries({ class: "qr", viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": "QR code of the link", "aria-hidden": false })) svg.setAttribute(name, value);
		box.append(svg);
		return svg.scrollIntoView({ block: "nearest" });
	};
	return box;
}

function facts(record) {
	const { type, declared_type, size, uploaded_at, expires_at, owner, sha256, path, fields } = record, href = link(record);
	const fact = (term, value, wide) => el("div", { class: wide }, el("dt", {}, term), el("dd", {}, ...[value].flat().map((it) => (it instanceof Node ? it : el("bdi", {}, it)))));
	return [
		fact("Type", kind(type) === type ? type : `${kind(type)} (${type})`), ...(declared_type && declared_type !== type ? [fact("Type, as declared", declared_type)] : []), fact("Size", exactly(size)),
		fact("Received", whenFully(uploaded_at)), fact("Kept until", expires_at ? whenFully(expires_at) : "it is deleted"),
		fact("Sender", owner ?? "not named"), ...(path ? [fact("Folder", path)] : []), fact("SHA-256", [sha256, " ", el("button.plain", { onclick: () => copy(sha256, "SHA-256") }, "Copy SHA-256")], "wide"),
		fact(isShut() ? "Link; it needs a token" : "Link", [isShut() ? href : el("a", { href }, href), code(href)], "wide"),
		...Object.entries(fields).map(([name, value]) => fact(name === "note" ? "Note" : name, [value].flat().join(", "), "wide")),
	];
}

export async function openCard(it, list) {
	const { record } = it;
	const acts = list.deeds(it).map(([picture, words, deed]) => picture === "get" && !isShut() ? el("a.button", saving(record), words) : el("button", {
		onclick() {
			if (/drop|get/.test(picture)) $("card").close();
			deed();
		},
	}, words));
	$("card-name").replaceChildren(el("bdi", {}, record.name));
	$("card-facts").replaceChildren(...facts(record));
	$("card-acts").replaceChildren(...acts);
	const view = el("div.card-view");
	$("card-view").replaceChildren(view);
	$("card").showModal();
	view.append(...await look(record).catch(() => say("A look inside could not be fetched.")));
}

$("card-close").append(icon("x"));
$("card-close").onclick = () => $("card").close();
$("card").onclose = () => {
	$("card-view").replaceChildren();
	URL.revokeObjectURL(shown);
};
