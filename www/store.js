// store.js: what this browser remembers, kept apart per mount point. All of it may be missing or refused.

const prefix = `waybill ${new URL(".", document.baseURI).pathname} `;
const OWN_MOST = 2000;

function read(box, name, fallback) {
	try {
		return JSON.parse(box().getItem(prefix + name)) ?? fallback;
	} catch {
		return fallback;
	}
}
function write(box, name, value) {
	try {
		if (value === null) box().removeItem(prefix + name);
		else box().setItem(prefix + name, JSON.stringify(value));
	} catch { /* private window, or full: then we remember nothing */ }
}
const lasting = () => localStorage;
const tab = () => sessionStorage;

// The bearer token lives as long as the tab.
export const bearer = () => read(tab, "token", "");
export const setBearer = (token) => write(tab, "token", token || null);

// Delete tokens of what was sent from here: {id: token}, oldest first.
export const deleteToken = (id) => read(lasting, "own", {})[id] || "";
export function rememberOwn(id, token) {
	const own = Object.entries(read(lasting, "own", {})).filter(([known]) => known !== id);
	write(lasting, "own", Object.fromEntries([...own, [id, token]].slice(-OWN_MOST)));
}
export function forgetOwn(id) {
	const own = read(lasting, "own", {});
	delete own[id];
	write(lasting, "own", own);
}

// Unfinished resumable uploads, by what identifies a file that is chosen again.
export const fileKey = (file) => `${file.size} ${file.lastModified} ${file.name}`;
export const unfinished = () => Object.entries(read(lasting, "unfinished", {})).map(([key, it]) => ({ key, ...it }));
export const recall = (key) => read(lasting, "unfinished", {})[key] || null;
export function remember(key, it) {
	const all = read(lasting, "unfinished", {});
	if (it) all[key] = { ...all[key], ...it };
	else delete all[key];
	write(lasting, "unfinished", all);
}
