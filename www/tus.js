// tus.js: a small tus 1.0.0 client that goes on where it stopped: after lost networks, restarts, pauses, reloads.

import { Refusal, diagnose, send } from "./transport.js";
import { fileKey, remember, unfinished } from "./store.js";

const STALL = 75_000; // ms; a little more than the server's
const WAITS = [1, 2, 4, 8, 15, 30]; // seconds between tries
const PASSING = /^(offline|server_gone|connection_reset|body_timeout|offset_conflict|locked|busy|checksum_mismatch|incomplete_body|internal)$/;

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

const request = (method, url, fine, signal, headers, more) => send(method, url, fine, { signal, stall: STALL, headers: { "Tus-Resumable": "1.0.0", ...headers }, ...more });

async function create({ file: { name, size, type }, fields }, signal) {
	const pairs = [["filename", name], ["filetype", type], ...fields].filter(([, value]) => value).map(([key, value]) => `${key} ${base64(value)}`);
	const xhr = await request("POST", "upload", [201], signal, { "Upload-Length": size, "Upload-Metadata": pairs.join() });
	const url = new URL(xhr.getResponseHeader("Location"), document.baseURI);
	if (url.origin !== location.origin) throw new Refusal("bad_request");
	return { url: url.href, name, size, at: 0 };
}

// -1: the server knows this upload no more
async function offsetOf({ url, size }, signal) {
	const xhr = await request("HEAD", url, [200, 204, 403, 404, 410], signal);
	return Number(xhr.getResponseHeader("Upload-Length")) === size ? Number(xhr.getResponseHeader("Upload-Offset") ?? -1) : -1;
}

// no longer than until the network is back
function rest(seconds, signal) {
	return new Promise((resolve) => {
		setTimeout(resolve, seconds * 1000);
		addEventListener("online", resolve, { once: true });
		signal.addEventListener("abort", resolve);
	});
}

// Offline nothing moves and nothing fails either: what is under way is cut, to be taken up again.
function cuttable(signal) {
	const cut = new AbortController();
	addEventListener("offline", () => cut.abort(), { once: true });
	return AbortSignal.any([signal, cut.signal]);
}

// Send an item, taking up an earlier attempt; its `cut` pauses it: calling again goes on.
export async function sendTus(item, chunk) {
	const { file, size, cut: { signal } } = item;
	const key = fileKey(file);
	let it = unfinished()[key];
	let offset = -1;
	let token;
	const moved = (at) => {
		item.moved(at);
		if (at > it.at + size / 100) remember(key, Object.assign(it, { at }));
	};
	for (let tries = 0; ;) {
		const cut = cuttable(signal);
		try {
			if (it) offset = await offsetOf(it, cut);
			if (offset < 0) {
				it = await create(item, cut);
				offset = 0;
			}
			remember(key, it);
			item.turn("sending");
			while (offset < size) {
				const from = offset;
				const end = Math.min(from + chunk, size);
				item.moved(from);
				const xhr = await request("PATCH", it.url, [200, 204], cut, { "Content-Type": "application/offset+octet-stream", "Upload-Offset": from },
					{ body: file.slice(from, end), onprogress: (n) => moved(from + n), onsent: () => end === size && item.turn("storing") });
				offset = Number(xhr.getResponseHeader("Upload-Offset"));
				if (!(offset > from)) throw new Refusal("offset_conflict");
				token = xhr.getResponseHeader("Waybill-Delete-Token");
				tries = 0;
			}
			remember(key);
			return { id: it.url.split("/").at(-1), delete_token: token }; // a finished upload keeps its id
		} catch (error) {
			if (signal.aborted) throw error;
			const refusal = error.status ? error : await diagnose(file);
			if (refusal.slug === "type_refused" || refusal.status === 410) remember(key);
			if (!PASSING.test(refusal.slug) || (refusal.status && tries > WAITS.length)) throw refusal;
			const seconds = WAITS[Math.min(tries++, WAITS.length - 1)];
			item.turn("paused", refusal, performance.now() + seconds * 1000);
			await rest(seconds, signal);
			if (signal.aborted) throw new Refusal("aborted");
		}
	}
}
