// store.js: what this browser remembers for this mount point, if it lets us.

const prefix = `waybill ${new URL(".", document.baseURI).pathname} `;

function read(box, name) {
	try {
		return JSON.parse(window[box].getItem(prefix + name)) ?? {};
	} catch {
		return {};
	}
}
function change(box, name, key, value) {
	const all = read(box, name);
	delete all[key];
	if (value) all[key] = value;
	try {
		window[box].setItem(prefix + name, JSON.stringify(Object.fromEntries(Object.entries(all).slice(-2000))));
	} catch { /* private window, or full */ }
}

// lives as long as the tab
export const bearer = () => read("sessionStorage", "token").bearer;
export const setBearer = (token) => change("sessionStorage", "token", "bearer", token);

// of what was sent from here
export const deleteToken = (id) => read("localStorage", "own")[id];
export const setDeleteToken = (id, token) => change("localStorage", "own", id, token);

// Unfinished resumable uploads {url, name, size, at, token}, by what makes a file the same one when chosen again.
export const fileKey = (file) => `${file.size} ${file.lastModified} ${file.name}`;
export const unfinished = () => read("localStorage", "unfinished");
export const recall = (key) => unfinished()[key];
export const remember = (key, it) => change("localStorage", "unfinished", key, it);
