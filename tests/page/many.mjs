// many.mjs: how long the page takes for many small files: node many.mjs URL [FILES] [BYTES] [RUNS]; seconds of each
// run, and their median; what the page itself spends; CPUPROFILE=file keeps a profile of the last run.

import { chromium } from "@playwright/test";
import { writeFileSync } from "node:fs";
import { launch } from "./lib.mjs";
import { noise } from "./fixtures.mjs";

const [url, files = "500", size = "4096", runs = "5"] = process.argv.slice(2);
const COSTS = ["TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration", "LayoutCount"];
const browser = await chromium.launch(launch);

async function run(i) {
	const page = await browser.newPage();
	const cdp = await page.context().newCDPSession(page);
	await page.goto(url, { waitUntil: "networkidle" });
	await cdp.send("Performance.enable");
	if (process.env.CPUPROFILE) await cdp.send("Profiler.enable");
	if (process.env.CPUPROFILE) await cdp.send("Profiler.start");
	const costs = async () => Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
	const before = await costs();
	await page.evaluate(([n, bytes, mark]) => {
		const data = new DataTransfer();
		for (let k = 0; k < n; k++) data.items.add(new File([`${mark} ${k} `.padEnd(bytes, "x")], `${mark} ${k}.txt`, { type: "text/plain" }));
		const input = document.getElementById("pick");
		input.files = data.files;
		globalThis.began = performance.now();
		input.dispatchEvent(new Event("change"));
	}, [Number(files), Number(size), noise(20).toString("hex").slice(-8)]);
	const took = await page.evaluate((n) => new Promise((go) => {
		const look = () => (new RegExp(`^${n} received`).test(document.title) ? go(performance.now() - globalThis.began) : setTimeout(look, 10));
		look();
	}), Number(files));
	const after = await costs();

	if (process.env.CPUPROFILE) writeFileSync(process.env.CPUPROFILE, JSON.stringify((await cdp.send("Profiler.stop")).profile));
	console.log(`${i + 1}: ${(took / 1000).toFixed(2)} s; the page: ${COSTS.map((name) => `${name} ${(after[name] - before[name]).toFixed(2)}`).join(", ")}`);
	await page.close();
	return took / 1000;
}

const all = [];
for (let i = 0; i < Number(runs); i++) all.push(await run(i));
console.log(`median ${all.sort((a, b) => a - b)[all.length >> 1].toFixed(2)} s`);
await browser.close();
