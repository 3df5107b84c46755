// tus.js: one file by tus 1.0.0, from where it stopped. The last request is the IETF draft's, which answers with the record.

import { Refusal, STALL, ask, send } from "./transport.js";
import { cuttable } from "./network.js";
import { remember, unfinished } from "./store.js";

export const LARGE = 16 * 2 ** 20; // from here on remembered beyond this page's life
const TUS = { "Tus-Resumable": "1.0.0" };

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

const request = (method, url, fine, signal, headers, more) => send(method, url, fine, { signal, stall: STALL, headers, ...more });

const keep = (item, at) => item.size > LARGE && remember(item.key, item.upload && Object.assign(item.upload, { at }));

async function create(item, signal) {
	const { name, size, type, note, path, keep: time } = item;
	const pairs = Object.entries({ filename: name, filetype: type, note, relativePath: path }).filter(([, value]) => value).map(([key, value]) => `${key} ${base64(value)}`);
	const xhr = await request("POST", `upload${time && `?expires_in=${time}`}`, [201], signal, { ...TUS, "Upload-Length": size, "Upload-Metadata": pairs.join() });
	const url = new URL(xhr.getResponseHeader("Location"), document.baseURI);
	if (url.origin !== location.origin) throw new Refusal("bad_request");
	item.upload = { url: url.href, name, size, at: 0 };
	keep(item, 0);
	return 0;
}

// -1: the server knows this upload no more; done: it had all of it, and we did not hear
async function offsetOf({ url, size }, signal) {
	const xhr = await request("HEAD", url, [200, 204, 403, 404, 410], signal, TUS);
	const same = Number(xhr.getResponseHeader("Upload-Length") ?? size) === size;
	return { at: same ? Number(xhr.getResponseHeader("Upload-Offset") ?? -1) : -1, done: same && xhr.getResponseHeader("Waybill-File") };
}

async function append(item, from, end, signal) {
	const { upload: { url }, file, size } = item;
	const last = end === size;
	const headers = { "Upload-Offset": from, ...(last ? { "Upload-Complete": "?1", "Content-Type": "application/partial-upload" } : { ...TUS, "Content-Type": "application/offset+octet-stream" }) };
	const moved = (at) => {
		item.moved(at);
		if (at > item.upload.at + size / 100) keep(item, at);
	};
	const xhr = await request("PATCH", url, [200, 201, 204], signal, headers,
		{ body: last && !from ? file : file.slice(from, end), onprogress: (n) => moved(Math.min(from + n, end)), onsent: () => last && item.turn("storing") });
	if (last) return { record: JSON.parse(xhr.responseText).files[0] };
	const at = Number(xhr.getResponseHeader("Upload-Offset"));
	if (!(at > from)) throw new Refusal("offset_conflict");
	return { at };
}

async function carry(item, chunk, signal) {
	let { at, done } = item.upload ? await offsetOf(item.upload, signal) : { at: -1 };
	const id = () => item.upload.url.split("/").at(-1); // a finished upload keeps its id
	if (done) return ask(`files/${id()}`).catch(() => ({ id: id() })); // also where we may not read
	if (at < 0) at = await create(item, signal);
	if (at > item.upload.seen) item.tries = 0; // it does get on
	item.upload.seen = at;
	item.turn("sending");
	for (;;) {
		item.moved(at);
		const step = await append(item, at, Math.min(at + chunk, item.size), signal);
		if (step.record) return step.record;
		item.upload.seen = at = step.at;
		item.tries = 0;
	}
}

// Resolves with the record; item.cut pauses it, calling again goes on.
export async function sendTus(item, chunk) {
	if (item.size > LARGE) item.upload ??= unfinished()[item.key];
	const cut = cuttable(item.cut.signal);
	try {
		const record = await carry(item, chunk, cut.signal);
		item.upload = null;
		keep(item);
		return record;
	} catch (error) {
		if (/^(type_refused|digest_mismatch|gone|expired|not_found)$/.test(error.slug)) {
			item.upload = null;
			keep(item);
		}
		throw error;
	} finally {
		cut.abort(); // and with it what listens
	}
}

export function endTus(item) {
	const { url } = item.upload ?? unfinished()[item.key] ?? {};
	remember(item.key);
	if (url) send("DELETE", url, [204], { headers: TUS }).catch(() => {});
}
