// mock.mjs: a stand-in for the worker that keeps its promises as far as the page can see them,
// and that can be told to refuse, to dawdle, to cut connections. Files are held as their first MiB and a digest.
//
//     const mock = await startMock({ base: "/drop", policy: { max_bytes: 1000 } });
//     mock.url; mock.files; mock.rate = 1 << 20; mock.cutAfter = 3e6; await mock.stop();
//
// `node mock.mjs [PORT]` serves it for looking at.

import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { extname, join, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { noise } from "../chance.mjs";

const WWW = join(dirname(fileURLToPath(import.meta.url)), "../../www");
const STATIC = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; frame-src 'self' blob:; "
	+ "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";
const HEAD = 1 << 20;
const SECONDS = { "1h": 3600, "1d": 86_400, "7d": 604_800, "30d": 2_592_000 };
const SLUG_TITLES = { 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 410: "Gone", 411: "Length Required",
	413: "Content Too Large", 415: "Unsupported Media Type", 500: "Internal Server Error", 503: "Service Unavailable", 507: "Insufficient Storage", 408: "Request Timeout" };

const id = () => [...noise(26, "id")].map((b) => "0123456789abcdefghjkmnpqrstvwxyz"[b & 31]).join("");

/** What libmagic would say, near enough for the page's tests. */
export function sniff(head, name) {
	const s = head.toString("latin1", 0, 512);
	if (s.startsWith("\x89PNG")) return "image/png";
	if (s.startsWith("%PDF")) return "application/pdf";
	if (s.startsWith("\x7fELF")) return "application/x-executable";
	if (s.startsWith("RIFF") && s.slice(8, 12) === "WAVE") return "audio/x-wav";
	if (s.startsWith("PK\x03\x04")) return "application/zip";
	if (/<svg/.test(s)) return "image/svg+xml";
	if (!head.length) return "inode/x-empty";
	return /[\x00-\x08\x0e-\x1f]/.test(s) ? "application/octet-stream" : extname(name) === ".json" ? "application/json" : "text/plain";
}

export async function startMock({ base = "", port = 0, policy = {} } = {}) {
	const mock = {
		policy: { max_bytes: 1 << 30, max_files: 64, allow_types: ["*/*"], deny_types: ["application/x-executable", "application/x-sharedlib", "application/x-dosexec", "application/x-mach-binary"],
			resumable: true, owner: null, streamed: true, quota: null, expires_after: null, ...policy },
		files: [], uploads: new Map(), requests: [], keys: new Map(), // idempotency key -> file
		rate: 0,          // bytes a second that a body is read at; 0: as it comes
		cutAfter: 0, cuts: 0, // destroy the connection after so many bytes of a body, so many times
		refuseNext: null, // [status, slug, detail, extra] for the next upload
		token: null,      // a bearer token that uploads, reading and deleting need
		formsOnly: false, // as busybox: no length but with a form
		loseAnswers: false, // a body is taken in, its answer never goes out
		hold: 0,          // ms between the last byte and the answer
		down: false,      // every connection is dropped
		peak: 0, now: 0,  // uploads side by side
	};

	const json = (res, status, value, headers = {}) => {
		res.writeHead(status, { "Content-Type": status >= 400 ? "application/problem+json" : "application/json", "Cache-Control": "no-cache", ...headers });
		res.end(value === null ? undefined : JSON.stringify(value));
	};
	const refuse = (req, res, status, slug, detail = slug, extra = {}) => {
		if (/text\/html/.test(req.headers.accept || "")) {
			res.writeHead(status, { "Content-Type": "text/html; charset=utf-8", Connection: "close" });
			return res.end(`<!doctype html><title>${SLUG_TITLES[status]}</title><h1>${SLUG_TITLES[status]}</h1><p>${detail}</p>`);
		}
		return json(res, status, { type: "about:blank", title: SLUG_TITLES[status] || "", status, detail, error: slug, message: detail, code: status, ...extra },
			{ Connection: "close", ...(status === 401 && { "WWW-Authenticate": "Bearer" }) });
	};
	const allowed = (type) => {
		const hit = (globs) => globs.some((g) => g === "*/*" || g === type || (g.endsWith("/*") && type.startsWith(g.slice(0, -1))));
		return !hit(mock.policy.deny_types) && hit(mock.policy.allow_types);
	};

	/** Read a body at mock.rate; false when it was cut. */
	async function pour(req, take) {
		let seen = 0;
		const began = Date.now();
		for await (const bytes of req) {
			if (mock.down) return req.socket.destroy(), false;
			take(bytes);
			seen += bytes.length;
			if (mock.cuts && seen >= mock.cutAfter) {
				mock.cuts--;
				req.socket.destroy();
				return false;
			}
			const ahead = mock.rate ? (1000 * seen) / mock.rate - (Date.now() - began) : 0;
			if (ahead > 5) await new Promise((go) => setTimeout(go, ahead));
		}
		if (mock.hold) await new Promise((go) => setTimeout(go, mock.hold));
		return true;
	}

	function enter(name, content, size, declared, { path = null, relativePath, expires_in: lasts, ...fields }, whole) {
		const fileId = whole?.id || id();
		const record = { id: fileId, name: name.split(/[\\/]/).pop() || "unnamed", path: path || relativePath || null, size, type: sniff(content, name), declared_type: declared,
			sha256: whole?.sha256 || createHash("sha256").update(content).digest("hex"), owner: mock.token ? "alice" : null, fields,
			uploaded_at: new Date(Date.now() + mock.files.length).toISOString(), expires_at: lasts ? new Date(Date.now() + 1000 * SECONDS[lasts]).toISOString() : null, url: `${base}/files/${fileId}/content` };
		const kept = { ...record, content, delete_token: mock.token ? null : `dt-${fileId}` };
		mock.files.push(kept);
		return kept;
	}
	const told = ({ content, delete_token, ...record }, withToken) => (withToken && delete_token ? { ...record, delete_token } : record);

	async function whole(req, res, query) {
		const { "content-length": length, "content-type": declared = null, "idempotency-key": key } = req.headers;
		if (Number(length) > mock.policy.max_bytes) return refuse(req, res, 413, "too_large", "too large", { max_bytes: mock.policy.max_bytes });
		const chunks = [];
		mock.peak = Math.max(mock.peak, ++mock.now);
		if (!(await pour(req, (b) => chunks.push(b)).finally(() => mock.now--))) return undefined;
		const { name, ...more } = Object.fromEntries(query);
		const content = Buffer.concat(chunks), type = sniff(content, name);
		if (!allowed(type)) return refuse(req, res, 415, "type_refused", `${name} is ${type}, which is not accepted here.`, { file: name, detected_type: type });
		const kept = once(key, () => enter(name, content, content.length, declared, more));
		if (mock.loseAnswers) return req.socket.destroy();
		return json(res, 201, { files: [told(kept, true)] }, { Location: kept.url });
	}

	function once(key, make) {
		if (!key) return make();
		if (!mock.keys.has(key)) mock.keys.set(key, make());
		return mock.keys.get(key);
	}

	async function form(req, res) {
		const boundary = /boundary=(?:"([^"]+)"|([^;]+))/.exec(req.headers["content-type"])?.slice(1).find(Boolean);
		if (Number(req.headers["content-length"]) > mock.policy.max_bytes) return refuse(req, res, 413, "too_large", "too large", { max_bytes: mock.policy.max_bytes });
		const chunks = [];
		mock.peak = Math.max(mock.peak, ++mock.now);
		const whole = await pour(req, (b) => chunks.push(b)).finally(() => mock.now--);
		if (!whole) return undefined;
		const text = Buffer.concat(chunks).toString("latin1");
		const fields = {};
		const parts = [];
		for (const part of text.split(`--${boundary}`).slice(1, -1)) {
			const cut = part.indexOf("\r\n\r\n");
			const header = Buffer.from(part.slice(0, cut), "latin1").toString("utf8");
			const content = part.slice(cut + 4, -2);
			const name = /name="([^"]*)"/.exec(header)[1];
			const filename = /filename="([^"]*)"/.exec(header)?.[1];
			if (filename === undefined) fields[name] = Buffer.from(content, "latin1").toString("utf8");
			else if (filename || content) parts.push([decodeURIComponent(filename.replace(/%(?!0A|0D|22)/g, "%25")), Buffer.from(content, "latin1"), /content-type: ([^\r\n]+)/i.exec(header)?.[1] ?? null]);
		}
		if (!parts.length) return refuse(req, res, 400, "no_file", "The form carried no file.");
		for (const [name, content] of parts) {
			const type = sniff(content, name);
			if (!allowed(type)) return refuse(req, res, 415, "type_refused", `${name} is ${type}, which is not accepted here.`, { file: name, detected_type: type });
		}
		const { idempotency_key: key, ...rest } = fields;
		const kept = parts.map(([name, content, declared], i) => once(key && `${key} ${i}`, () => enter(name, content, content.length, declared, rest)));
		if (mock.loseAnswers) return req.socket.destroy();
		if (/text\/html/.test(req.headers.accept || "")) {
			res.writeHead(303, { Location: `${base}/files/${kept[0].id}` });
			return res.end();
		}
		return json(res, 201, { files: kept.map((f) => told(f, true)) }, { Location: kept[0].url });
	}

	async function tus(req, res, rest, query) {
		const h = { "Tus-Resumable": "1.0.0", "Cache-Control": "no-store" };
		if (req.method === "POST") {
			const size = Number(req.headers["upload-length"]);
			if (size > mock.policy.max_bytes) return refuse(req, res, 413, "too_large", "too large", { max_bytes: mock.policy.max_bytes });
			const metadata = Object.fromEntries((req.headers["upload-metadata"] || "").split(",").map((p) => p.split(" ")).map(([k, v]) => [k, Buffer.from(v || "", "base64").toString()]).concat([["expires_in", query.get("expires_in") ?? ""]]));
			const up = { id: id(), size, offset: 0, head: Buffer.alloc(0), hash: createHash("sha256"), metadata, requests: 0 };
			mock.uploads.set(up.id, up);
			return json(res, 201, null, { ...h, Location: `${base}/upload/${up.id}` });
		}
		const up = mock.uploads.get(rest);
		const file = mock.files.find((it) => it.id === rest);
		if (!up && file && req.method === "HEAD") return json(res, 200, null, { ...h, "Upload-Offset": file.size, "Upload-Length": file.size, "Waybill-File": `${base}/files/${rest}` });
		if (!up) return refuse(req, res, 404, "not_found");
		if (req.method === "DELETE") {
			mock.uploads.delete(rest);
			return json(res, 204, null, h);
		}
		if (req.method === "HEAD") return json(res, 200, null, { ...h, "Upload-Offset": up.offset, "Upload-Length": up.size });
		if (Number(req.headers["upload-offset"]) !== up.offset) return refuse(req, res, 409, "offset_conflict", "", {});
		up.requests++;
		mock.peak = Math.max(mock.peak, ++mock.now);
		let refused = false;
		const whole = await pour(req, (bytes) => {
			if (up.head.length < HEAD) up.head = Buffer.concat([up.head, bytes]).subarray(0, HEAD);
			up.hash.update(bytes);
			up.offset += bytes.length;
			if (!refused && up.head.length >= HEAD && !allowed(sniff(up.head, up.metadata.filename))) {
				refused = true;
				mock.uploads.delete(up.id);
				refuse(req, res, 415, "type_refused", "no", { file: up.metadata.filename, detected_type: sniff(up.head, up.metadata.filename) });
			}
		}).catch(() => false).finally(() => mock.now--);
		if (!whole || refused) return undefined;
		if (up.offset < up.size) return json(res, 204, null, { ...h, "Upload-Offset": up.offset });
		const { filename, filetype, ...fields } = up.metadata;
		mock.uploads.delete(up.id);
		const type = sniff(up.head, filename);
		if (!allowed(type)) return refuse(req, res, 415, "type_refused", `${filename} is ${type}, which is not accepted here.`, { file: filename, detected_type: type });
		const kept = enter(filename, up.head, up.size, filetype || null, fields, { id: up.id, sha256: up.hash.digest("hex") });
		if (req.headers["upload-complete"] === "?1") return json(res, 201, { files: [told(kept, true)] }, { "Upload-Complete": "?1", Location: `${base}/files/${kept.id}` });
		return json(res, 204, null, { ...h, "Upload-Offset": up.offset, "Waybill-File": `${base}/files/${kept.id}`, ...(kept.delete_token && { "Waybill-Delete-Token": kept.delete_token }) });
	}

	function listing(req, res, query) {
		for (const key of query.keys()) if (!["limit", "cursor", "type", "name", "owner", "since", "until", "order"].includes(key)) return refuse(req, res, 400, "bad_request");
		if (/text\/html/.test(req.headers.accept || "")) {
			res.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
			return res.end(`<!doctype html><title>Files</title><h1>Received</h1><ul>${mock.files.map((f) => `<li><a href="${f.url}">${f.name.replace(/[&<]/g, (c) => `&#${c.charCodeAt(0)};`)}</a>`).join("")}</ul>`);
		}
		const oldest = query.get("order") === "oldest";
		let files = mock.files.filter((f) => (!query.get("name") || f.name.toLowerCase().includes(query.get("name").toLowerCase()))
			&& (!query.get("type") || (query.get("type").endsWith("/*") ? f.type.startsWith(query.get("type").slice(0, -1)) : f.type === query.get("type"))));
		const total = files.length;
		if (!oldest) files = [...files].reverse();
		const cursor = query.get("cursor");
		if (cursor) files = files.slice(files.findIndex((f) => f.id === cursor) + 1);
		const limit = Number(query.get("limit") || 50);
		let next = null;
		if (files.length > limit) {
			const q = new URLSearchParams(query);
			q.set("cursor", files[limit - 1].id);
			next = `${base}/files?${q}`;
		}
		return json(res, 200, { files: files.slice(0, limit).map((f) => told(f)), next, total });
	}

	function content(req, res, file) {
		const range = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range || "");
		const from = range ? Number(range[1]) : 0;
		const to = range && range[2] ? Math.min(Number(range[2]), file.content.length - 1) : file.content.length - 1;
		res.writeHead(range ? 206 : 200, { "Content-Type": file.type, "Content-Length": to - from + 1, "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff",
			...(range && { "Content-Range": `bytes ${from}-${to}/${file.content.length}` }), "Content-Security-Policy": "sandbox; default-src 'none'",
			"Cross-Origin-Resource-Policy": "same-origin", "Content-Disposition": `attachment; filename*=UTF-8''${encodeURIComponent(file.name)}` });
		res.end(file.content.subarray(from, to + 1));
	}

	async function serve(req, res) {
		const url = new URL(req.url, "http://x");
		if (!url.pathname.startsWith(`${base}/`)) return refuse(req, res, 404, "not_found");
		const path = url.pathname.slice(base.length);
		mock.requests.push({ method: req.method, path, headers: req.headers });
		const [, room, rest, more] = path.split("/");
		if (room === "upload") {
			if (req.method === "GET") return json(res, 200, mock.token && req.headers.authorization === `Bearer ${mock.token}` ? { ...mock.policy, owner: "alice" } : mock.policy);
			if (mock.refuseNext && req.method !== "HEAD") {
				const [status, slug, detail, extra] = mock.refuseNext;
				mock.refuseNext = null;
				return refuse(req, res, status, slug, detail, extra);
			}
			if (mock.token && req.headers.authorization !== `Bearer ${mock.token}`) return refuse(req, res, 401, "unauthorized", "This token is not known here.");
			if (mock.formsOnly && req.headers["tus-resumable"]) return refuse(req, res, 411, "length_required");
			if (req.method === "PUT") return mock.formsOnly ? refuse(req, res, 501, "not implemented") : whole(req, res, url.searchParams);
			return rest || req.headers["tus-resumable"] ? tus(req, res, rest, url.searchParams) : form(req, res);
		}
		if (room === "files") {
			if (mock.token && req.headers.authorization !== `Bearer ${mock.token}`) return refuse(req, res, 401, "unauthorized", "This token is not known here.");
			if (!rest) return listing(req, res, url.searchParams);
			const file = mock.files.find((f) => f.id === rest);
			if (!file) return refuse(req, res, 404, "not_found");
			if (more) return content(req, res, file);
			if (req.method === "DELETE") {
				if (!mock.token && req.headers.authorization !== `Bearer ${file.delete_token}`) return refuse(req, res, 401, "unauthorized");
				mock.files = mock.files.filter((f) => f !== file);
				return json(res, 204, null);
			}
			if (/text\/html/.test(req.headers.accept || "")) {
				res.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
				return res.end(`<!doctype html><title>Receipt</title><h1>Receipt</h1><p>${file.name}, note: ${file.fields.note ?? ""}</p>`);
			}
			return json(res, 200, told(file));
		}
		const name = path === "/" ? "index.html" : path.slice(1);
		if (!/^[a-z]+\.(html|css|js|svg)$/.test(name)) return refuse(req, res, 404, "not_found");
		const bytes = await readFile(join(WWW, name)).catch(() => null);
		if (!bytes) return refuse(req, res, 404, "not_found");
		res.writeHead(200, { "Content-Type": STATIC[extname(name)], "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache" });
		return res.end(bytes);
	}

	const server = createServer((req, res) => {
		if (mock.down) return req.socket.destroy();
		return serve(req, res).catch(() => res.destroy());
	});
	await new Promise((go) => server.listen(port, "127.0.0.1", go));
	mock.url = `http://127.0.0.1:${server.address().port}${base}/`;
	mock.enter = enter;
	mock.drop = () => server.closeAllConnections();
	mock.stop = () => new Promise((go) => {
		server.close(go);
		server.closeAllConnections();
	});
	return mock;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const mock = await startMock({ port: Number(process.argv[2] || 8499) });
	console.log(mock.url);
}
