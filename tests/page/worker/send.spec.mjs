// Sending: by every way in, in every state.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { dropFiles, expect, fresh, noise, refuse, sha256, test, text, throttle } from "../fixtures.mjs";

test("several files go up, are stamped, listed and stored byte for byte", async ({ desk, page }) => {
	const names = [fresh("one"), fresh("two"), fresh("three", ".bin")];
	const bytes = noise(300_000);
	await page.getByLabel("Note").fill("for Ruth & <b>Jo</b>");
	await desk.choose(text(names[0]), text(names[1]), { name: names[2], mimeType: "application/octet-stream", buffer: bytes });
	for (const name of names) {
		await desk.state(name, "done");
		await expect(desk.item(name).locator(".stamp")).toBeVisible();
		await expect(desk.row(name)).toBeVisible();
	}
	await expect(page).toHaveTitle("3 received · waybill");
	const [record] = await desk.records(names[2]);
	expect(record.sha256).toBe(sha256(bytes));
	expect(record.fields.note).toBe("for Ruth & <b>Jo</b>");
	expect(sha256(await desk.content(record))).toBe(sha256(bytes));
	await expect(page.locator("#live")).toContainText("received");
});

test("an empty file is a file", async ({ desk }) => {
	const name = fresh("empty");
	await desk.choose(text(name, ""));
	await desk.state(name, "done");
	expect((await desk.records(name))[0].size).toBe(0);
});

test("progress: a bar per file and one for all, speed, time left, the title; three at a time", async ({ desk, page }) => {
	await throttle(page, 300_000);
	const names = [1, 2, 3, 4, 5].map((n) => fresh(`slow ${n}`, ".bin"));
	await desk.choose(...names.map((name) => ({ name, mimeType: "application/octet-stream", buffer: noise(600_000) })));
	await expect(desk.item(names[0]).locator("> .figures")).toHaveText(/^\d+ % · [\d.]+ \w+\/s · .+ left$/);
	await expect(page.locator(".item[data-state=sending]")).toHaveCount(3);
	await expect(page.locator(".item[data-state=waiting]")).toHaveCount(2);
	await expect(page.locator("#overall-text")).toHaveText(/^0 of 5 received · .+ of 2\.9 MiB · .+\/s · .+ left$/);
	await expect(page).toHaveTitle(/^\d+ % · waybill$/);
	const bar = desk.item(names[0]).getByRole("progressbar");
	const first = await bar.evaluate((it) => it.value);
	await expect.poll(() => bar.evaluate((it) => it.value)).toBeGreaterThan(first);
	await expect.poll(() => page.locator("#overall").evaluate((it) => it.position)).toBeGreaterThan(0.05);
	await throttle(page, 30_000); // what is left must not be over before it is said, every ten seconds
	await expect(page.locator("#live")).toContainText(/\d+ % sent/, { timeout: 30_000 });
	await throttle(page, 0);
	for (const name of names) await desk.state(name, "done");
});

test("cancel takes a file off the wire and leaves nothing behind", async ({ desk, page }) => {
	await throttle(page, 50_000);
	const name = fresh("taken back", ".bin");
	const other = fresh("other");
	await desk.choose({ name, mimeType: "application/octet-stream", buffer: noise(2_000_000) });
	await desk.state(name, "sending");
	await desk.tool(name, "Cancel").click();
	await expect(desk.item(name)).toHaveCount(0);
	await throttle(page, 0);
	await desk.choose(text(other));
	await desk.state(other, "done");
	expect(await desk.records(name)).toEqual([]);
});

test("leaving while sending is warned of, leaving when done is not", async ({ desk, page }) => {
	await throttle(page, 50_000);
	const name = fresh("leaving", ".bin");
	await desk.choose({ name, mimeType: "application/octet-stream", buffer: noise(1_500_000) });
	await desk.state(name, "sending");
	const warned = () => page.evaluate(() => !dispatchEvent(new Event("beforeunload", { cancelable: true })));
	expect(await warned()).toBe(true);
	await desk.tool(name, "Cancel").click();
	await expect.poll(warned).toBe(false);
});

test("files dropped anywhere", async ({ desk, page }) => {
	const name = fresh("dropped");
	await dropFiles(page, [{ name, content: "let go" }]);
	await expect(page.locator("#veil")).toBeHidden();
	await desk.state(name, "done");
});

test("a dropped folder comes with all that is in it, and with its paths", async ({ desk, page }) => {
	const folder = mkdtempSync(join(tmpdir(), "waybill-page-"));
	const [a, b] = [fresh("top"), fresh("deep")];
	mkdirSync(join(folder, "inner"));
	writeFileSync(join(folder, a), "a");
	writeFileSync(join(folder, "inner", b), "b");
	const cdp = await page.context().newCDPSession(page);
	const data = { items: [], files: [folder], dragOperationsMask: 1 };
	for (const type of ["dragEnter", "dragOver", "drop"]) await cdp.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
	await desk.state(a, "done");
	await desk.state(b, "done");
	expect((await desk.records(b))[0].path).toBe(`${basename(folder)}/inner`);
});

test("what is chosen under Keep is how long the file stays", async ({ desk, page }) => {
	const [short, long] = [fresh("a day"), fresh("for good")];
	await page.getByLabel("Keep").selectOption("1 day");
	await desk.choose(text(short));
	await desk.state(short, "done");
	await page.getByLabel("Keep").selectOption("until it is deleted");
	await desk.choose(text(long));
	await desk.state(long, "done");
	const [record] = await desk.records(short);
	expect(Date.parse(record.expires_at) - Date.parse(record.uploaded_at)).toBe(86_400_000);
	expect((await desk.records(long))[0].expires_at).toBe(null);
	await desk.row(short).locator(".open").click();
	await expect(page.locator("#card-facts div", { hasText: "Kept until" }).locator("dd")).toContainText(String(new Date(record.expires_at).getFullYear()));
});

test("a chosen folder", async ({ desk, page }) => {
	const folder = mkdtempSync(join(tmpdir(), "waybill-page-"));
	const name = fresh("in folder");
	writeFileSync(join(folder, name), "x");
	await page.locator("#pick-folder").setInputFiles(folder);
	await desk.state(name, "done");
	expect((await desk.records(name))[0].path).toBe(basename(folder));
});

test("a pasted picture gets a name of its own; pasted text is left alone", async ({ desk, page }) => {
	await page.evaluate(() => {
		const data = new DataTransfer();
		data.items.add(new File(["\x89PNG not really"], "image.png", { type: "image/png" }));
		document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
		const words = new DataTransfer();
		words.setData("text/plain", "a secret");
		document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: words, bubbles: true, cancelable: true }));
	});
	await expect(page.locator(".item")).toHaveCount(1);
	await expect(page.locator(".item .name")).toHaveText(/^pasted \d{4}-.*\.png$/);
});

test("names are only ever text: markup, right to left, emoji, very long, disguised", async ({ desk, page }) => {
	const names = [fresh("<img src=x onerror=window.bitten=1>"), fresh("עברית مرحبا"), fresh("🚢🌊"), fresh("long ".repeat(30)), fresh("invoice\u202Egpj")];
	await desk.choose(...names.map((name) => text(name)));
	await expect(page.locator(".item[data-state=done]")).toHaveCount(5);
	expect(await page.evaluate(() => window.bitten)).toBeUndefined();
	await expect(desk.row(names[0])).toBeVisible();
	for (const name of names.slice(1, 3)) expect((await desk.records(name)).length).toBe(1);
	// The character that turns the rest of the name around is shown, not obeyed.
	await expect(page.locator("#items .name").nth(4)).toContainText("invoice\uFFFDgpj");
	expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
});

const AGAIN = /It goes on by itself/; // nobody's verdict, only a bad moment
const REFUSALS = [
	[411, "length_required", /without its length/, /proxy/],
	[413, "too_large", /too large/, /at most 2 KiB/, { max_bytes: 2048 }],
	[415, "type_refused", /found application\/x-executable/, /Ask|Convert/, { file: "x", detected_type: "application/x-executable" }],
	[507, "insufficient_storage", /no room/, /Nothing was stored/],
	[507, "quota_exceeded", /over what you may keep/, /Delete something/],
	[401, "unauthorized", /who you are/, /Enter a token/],
	[403, "forbidden", /may not do that/, /Ask/],
	[403, "cross_site", /another site/, /own address/],
	[408, "body_timeout", /stood still/, AGAIN],
	[503, "busy", /busy/, AGAIN],
	[500, "internal", /server failed/, AGAIN],
	[400, "incomplete_body", /Not all of the file/, AGAIN],
	[422, "digest_mismatch", /not what was sent/, /Retry/],
	[418, "teapot", /refused it \(418\)/, /Detail of teapot/],
];
test("refused, in plain words and with what to do", async ({ desk, page }) => {
	let refused = 0;
	for (const [status, slug, what, todo, more] of REFUSALS) {
		await page.unrouteAll();
		await refuse(page, status, slug, more);
		const name = fresh(slug);
		await desk.choose(text(name));
		await desk.state(name, todo === AGAIN ? "lost" : "refused");
		await expect(desk.item(name).locator(".why")).toHaveText(what);
		await expect(desk.item(name).locator(".why")).toHaveText(todo);
		if (todo === AGAIN) await desk.tool(name, "Cancel").click();
		else refused++;
		await expect(page).toHaveTitle(`${refused} refused · waybill`);
	}
	await expect(page.locator("#live")).toHaveText(/refused\. .*Detail of teapot/);
});

test("a web server's own refusal, without a slug, is understood by its status", async ({ desk, page }) => {
	await page.route("**/upload/*", (route) => (route.request().method() === "PUT" ? route.fulfill({ status: 413, contentType: "text/html", body: "<h1>413</h1>" }) : route.fallback()));
	const name = fresh("big");
	await desk.choose(text(name));
	await desk.state(name, "refused");
	await expect(desk.item(name)).toContainText("too large");
});

test("every slug of the contract has its sentence", async ({ desk, page }) => {
	const slugs = ["bad_length", "incomplete_body", "bad_multipart", "no_file", "bad_request", "unauthorized", "forbidden", "cross_site", "not_found",
		"method_not_allowed", "expired", "gone", "body_timeout", "offset_conflict", "locked", "length_required", "tus_version", "too_large", "too_many_files", "fields_too_large",
		"name_too_long", "type_refused", "unsupported_form", "unsupported_type", "digest_mismatch", "key_reused", "checksum_mismatch", "internal", "busy",
		"insufficient_storage", "quota_exceeded", "offline", "server_gone", "connection_reset", "unreadable"];
	const silent = await page.evaluate(async (all) => {
		const { explain } = await import("./refusals.js");
		return all.filter((slug) => {
			const { what, todo } = explain({ slug, status: 499, told: {} }, { size: 5 });
			return !/^[A-Z].{10,}\.$/.test(what) || /499/.test(what) || !/^[A-Z].{5,}\.$/.test(todo);
		});
	}, slugs);
	expect(silent).toEqual([]);
	await expect(desk.page.locator("h1")).toHaveText("waybill");
});

test("retry sends it again", async ({ desk, page }) => {
	await refuse(page, 403, "forbidden");
	const name = fresh("second try");
	await desk.choose(text(name));
	await desk.state(name, "refused");
	await page.unrouteAll();
	await desk.tool(name, "Retry").click();
	await desk.state(name, "done");
	expect((await desk.records(name)).length).toBe(1);
});

test("too large by the policy is said before anything is sent", async ({ page, url }) => {
	const sent = [];
	page.on("request", (request) => request.method() === "POST" && sent.push(request.url()));
	await page.route("**/upload", (route) => (route.request().method() === "GET" ? route.fulfill({ json: { max_bytes: 1000, max_files: 64, allow_types: ["*/*"], deny_types: [], resumable: true, owner: null, streamed: true } }) : route.fallback()));
	await page.goto(url);
	await expect(page.locator("#limit-size")).toHaveText("1,000 bytes");
	await page.locator("#pick").setInputFiles([text("big.txt", "x".repeat(1001))]);
	const item = page.locator(".item");
	await expect(item).toHaveAttribute("data-state", "refused");
	await expect(item).toContainText("too large: 1,001 bytes");
	await expect(item).toContainText("at most 1,000 bytes");
	await expect(item.getByRole("button", { name: "Retry" })).toHaveCount(0);
	expect(sent).toEqual([]);
});

test("a type the policy would not take is doubted aloud, but only the server decides", async ({ page, url }) => {
	await page.route("**/upload", (route) => (route.request().method() === "GET" ? route.fulfill({ json: { max_bytes: 1e6, max_files: 64, allow_types: ["image/*"], deny_types: [], resumable: true, owner: null, streamed: true } }) : route.fallback()));
	await page.goto(url);
	await expect(page.locator("#limit-types")).toHaveText("images");
	await throttle(page, 20_000);
	await page.locator("#pick").setInputFiles([text("notes.txt", "x".repeat(100_000))]);
	await expect(page.locator(".why")).toHaveText(/looks like text\/plain/);
	await expect(page.locator(".item")).toHaveAttribute("data-state", "sending");
	await throttle(page, 0);
	await expect(page.locator(".item")).toHaveAttribute("data-state", "done");
});

test("where the way beyond the web server cannot be seen, the page says so", async ({ page, url }) => {
	for (const [streamed, visible] of [[true, false], [null, true], [false, true]]) {
		await page.unrouteAll();
		await page.route("**/upload", (route) => (route.request().method() === "GET" ? route.fulfill({ json: { max_bytes: 1e9, max_files: 64, allow_types: ["*/*"], deny_types: [], resumable: true, owner: null, streamed } }) : route.fallback()));
		await page.goto(url);
		await page.locator("#pick").setInputFiles([text(fresh("seen"))]);
		await expect(page.locator(".item")).toHaveAttribute("data-state", "done");
		await expect(page.locator("#streamed")).toBeVisible({ visible });
	}
});

test("offline: the file waits and goes up by itself when the network is back", async ({ desk, page }) => {
	await throttle(page, 100_000);
	const name = fresh("train", ".bin");
	await desk.choose({ name, mimeType: "application/octet-stream", buffer: noise(1_000_000) });
	await desk.state(name, "sending");
	await throttle(page, 0, true);
	const late = fresh("late");
	await desk.choose(text(late));
	await expect(desk.item(late)).toContainText("waiting for the network");
	await throttle(page, 0);
	await desk.state(late, "done");
	await desk.state(name, "done");
});

test("the server gone", async ({ desk, page }) => {
	await page.route(/\/upload\b/, (route) => route.abort("connectionrefused"));
	const name = fresh("nobody there");
	await desk.choose(text(name));
	await desk.state(name, "lost");
	await expect(desk.item(name)).toContainText("The server does not answer");
	await expect(desk.item(name)).toContainText("waiting for the network");
});

test("a reset connection is looked into: the limit has shrunk, or it just broke", async ({ desk, page }) => {
	let limit = 100;
	await page.route(/\/upload\b/, (route) => (route.request().method() === "PUT" ? route.abort("connectionreset")
		: route.fulfill({ json: { max_bytes: limit, max_files: 1, allow_types: ["*/*"], deny_types: [], resumable: true, owner: null, streamed: true } })));
	const name = fresh("reset");
	await desk.choose(text(name, "x".repeat(500)));
	await desk.state(name, "refused");
	await expect(desk.item(name)).toContainText("at most 100 bytes");
	limit = 1e9;
	const other = fresh("broke");
	await page.reload();
	await desk.choose(text(other));
	await desk.state(other, "lost");
	await expect(desk.item(other)).toContainText("connection broke off");
});
