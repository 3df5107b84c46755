// get.js: a download with a token, which no link carries: straight into a file where browsers let a page write one, else
// through their own store.

import { $, el, say } from "./dom.js";
import { bytes } from "./format.js";
import { fetchFile, save } from "./list.js";

// null: browsers without it, or too long after the click
async function chosenFile(suggestedName) {
	try {
		return await (await showSaveFilePicker({ suggestedName })).createWritable();
	} catch (error) {
		if (error.name === "AbortError") throw error;
		return null;
	}
}

export async function get(record) {
	const { name, size } = record, cut = new AbortController();
	const bar = el("progress", { max: size || 1, value: 0, "aria-label": `Fetched of ${name}` }), figures = el("span.figures");
	const row = el("p", {}, el("bdi.name", {}, name), figures, bar, el("button", { "aria-label": `Stop ${name}`, onclick: () => cut.abort() }, "Stop"));
	const counted = new TransformStream({
		transform(chunk, next) {
			bar.value += chunk.length;
			figures.textContent = `${bytes(bar.value)} of ${bytes(size)}`;
			next.enqueue(chunk);
		},
	});
	let file;
	try {
		file = await chosenFile(name);
		$("getting").append(row);
		const { body } = await fetchFile(record, {}, cut.signal);
		const stream = body.pipeThrough(counted);
		if (file) await stream.pipeTo(file);
		else save(URL.createObjectURL(await new Response(stream).blob()), name);
		say(`${name} received.`);
	} catch (error) {
		file?.abort().catch(() => {}); // nothing of it stays
		if (error.name !== "AbortError") say(`${name} could not be fetched.`);
	}
	row.remove();
}
