// refusals.js: every way it can fail, in plain words: what happened, and what to do. Pure.

import { bytes, kind } from "./format.js";

const host = "whoever runs this server";
const nothing = "Nothing was stored.";
const reload = "Reload the page and retry.";
const broke = "The connection broke off before the server answered.";
const GARBLED = /^(bad_|unsupported_|no_file|tus_)/;

// slug -> [what happened, what to do if not just to retry], or a function of what the server told and of the file
const SENTENCES = {
	too_large: ({ max_bytes }, { size }) => [
		size <= max_bytes ? "The file and its form together are too large." : `The file is too large: ${bytes(size)}.`,
		max_bytes ? `This server takes at most ${bytes(max_bytes)}. Split it or make it smaller.` : `A web server on the way has a smaller limit; tell ${host}.`,
	],
	type_refused: ({ detected_type }) => [
		detected_type ? `The server looked inside and found ${kind(detected_type)}, which it does not take.` : "The server does not take files of this type.",
		`Convert the file, or ask ${host}.`,
	],
	length_required: ["The request arrived without its length (411).", `Something on the way drops it, most likely a proxy; tell ${host}.`],
	insufficient_storage: ["The server has no room left for this file.", `${nothing} Send something smaller, or retry when there is space.`],
	quota_exceeded: ["This would go over what you may keep here.", `${nothing} Delete something of yours below, then retry.`],
	body_timeout: ["The connection stood still for too long."],
	unauthorized: ({ detail = "" }) => ["The server wants to know who you are.", `${detail} Enter a token, or sign in, then retry.`.trim()],
	forbidden: ({ detail = "" }) => ["You may not do that here.", `${detail} Ask ${host}.`.trim()],
	cross_site: ["The server took this for a request of another site.", "Open this page by its own address and retry."],
	offline: ["This device is offline."],
	server_gone: ["The server does not answer."],
	connection_reset: [broke, "Retry: it goes on from what has arrived. If it happens again, a server on the way may have a smaller limit."],
	unreadable: ["The file can no longer be read: it was moved, changed, or is a folder.", "Choose it again."],
	busy: ["The server is busy."],
	internal: ["The server failed.", "Retry; its log has the reason."],
	incomplete_body: ["Not all of the file reached the server."],
	not_found: ["There is nothing at this address any more.", reload],
	method_not_allowed: ["Uploads are not taken at this address.", `Tell ${host}.`],
	expired: ["This upload lay too long and was cleared away."],
	gone: ["This upload was ended from elsewhere."],
	offset_conflict: ["Server and page disagree about how much has arrived."],
	locked: ["Another connection is still sending this file."],
	too_many_files: ["These are too many files at once.", "Send fewer."],
	fields_too_large: ["The note is too long.", "Shorten it and retry."],
	name_too_long: ["The name of the file is too long.", "Shorten it and choose the file again."],
	key_reused: ["Something else was sent in its place before.", "Choose it again."],
	digest_mismatch: ["What arrived is not what was sent."],
	checksum_mismatch: ["A piece was damaged on its way and thrown away."],
};

// final: it would end the same way however often one tries
export function explain({ slug, status, told = {} }, file = {}) {
	const known = SENTENCES[slug] ?? (GARBLED.test(slug) ? ["The request was garbled on its way.", reload] : [`The server refused it (${status}).`, told.detail]);
	const [what, todo = "Retry in a moment."] = typeof known === "function" ? known(told, file) : known;
	return { what, todo, final: /^(too_large|type_refused|name_too_long|unreadable)$/.test(slug) };
}
