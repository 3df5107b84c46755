// store.js: what this browser remembers for this mount point, if it lets us.

function shelf(box, name) {
	const place = `waybill ${new URL(".", document.baseURI).pathname} ${name}`;
	const all = () => {
		try {
			return JSON.parse(window[box].getItem(place)) ?? {};
		} catch {
			return {};
		}
	};
	const put = (key, value) => {
		const { [key]: old, ...rest } = all();
		if (value) rest[key] = value;
		try {
			window[box].setItem(place, JSON.stringify(Object.fromEntries(Object.entries(rest).slice(-2000))));
		} catch { /* private window, or full */ }
	};
	return [all, put];
}

const [inTab, putInTab] = shelf("sessionStorage", "token");
export const bearer = () => inTab().bearer;
export const setBearer = (token) => putInTab("bearer", token);

// tokens to delete what was sent from here, by id
export const [deleteTokens, setDeleteToken] = shelf("localStorage", "own");

// Unfinished resumable uploads {url, name, size, at}, by what makes a file the same one when chosen again.
export const [unfinished, remember] = shelf("localStorage", "unfinished");
export const fileKey = (file, path) => `${file.size} ${file.lastModified} ${path || file.name}`;
