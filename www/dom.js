// dom.js: how this page makes elements. What comes from outside goes in as text only, and made visible.

import { splitName, visible } from "./format.js";

export const $ = (id) => document.getElementById(id);

/** el("button.tool", { title, onclick }, "text", child) */
export function el(what, attributes = {}, ...children) {
	const [tag, ...classes] = what.split(".");
	const node = document.createElement(tag);
	node.classList.add(...classes);
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") node[name] = value;
		else if (value != null) node.setAttribute(name, visible(value));
	}
	node.append(...children.map((it) => (it instanceof Node ? it : visible(it))));
	return node;
}

export function icon(name) {
	const svg = $("icon").content.firstChild.cloneNode(true);
	svg.firstChild.setAttribute("href", `#i-${name}`);
	return svg;
}

export const nameOf = (name, title) => el("bdi.name", { title: title || name }, ...splitName(visible(name)).map((part) => el("span", {}, part)));

// the folder of a file that came with one, to stand above its name
export const pathOf = (path) => (path ? [el("bdi.path.small", { title: path }, `${path}/`)] : []);

export const tool = (picture, title, onclick) => el("button.tool", { title, onclick }, icon(picture));

export function setText(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

// Whoever works by keyboard keeps the place when what was there changes.
export function refill(box, ...nodes) {
	const had = box.contains(document.activeElement);
	box.replaceChildren(...nodes);
	if (had) box.firstChild.focus();
}

export function removeRow(row, target, otherwise) {
	const next = row.nextElementSibling ?? row.previousElementSibling;
	const had = row.contains(document.activeElement);
	row.remove();
	if (had) (next?.querySelector(target) ?? otherwise).focus();
}

// What many change is drawn together. Not by requestAnimationFrame: the title is read when the page is not.
const due = new Set();
export function soon(deed, ms) {
	if (!due.size) setTimeout(() => [...due].forEach((it) => due.delete(it) && it()), ms);
	due.add(deed);
}

const pending = new Set();
export function announce(text) {
	if (!pending.size) setTimeout(() => {
		const all = [...pending];
		$("live").textContent = all.slice(-3).join(" ") + (all.length > 3 ? ` And ${all.length - 3} more.` : "");
		pending.clear();
	}, 1500);
	pending.add(visible(text));
}

// for eyes as well, for a moment
let shown = 0;
export function say(text) {
	announce(text);
	clearTimeout(shown);
	$("said").textContent = visible(text);
	$("said").hidePopover(); // anew, above a dialog that has opened meanwhile
	$("said").showPopover();
	shown = setTimeout(() => $("said").hidePopover(), 3000);
}

export async function copy(text, what, more = "") {
	const fill = (event) => {
		event.clipboardData.setData("text/plain", text);
		event.preventDefault();
	};
	let done = true;
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		// without https: the old way
		addEventListener("copy", fill);
		done = document.execCommand("copy");
		removeEventListener("copy", fill);
	}
	say(`${what} ${done ? "copied" : "could not be copied"}. ${more}`.trim());
}
