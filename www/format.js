// format.js: figures, times and names as people read them. Pure.

// 452198 -> "441.6 KiB"; powers of 1024, as the server counts
export function bytes(n) {
	if (n < 1024) return exactly(n);
	let unit = -1;
	for (; n >= 1023.95; unit++) n /= 1024;
	return `${n < 99.95 && n % 1 ? n.toFixed(1) : Math.round(n)} ${"KMGTPE"[unit]}iB`;
}
export const exactly = (n) => count(n, "byte");
const number = new Intl.NumberFormat("en");
export const count = (n, what) => `${number.format(n)} ${what}${n === 1 ? "" : "s"}`;

export function duration(s) {
	if (s < 60) return `${Math.max(1, Math.ceil(s))} s`;
	const min = Math.ceil(s / 60);
	if (min >= 2880) return `${Math.round(min / 1440)} days`;
	return min < 60 ? `${min} min` : `${Math.floor(min / 60)} h ${min % 60} min`;
}

export const percent = (part, whole) => `${whole ? Math.min(100, Math.floor((100 * part) / whole)) : 0} %`;

const [time, date, moment] = [{ timeStyle: "short" }, { dateStyle: "medium" }, { dateStyle: "long", timeStyle: "long" }].map((style) => new Intl.DateTimeFormat("en-GB", style));
export function when(iso) {
	const at = new Date(iso);
	return at.toDateString() === new Date().toDateString() ? `today ${time.format(at)}` : date.format(at);
}
export const whenFully = (iso) => moment.format(new Date(iso));

// media types that are better said in words; all others are shown as they are
const KINDS = { "*/*": "everything", "image/*": "images", "audio/*": "sound", "video/*": "video", "text/*": "text", "application/*": "documents and archives", "font/*": "fonts",
	"inode/x-empty": "empty file", "application/octet-stream": "unknown data", "application/pdf": "PDF" };
export const kind = (type) => KINDS[type] ?? type;

// picks the icon and the way to look inside
export function family(type) {
	const top = /^(image|audio|video)\//.exec(type);
	if (top) return top[1];
	if (type === "application/pdf") return "pdf";
	return /^text\/|json|xml|script|yaml/.test(type) && !/document|\.ms-/.test(type) ? "text" : "file";
}

// Characters that turn around or hide their neighbours are shown, so that no name poses as another.
export const visible = (text) => `${text}`.replace(/[\p{Cc}\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu, "\ufffd");

export function splitName(name) {
	const dot = name.lastIndexOf(".");
	const cut = dot > 0 && name.length - dot < 13 ? dot : name.length;
	return [name.slice(0, cut), name.slice(cut)];
}

export const matches = (type, globs) => globs.some((glob) => glob === "*/*" || glob === type || (glob.endsWith("/*") && type.startsWith(glob.slice(0, -1))));
