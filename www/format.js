// format.js: figures, times and names as people read them. Pure.

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** 452198 -> "441.6 KiB"; powers of 1024, as the server counts. */
export function bytes(n) {
	if (!Number.isFinite(n) || n < 0) return "?";
	let unit = 0;
	let x = n;
	while (x >= 1023.95 && unit < UNITS.length - 1) {
		x /= 1024;
		unit++;
	}
	if (unit === 0) return n === 1 ? "1 byte" : `${n} bytes`;
	const digits = x < 99.95 && x % 1 ? 1 : 0;
	return `${x.toFixed(digits)} ${UNITS[unit]}`;
}

export function exactly(n) {
	return `${n.toLocaleString("en")} ${n === 1 ? "byte" : "bytes"}`;
}

/** Seconds to "4 s", "3 min", "1 h 20 min"; rough on purpose, so that it doesn't flicker. */
export function duration(s) {
	if (!Number.isFinite(s)) return "";
	if (s < 1) return "1 s";
	if (s < 60) return `${Math.ceil(s)} s`;
	if (s < 3600) return `${Math.ceil(s / 60)} min`;
	if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ${Math.ceil((s % 3600) / 60)} min`;
	return `${Math.round(s / 86400)} days`;
}

export function percent(part, whole) {
	return whole > 0 ? Math.min(100, Math.floor((100 * part) / whole)) : 0;
}

const near = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const far = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "long" });

/** Today: the hour; else the day. */
export function when(iso, now = new Date()) {
	const at = new Date(iso);
	if (Number.isNaN(at.getTime())) return "";
	return at.toDateString() === now.toDateString() ? `today ${near.format(at)}` : far.format(at);
}

export function whenFully(iso) {
	const at = new Date(iso);
	return Number.isNaN(at.getTime()) ? "" : full.format(at);
}

const ARCHIVES = /zip|compressed|x-(tar|gtar|7z|rar|bzip|xz|gzip|iso9660)|gzip|zstd|debian\.binary/;
const TEXTS = /^text\/|json|xml|javascript|yaml|toml|x-sh$|x-(php|perl|ruby|python)/;

/** The family a media type belongs to: it picks the icon and the way to look inside. */
export function family(type) {
	const t = (type || "").toLowerCase();
	if (t.startsWith("image/")) return "image";
	if (t.startsWith("audio/")) return "audio";
	if (t.startsWith("video/")) return "video";
	if (t === "application/pdf") return "pdf";
	if (/openxml|opendocument|\.ms-/.test(t)) return "file";
	if (TEXTS.test(t)) return "text";
	return ARCHIVES.test(t) ? "archive" : "file";
}

/** Characters that reorder or hide what stands beside them are shown, so that no name can pose as another. */
export function visible(name) {
	return name.replace(/[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff]/g, "\ufffd");
}

/** A long name is cut in its middle: [what may be cut, what must stay]. */
export function splitName(name) {
	const dot = name.lastIndexOf(".");
	const keep = dot > 0 && name.length - dot <= 12 ? dot : name.length;
	return [name.slice(0, keep), name.slice(keep)];
}

/** Does a media type match one of these globs ("image/*", "application/pdf")? */
export function matches(type, globs) {
	return globs.some((glob) => {
		const [g, t] = [glob.trim().toLowerCase(), type.toLowerCase()];
		return g === "*/*" || g === "*" || g === t || (g.endsWith("/*") && t.startsWith(g.slice(0, -1)));
	});
}
