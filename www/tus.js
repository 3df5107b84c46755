// tus.js: a small tus 1.0.0 client (https://tus.io/protocols/resumable-upload). It goes on where it stopped: after
// a lost network, a restart of the server, a pause, a reload.

import { Refusal, send } from "./transport.js";
import { fileKey, recall, remember } from "./store.js";

const STALL = 75_000; // the server waits 60 s by default; we a little longer
const WAITS = [1, 2, 4, 8, 15, 30]; // seconds between tries
const PASSING = /^(network|body_timeout|offset_conflict|locked|busy|checksum_mismatch|incomplete_body|internal|server_gone)$/;
const VERSION = { "Tus-Resumable": "1.0.0" };

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

async function create(file, metadata, signal) {
	const pairs = metadata.filter(([, value]) => value).map(([key, value]) => `${key} ${base64(value)}`);
	const xhr = await send("POST", "upload", [201], { headers: { ...VERSION, "Upload-Length": file.size, "Upload-Metadata": pairs.join() }, signal, stall: STALL });
	const url = new URL(xhr.getResponseHeader("Location"), document.baseURI);
	if (url.origin !== location.origin) throw new Refusal("bad_request");
	return { url: url.href, name: file.name, size: file.size, at: 0, token: xhr.getResponseHeader("Waybill-Delete-Token") };
}

/** The offset the server has; -1: it knows this upload no more. */
async function offsetOf(url, size, signal) {
	const xhr = await send("HEAD", url, [200, 204, 403, 404, 410], { headers: VERSION, signal, stall: STALL });
	return Number(xhr.getResponseHeader("Upload-Length")) === size ? Number(xhr.getResponseHeader("Upload-Offset") ?? -1) : -1;
}

/** Wait, but no longer than until the network is back. */
function rest(seconds, signal) {
	return new Promise((resolve) => {
		setTimeout(resolve, seconds * 1000);
		addEventListener("online", resolve, { once: true });
		signal.addEventListener("abort", resolve);
	});
}

/** Offline nothing moves and nothing fails either: cut what is under way, so that it can be taken up again. */
function cuttable(signal) {
	const cut = new AbortController();
	const stop = () => cut.abort();
	signal.addEventListener("abort", stop);
	addEventListener("offline", stop, { signal: cut.signal });
	return cut;
}

/**
 * Send a file whole, taking up an earlier attempt. Abort `signal` to pause: calling again goes on. hooks:
 * onprogress(bytes), onsent(), onwait(seconds, refusal) before a new try, ongo() when it moves. Its {id, token}.
 */
export async function sendTus(file, metadata, chunk, hooks, signal) {
	const key = fileKey(file);
	const { size } = file;
	let it = recall(key);
	let offset = -1;
	for (let tries = 0; ;) {
		const { signal: cut } = cuttable(signal);
		const common = { signal: cut, stall: STALL };
		try {
			if (it) offset = await offsetOf(it.url, size, cut);
			if (offset < 0) {
				it = await create(file, metadata, cut);
				offset = 0;
			}
			remember(key, it);
			hooks.ongo();
			while (offset < size) {
				const from = offset;
				const end = Math.min(from + chunk, size);
				hooks.onprogress(from);
				const xhr = await send("PATCH", it.url, [200, 204], {
					...common, body: file.slice(from, end), headers: { ...VERSION, "Content-Type": "application/offset+octet-stream", "Upload-Offset": from },
					onprogress: (n) => hooks.onprogress(from + n), onsent: () => end === size && hooks.onsent(),
				});
				offset = Number(xhr.getResponseHeader("Upload-Offset"));
				if (!(offset > from)) throw new Refusal("offset_conflict");
				it.at = offset;
				it.token ??= xhr.getResponseHeader("Waybill-Delete-Token");
				remember(key, it);
				tries = 0;
			}
			remember(key);
			return { id: it.url.split("/").at(-1), token: it.token }; // a finished upload keeps its id
		} catch (refusal) {
			if (signal.aborted) throw refusal;
			const silent = ["network", "aborted"].includes(refusal.slug);
			if (refusal.slug === "type_refused" || refusal.status === 410) remember(key);
			if (!silent && (!PASSING.test(refusal.slug) || tries > WAITS.length)) throw refusal;
			const seconds = WAITS[Math.min(tries++, WAITS.length - 1)];
			hooks.onwait(seconds, silent ? new Refusal(navigator.onLine ? "server_gone" : "offline") : refusal);
			await rest(seconds, signal);
			if (signal.aborted) throw new Refusal("aborted");
		}
	}
}

/** Tell the server to drop an unfinished upload, and forget it. */
export function endTus(key) {
	const it = recall(key);
	remember(key);
	if (it) send("DELETE", it.url, [204], { headers: VERSION }).catch(() => {});
}
