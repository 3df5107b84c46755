// store.js: what this browser remembers for this mount point, if it lets us.

function shelf(box, name) {
	const place = `waybill ${new URL(".", document.baseURI).pathname} ${name}`;
	const changes = new Map(); // to be written together: hundreds may come at once
	let known, timer;
	const all = () => {
		try {
			known ??= JSON.parse(window[box].getItem(place));
		} catch { /* private window */ }
		return (known ??= {});
	};
	const change = (key, value) => {
		delete all()[key];
		if (value) known[key] = value;
	};
	const write = () => {
		if (!changes.size) return;
		known = timer = null; // other tabs write as well
		changes.forEach((value, key) => change(key, value));
		changes.clear();
		try {
			window[box].setItem(place, JSON.stringify(Object.fromEntries(Object.entries(known).slice(-2000))));
		} catch { /* or full */ }
	};
	addEventListener("pagehide", write);
	return [all, (key, value) => {
		change(key, value);
		changes.set(key, value);
		timer ??= setTimeout(write, 100);
	}];
}

const [inTab, putInTab] = shelf("sessionStorage", "token");
export const bearer = () => inTab().bearer;
export const setBearer = (token) => putInTab("bearer", token);

// tokens to delete what was sent from here, by id
export const [deleteTokens, setDeleteToken] = shelf("localStorage", "own");

// Unfinished resumable uploads {url, name, size, at}, by what makes a file the same one when chosen again.
export const [unfinished, remember] = shelf("localStorage", "unfinished");
export const fileKey = (file, path) => `${file.size} ${file.lastModified} ${path}/${file.name}`;
