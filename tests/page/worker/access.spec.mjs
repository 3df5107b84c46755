// For everybody: keyboard alone, axe in both schemes and on a narrow screen, nothing wider than the screen, the weight.
import AxeBuilder from "@axe-core/playwright";
import { again, expect, fresh, noise, refuse, test, text, throttle } from "../fixtures.mjs";

async function tabTo(page, locator) {
	for (let i = 0; i < 60; i++) {
		if (await locator.evaluate((it) => it === document.activeElement).catch(() => false)) return;
		await page.keyboard.press("Tab");
	}
	await expect(locator).toBeFocused();
}

test("everything by keyboard", async ({ desk, page }) => {
	await page.keyboard.press("Tab");
	await expect(page.getByRole("link", { name: "Skip to the received files" })).toBeFocused();
	await tabTo(page, page.getByRole("button", { name: "Choose files" }));
	const name = fresh("by keyboard");
	// Chromium takes a moment until it hands its dialogs over: nothing tells when.
	await expect(async () => {
		const chooser = page.waitForEvent("filechooser", { timeout: 2000 });
		await page.keyboard.press("Enter");
		await (await chooser).setFiles([text(name)]);
	}).toPass();
	await desk.state(name, "done");
	await tabTo(page, desk.tool(name, "Clear"));
	await page.keyboard.press("Space");
	await expect(desk.item(name)).toHaveCount(0);
	await expect(page.getByRole("button", { name: "Choose files" })).toBeFocused();
	await tabTo(page, page.getByLabel("Name contains"));
	await page.keyboard.type(name);
	await expect(page.locator("#rows tr")).toHaveCount(1);
	await tabTo(page, desk.row(name).getByRole("checkbox"));
	await page.keyboard.press("Space");
	await expect(page.locator("#chosen")).toBeVisible();
	await tabTo(page, desk.row(name).locator(".open"));
	await page.keyboard.press("Enter");
	await expect(page.locator("#card")).toBeVisible();
	await page.keyboard.press("Escape");
	await tabTo(page, desk.row(name).getByRole("button", { name: "Delete" }));
	await page.keyboard.press("Enter");
	await expect(desk.row(name).getByRole("button", { name: /^Undo/ })).toBeFocused();
	await page.keyboard.press("Enter");
	await expect(desk.row(name).getByRole("button", { name: "Delete" })).toBeFocused();
	await expect(desk.row(name)).not.toHaveClass(/going/);
	await page.keyboard.press("Enter");
	await expect(desk.row(name)).toHaveCount(0, { timeout: 12_000 });
	await expect(page.getByLabel("Name contains")).toBeFocused();
});

test("by keyboard: cancel while sending keeps the focus near", async ({ desk, page }) => {
	await throttle(page, 40_000);
	const names = [fresh("first", ".bin"), fresh("second", ".bin")];
	await desk.choose(...names.map((name) => ({ name, mimeType: "application/octet-stream", buffer: noise(900_000) })));
	await desk.state(names[1], "sending");
	await tabTo(page, desk.tool(names[0], "Cancel"));
	await page.keyboard.press("Enter");
	await expect(desk.tool(names[1], "Cancel")).toBeFocused();
	await page.keyboard.press("Enter");
	await expect(page.getByRole("button", { name: "Choose files" })).toBeFocused();
});

const clean = async (page) => {
	// What still fades in has not its own colours yet.
	await page.evaluate(() => Promise.all(document.getAnimations().filter((it) => it.effect.getComputedTiming().iterations < 9).map((it) => it.finished.catch(() => {}))));
	const { violations } = await new AxeBuilder({ page }).exclude("iframe").analyze();
	expect(violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`)).toEqual([]);
	expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing wider than the screen").toBe(true);
};
for (const [scheme, width, motion] of [["light", 1100, "no-preference"], ["dark", 1100, "no-preference"], ["light", 360, "reduce"], ["dark", 360, "reduce"]]) {
	test.describe(`${scheme}, ${width} px`, () => {
		test.use({ colorScheme: scheme, viewport: { width, height: 800 }, contextOptions: { reducedMotion: motion } });

		test("axe finds nothing on the page, and nothing is wider than the screen", async ({ desk, page }) => {
			test.setTimeout(180_000);
			const mark = fresh("axe", "");
			const [done, long, refused, moving] = [`${mark} done.txt`, `${mark} ${"long ".repeat(30)}.txt`, `${mark} refused.txt`, `${mark} moving.bin`];
			await desk.choose(text(done), text(long));
			await desk.state(done, "done");
			await desk.state(long, "done");
			await desk.find(mark); // axe takes seconds over a full list
			await refuse(page, 415, "type_refused", { detected_type: "text/plain" });
			await desk.choose(text(refused));
			await desk.state(refused, "refused");
			await page.unrouteAll();
			await throttle(page, 30_000);
			await desk.choose({ name: moving, mimeType: "application/octet-stream", buffer: noise(3_000_000) });
			await desk.state(moving, "sending");
			await desk.row(done).getByRole("checkbox").check();
			await clean(page);
			await desk.row(long).getByRole("button", { name: "Delete" }).click();
			await desk.row(done).locator(".open").click();
			await expect(page.locator("#card pre")).toHaveText(/content/);
			await clean(page);
			await page.keyboard.press("Escape");
			await page.getByRole("button", { name: /token/ }).click();
			await expect(page.locator("#key")).toBeVisible();
			await clean(page);
		});

		test("axe finds nothing on the form, the receipt, a refusal and the list, all without script", async ({ browser, url, request }) => {
			const name = fresh("without script, and with quite a long name, ".repeat(4), ".txt");
			const form = { file: text(name) };
			const { files: [{ id }] } = await (await request.post(`${url}upload`, { multipart: form, headers: { Accept: "application/json" }, ...again })).json();
			const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 800 } });
			const page = await context.newPage();
			for (const place of ["nothing/of/the/sort", `files/${id}`, `files?name=${encodeURIComponent(name)}`, "files?name=there+is+no+such+file"]) {
				await page.goto(url + place);
				await clean(page);
			}
			await page.route("**/*.js", (route) => route.abort());
			await page.goto(url);
			await expect(page.getByRole("button", { name: "Send", exact: true })).toBeVisible();
			await clean(page);
			await context.close();
		});
	});
}

test.describe("reduced motion", () => {
	test.use({ contextOptions: { reducedMotion: "reduce" } });
	test("nothing moves", async ({ desk, page }) => {
		await throttle(page, 30_000);
		const name = fresh("still", ".bin");
		await desk.choose({ name, mimeType: "application/octet-stream", buffer: noise(300_000) });
		await desk.state(name, "sending");
		expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
	});
});

test("the page weighs less than 75 KB, and asks no other host", async ({ page, url }) => {
	const sizes = {};
	const hosts = new Set();
	page.on("response", async (response) => {
		hosts.add(new URL(response.url()).host);
		const { pathname } = new URL(response.url());
		if (/(\/|\.html|\.css|\.js|\.svg)$/.test(pathname)) sizes[pathname] = (await response.body()).length;
	});
	await page.goto(url, { waitUntil: "networkidle" });
	expect([...hosts]).toEqual([new URL(url).host]);
	expect(Object.keys(sizes).length).toBeGreaterThan(5);
	expect(Object.values(sizes).reduce((a, b) => a + b, 0)).toBeLessThan(75_000);
});
