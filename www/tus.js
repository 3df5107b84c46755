// tus.js: a small tus 1.0.0 client for large files. It goes on where it stopped: after lost networks,
// server restarts, a pause, a reload (https://tus.io/protocols/resumable-upload).

import { Failure, Refusal, refusalOf, send } from "./transport.js";
import { fileKey, recall, remember } from "./store.js";

const STALL = 75_000; // the server gives up after body_timeout (60 s by default); we just after
const WAITS = [1, 2, 4, 8, 15, 30]; // seconds between tries
const ANSWERED_TRIES = 6; // a server that answers 500 so often means it
const PASSING = new Set([408, 409, 423, 429, 460, 500, 502, 503, 504]);
const VERSION = { "Tus-Resumable": "1.0.0" };

function base64(text) {
	return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function ours(location) {
	const url = new URL(location, document.baseURI);
	if (url.origin !== window.location.origin) throw new Refusal("internal", 201);
	return url.href;
}

async function create(file, metadata, signal) {
	const pairs = metadata.filter(([, value]) => value).map(([key, value]) => `${key} ${base64(value)}`);
	const xhr = await send("POST", "upload", { headers: { ...VERSION, "Upload-Length": file.size, "Upload-Metadata": pairs.join(",") }, signal, stall: STALL });
	if (xhr.status !== 201) throw refusalOf(xhr.status, xhr.responseText);
	const location = xhr.getResponseHeader("Location");
	if (!location) throw new Refusal("internal", 201);
	return { url: ours(location), token: xhr.getResponseHeader("Waybill-Delete-Token") };
}

/** The offset the server has, or null if it knows this upload no more. */
async function offsetOf(url, size, signal) {
	const xhr = await send("HEAD", url, { headers: VERSION, signal, stall: STALL });
	const offset = Number(xhr.getResponseHeader("Upload-Offset") ?? NaN);
	const gone = [403, 404, 410].includes(xhr.status);
	if (gone || (xhr.status < 300 && Number(xhr.getResponseHeader("Upload-Length")) !== size)) return null;
	if (xhr.status >= 300 || !Number.isInteger(offset) || offset > size) throw refusalOf(xhr.status, "");
	return offset;
}

async function append(file, url, offset, end, hooks, signal) {
	const last = end === file.size;
	const xhr = await send("PATCH", url, {
		headers: { ...VERSION, "Content-Type": "application/offset+octet-stream", "Upload-Offset": offset },
		body: file.slice(offset, end), signal, stall: STALL,
		onprogress: (n) => hooks.onprogress(offset + n),
		onsent: () => last && hooks.onsent(),
	});
	if (xhr.status !== 204 && xhr.status !== 200) throw refusalOf(xhr.status, xhr.responseText);
	const now = Number(xhr.getResponseHeader("Upload-Offset"));
	if (!(now > offset)) throw new Refusal("offset_conflict", 409);
	return { now, file: xhr.getResponseHeader("Waybill-File"), token: xhr.getResponseHeader("Waybill-Delete-Token") };
}

/** Wait, but not longer than until the network is back. */
function rest(seconds, signal) {
	return new Promise((resolve, reject) => {
		const over = () => {
			clearTimeout(timer);
			removeEventListener("online", over);
			signal.removeEventListener("abort", over);
			if (signal.aborted) reject(new Failure("aborted"));
			else resolve();
		};
		const timer = setTimeout(over, seconds * 1000);
		addEventListener("online", over);
		signal.addEventListener("abort", over);
	});
}

/** While offline nothing moves and nothing fails either: cut what is under way, so that it can be taken up again. */
function cuttable(signal) {
	const cut = new AbortController();
	const stop = () => cut.abort();
	signal.addEventListener("abort", stop);
	addEventListener("offline", stop);
	return { signal: cut.signal, free: () => (signal.removeEventListener("abort", stop), removeEventListener("offline", stop)) };
}

/**
 * Send a file whole, taking up an earlier attempt if there is one. Abort `signal` to pause: calling again goes on.
 * hooks: onprogress(bytes), onsent(), onwait(seconds, error) before each new try, ongo() when it moves again.
 * Resolves with {id, token}.
 */
export async function sendTus(file, metadata, chunk, hooks, signal) {
	const key = fileKey(file);
	let { url = null, token = null } = recall(key) || {};
	let offset = null;
	let finished = "";
	let tries = 0;
	for (;;) {
		const cut = cuttable(signal);
		try {
			if (url && offset === null) {
				offset = await offsetOf(url, file.size, cut.signal);
				if (offset === null) url = null;
			}
			if (!url) {
				({ url, token } = await create(file, metadata, cut.signal));
				offset = 0;
				remember(key, { url, token, name: file.name, size: file.size, at: 0 });
			}
			hooks.ongo();
			hooks.onprogress(offset);
			while (offset < file.size) {
				const end = Math.min(offset + chunk, file.size);
				const step = await append(file, url, offset, end, hooks, cut.signal);
				offset = step.now;
				finished = step.file || finished;
				token = step.token || token;
				tries = 0;
				remember(key, { at: offset });
			}
			remember(key, null);
			return { id: (finished || url).replace(/\/content.*$/, "").split("/").at(-1), token };
		} catch (error) {
			if (signal.aborted) throw new Failure("aborted");
			const answered = error instanceof Refusal;
			if (answered && !PASSING.has(error.status) && error.slug !== "incomplete_body") {
				if (error.status === 410 || error.slug === "type_refused") remember(key, null);
				throw error;
			}
			if (answered && ++tries > ANSWERED_TRIES) throw error;
			const seconds = WAITS[Math.min(answered ? tries - 1 : tries++, WAITS.length - 1)];
			offset = null;
			hooks.onwait(seconds, error);
			await rest(seconds, signal);
		} finally {
			cut.free();
		}
	}
}

/** Tell the server to drop an unfinished upload, and forget it. */
export async function endTus(key) {
	const known = recall(key);
	remember(key, null);
	if (known) await send("DELETE", known.url, { headers: VERSION }).catch(() => {});
}
