// cutter.mjs: a bad network between page and server: a relay for TCP that can cut all it carries, for a while, and
// that can lose answers: the server has done what was asked, and nobody hears of it.
//
//     const line = await startCutter(url); line.url; line.cutAt = [4e6, 9e6]; line.pause = 3000; line.lose = 3; await line.stop();

import { connect, createServer } from "node:net";

export async function startCutter(to) {
	const { hostname, port, pathname } = new URL(to);
	const pairs = new Set();
	const line = {
		cutAt: [], // everything is cut when so many bytes in all have gone up
		pause: 0, // ms that the line then stays dead
		lose: 0, // so many answers to POST and PATCH never arrive
		dead: false, up: 0, cuts: 0, lost: 0,
	};

	line.cut = (ms) => {
		line.dead = true;
		line.cuts++;
		for (const pair of pairs) pair.end();
		setTimeout(() => (line.dead = false), ms);
	};

	function relay(client) {
		if (line.dead) return client.destroy();
		const server = connect(port, hostname);
		let asked = "";
		const pair = { end: () => [client, server].forEach((side) => side.destroy()) };
		pairs.add(pair);
		client.on("data", (bytes) => {
			asked = /^(GET|HEAD|POST|PATCH|DELETE) /.exec(bytes.toString("latin1", 0, 8))?.[1] ?? asked;
			line.up += bytes.length;
			server.write(bytes);
			if (!(line.up > line.cutAt[0])) return;
			line.cutAt.shift();
			line.cut(line.pause);
		});
		server.on("data", (bytes) => {
			if (!line.lose || !/POST|PATCH/.test(asked)) return client.write(bytes);
			line.lose--;
			line.lost++;
			return pair.end();
		});
		for (const side of [client, server]) {
			side.on("error", () => {});
			side.on("close", () => pairs.delete(pair) && pair.end());
		}
		return undefined;
	}

	const listener = createServer(relay);
	await new Promise((go) => listener.listen(0, "127.0.0.1", go));
	line.url = `http://127.0.0.1:${listener.address().port}${pathname}`;
	line.stop = () => new Promise((go) => {
		listener.close(go);
		for (const pair of pairs) pair.end();
	});
	return line;
}
