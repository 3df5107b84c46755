// cutter.mjs: a bad network between page and server: a relay for TCP that can cut all it carries, for a while (what is
// under way is reset, what is new refused), and that can lose answers: the server has done what was asked, and nobody
// hears of it.
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
		up: 0, cuts: 0, lost: 0,
	};

	line.cut = (ms) => {
		line.cuts++;
		listener.close();
		for (const pair of pairs) pair.end();
		timer = setTimeout(() => listener.listen(door, "127.0.0.1"), ms);
	};

	function relay(client) {
		const server = connect(port, hostname);
		let asked = "";
		const pair = { end: () => [client, server].forEach((side) => side.resetAndDestroy()) };
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
			if (!line.lose || !/POST|PATCH/.test(asked)) return void client.write(bytes);
			line.lose--;
			line.lost++;
			pair.end();
		});
		for (const [side, other] of [[client, server], [server, client]]) {
			side.on("error", () => {});
			side.on("close", () => pairs.delete(pair) && other.end());
		}
	}

	let timer;
	const listener = createServer(relay);
	await new Promise((go) => listener.listen(0, "127.0.0.1", go));
	const door = listener.address().port;
	line.url = `http://127.0.0.1:${door}${pathname}`;
	line.stop = () => new Promise((go) => {
		clearTimeout(timer);
		listener.close(go);
		for (const pair of pairs) pair.end();
	});
	return line;
}
