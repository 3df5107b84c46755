// What has been received: finding, looking inside, taking along, deleting with a way back.
import { pdf, PNG, SVG, wav } from "../lib.mjs";
import { expect, fresh, noise, sha256, test, text } from "../fixtures.mjs";

const put = async (desk, ...files) => {
	await desk.choose(...files);
	for (const { name } of files) await desk.state(name, "done");
};

test("search as one types, filter by type, order", async ({ desk, page }) => {
	const mark = fresh("find", "");
	const names = [`${mark} Äpfel.txt`, `${mark} pears.txt`, `${mark} boat.svg`];
	for (const name of names) await put(desk, { name, mimeType: "", buffer: name.endsWith("svg") ? SVG : Buffer.from(name) });
	await page.getByLabel("Name contains").pressSequentially(`${mark} `, { delay: 5 });
	await expect(page.locator("#rows tr")).toHaveCount(3);
	await expect(page.locator("#rows .name")).toHaveText([...names].reverse());
	await expect(page.locator("#total")).toHaveText("3 files");
	await page.getByLabel("Order").selectOption("oldest");
	await expect(page.locator("#rows .name")).toHaveText(names);
	await page.getByLabel("Type").selectOption("image/*");
	await expect(page.locator("#rows .name")).toHaveText([names[2]]);
	await page.getByLabel("Name contains").fill(`${mark} nothing like it`);
	await expect(page.locator("#empty")).toHaveText("Nothing received matches this.");
	await expect(page.locator(".register")).toBeHidden();
});

test("a list that is read again keeps what is chosen in it, and the keyboard's place", async ({ desk, page }) => {
	const name = fresh("again");
	await put(desk, text(name));
	await desk.find(name);
	await desk.row(name).getByRole("checkbox").check();
	await desk.row(name).locator(".open").focus();
	const shown = page.evaluate(() => new Promise((go) => new MutationObserver(() => go()).observe(document.getElementById("rows"), { childList: true })));
	await page.dispatchEvent("#filters", "input");
	await shown;
	await expect(desk.row(name).locator(".open")).toBeFocused();
	await expect(desk.row(name).getByRole("checkbox")).toBeChecked();
	await page.keyboard.press("Enter");
	await expect(page.locator("#card")).toBeVisible();
});

test("one page after the other, by scrolling", async ({ desk, page }) => {
	const mark = fresh("many", "");
	const all = Array.from({ length: 120 }, (_, i) => text(`${mark} ${String(i).padStart(3, "0")}.txt`));
	await desk.choose(...all);
	await expect(page.locator(".item[data-state=done]")).toHaveCount(120, { timeout: 40_000 });
	await desk.find(mark);
	await expect(page.locator("#total")).toHaveText("120 files");
	await expect(page.locator("#rows tr")).toHaveCount(50);
	for (const rows of [100, 120]) {
		await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
		await expect(page.locator("#rows tr")).toHaveCount(rows);
	}
	const shown = await page.locator("#rows .name").allTextContents();
	expect(new Set(shown).size).toBe(120);
	await expect(page.getByRole("button", { name: "Show more" })).toBeHidden();
});

test("a look inside text, picture, PDF and sound, none of which can act", async ({ desk, page }) => {
	const mark = fresh("look", "");
	const html = "<script>parent.bitten=1</script><b>bold</b> ".repeat(3000);
	await put(desk, { name: `${mark}.html`, mimeType: "text/html", buffer: Buffer.from(html) }, { name: `${mark}.png`, mimeType: "image/png", buffer: PNG },
		{ name: `${mark}.svg`, mimeType: "image/svg+xml", buffer: SVG }, { name: `${mark}.pdf`, mimeType: "application/pdf", buffer: pdf() }, { name: `${mark}.wav`, mimeType: "audio/wav", buffer: wav() });
	const card = page.locator("#card");
	const open = async (end) => {
		await desk.row(mark + end).locator(".open").click();
		await expect(card).toBeVisible();
		await expect(card.locator("#card-name")).toHaveText(mark + end);
	};
	const close = async () => {
		await page.keyboard.press("Escape");
		await expect(card).toBeHidden();
	};
	await open(".html");
	await expect(card.locator("pre")).toHaveText(html.slice(0, 65536).trimEnd());
	await expect(card).toContainText("The first 64 KiB of");
	await close();
	for (const end of [".png", ".svg"]) {
		await open(end);
		await expect.poll(() => card.locator("img").evaluate((img) => img.complete && img.naturalWidth > 0)).toBe(true);
		await close();
	}
	await open(".pdf");
	await expect(card.locator("iframe")).toHaveAttribute("src", /^blob:/);
	const child = await (await card.locator("iframe").elementHandle()).contentFrame();
	await expect.poll(() => child.evaluate(() => document.contentType).catch(() => "out of reach")).not.toMatch(/html$/);
	await close();
	await open(".wav");
	await expect.poll(() => card.locator("audio").evaluate((it) => it.duration)).toBeGreaterThan(0.9);
	await close();
	expect(await page.evaluate(() => window.bitten)).toBeUndefined();
	await expect(desk.row(`${mark}.wav`).locator(".open")).toBeFocused();
});

test("the card tells all that is known", async ({ desk, page }) => {
	const name = fresh("card");
	await page.getByLabel("Note").fill("kept with care");
	await put(desk, text(name));
	await desk.row(name).locator(".open").click();
	await expect(page.locator("#card-facts")).toContainText("kept with care");
	await expect(page.locator("#card-facts")).toContainText(sha256(Buffer.from(`content of ${name}`)));
	await expect(page.locator("#card-facts")).toContainText("text/plain");
});

test("copy link, copy SHA-256, download", async ({ desk, page, context }) => {
	await context.grantPermissions(["clipboard-read", "clipboard-write"]);
	const name = fresh("take", ".bin");
	const bytes = noise(5000);
	await put(desk, { name, mimeType: "application/octet-stream", buffer: bytes });
	const [record] = await desk.records(name);
	await desk.row(name).getByRole("button", { name: "Copy link" }).click();
	await expect(page.locator("#said")).toHaveText("Link copied.");
	await expect(page.locator("#said")).toBeVisible();
	await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(new URL(record.url, desk.url).href);
	await desk.row(name).locator(".open").click();
	await page.locator("#card").getByRole("button", { name: "Copy SHA-256" }).click();
	await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(sha256(bytes));
	await page.keyboard.press("Escape");
	const coming = page.waitForEvent("download");
	await desk.row(name).getByRole("link", { name: "Download" }).click();
	const download = await coming;
	expect(download.suggestedFilename()).toBe(name);
	const chunks = [];
	for await (const chunk of await download.createReadStream()) chunks.push(chunk);
	expect(sha256(Buffer.concat(chunks))).toBe(sha256(bytes));
});

test("delete: a way back first, then the deed", async ({ desk, page }) => {
	const [kept, gone] = [fresh("kept"), fresh("gone")];
	const deletes = [];
	page.on("request", (request) => request.method() === "DELETE" && deletes.push(request.url()));
	await put(desk, text(kept), text(gone));
	await desk.row(kept).getByRole("button", { name: "Delete" }).click();
	await expect(desk.row(kept)).toHaveClass(/going/);
	await expect(desk.row(kept).getByRole("button", { name: /^Undo/ })).toBeFocused();
	await page.keyboard.press("Enter");
	await expect(desk.row(kept)).not.toHaveClass(/going/);
	await desk.row(gone).getByRole("button", { name: "Delete" }).click();
	expect(deletes).toEqual([]);
	await expect(desk.row(gone)).toHaveCount(0, { timeout: 12_000 });
	expect(deletes.length).toBe(1);
	expect(await desk.records(gone)).toEqual([]);
	expect((await desk.records(kept)).length).toBe(1);
});

test("leaving the page carries a delete out", async ({ desk, page }) => {
	const gone = fresh("gone");
	await put(desk, text(gone));
	await desk.row(gone).getByRole("button", { name: "Delete" }).click();
	await page.goto("about:blank");
	await expect.poll(async () => (await desk.records(gone)).length).toBe(0);
});

test("several at once: copy links, delete, undo", async ({ desk, page, context }) => {
	await context.grantPermissions(["clipboard-read", "clipboard-write"]);
	const mark = fresh("several", "");
	const names = [1, 2, 3].map((n) => `${mark} ${n}.txt`);
	await put(desk, ...names.map((name) => text(name)));
	await desk.find(mark);
	await page.getByRole("checkbox", { name: "Choose all shown" }).check();
	await expect(page.locator("#chosen")).toContainText("3 chosen");
	await page.locator("#chosen").getByRole("button", { name: "Copy links" }).click();
	await expect.poll(async () => (await page.evaluate(() => navigator.clipboard.readText())).split("\n").length).toBe(3);
	const downloads = [];
	page.on("download", (download) => downloads.push(download.suggestedFilename()));
	await page.locator("#chosen").getByRole("button", { name: "Download" }).click();
	await expect.poll(() => [...downloads].sort()).toEqual(names);
	await page.locator("#chosen").getByRole("button", { name: "Delete" }).click();
	await expect(page.locator("#rows tr.going")).toHaveCount(3);
	await expect(page.locator("#chosen")).toBeHidden();
	await desk.row(names[1]).getByRole("button", { name: /^Undo/ }).click();
	await expect(page.locator("#rows tr")).toHaveCount(1, { timeout: 12_000 });
	expect((await desk.records(mark)).map((record) => record.name)).toEqual([names[1]]);
});

test("a list that cannot be read says so, and can be tried again", async ({ page, url }) => {
	await page.route("**/files?*", (route) => route.abort());
	await page.goto(url);
	await expect(page.locator("#empty")).toHaveText(/Could not read the list. The server does not answer/);
	await page.unrouteAll();
	await page.getByRole("button", { name: "Try again" }).click();
	await expect(page.locator("#empty")).not.toHaveText(/Could not/);
});

test("what others sent has no delete button", async ({ desk, page, browser }) => {
	const name = fresh("theirs");
	await put(desk, text(name));
	await expect(desk.row(name).getByRole("button", { name: "Delete" })).toBeVisible();
	const other = await (await browser.newContext()).newPage();
	await other.goto(desk.url);
	await other.getByLabel("Name contains").fill(name);
	const row = other.locator("#rows tr").filter({ hasText: name.slice(0, -4) });
	await expect(row.getByRole("link", { name: "Download" })).toBeVisible();
	await expect(row.getByRole("button", { name: "Delete" })).toHaveCount(0);
	await other.context().close();
	await page.reload();
	await expect(desk.row(name).getByRole("button", { name: "Delete" })).toBeVisible();
});
