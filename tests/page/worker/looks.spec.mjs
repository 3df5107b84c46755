// What people see: links that are links, words for all that is said, nothing out of reach on a small screen.
import { PNG } from "../lib.mjs";
import { expect, fresh, test, text } from "../fixtures.mjs";

const put = async (desk, file) => {
	await desk.choose(file);
	await desk.state(file.name, "done");
	return (await desk.records(file.name))[0];
};

test("names and downloads are links that can be opened elsewhere; a plain click opens the sheet", async ({ desk, page, context }) => {
	const name = fresh("linked");
	const { id, url } = await put(desk, text(name));
	const link = desk.row(name).getByRole("link", { name: new RegExp(name.slice(0, -4)) }).first();
	await expect(link).toHaveAttribute("href", `files/${id}`);
	await expect(desk.row(name).getByRole("link", { name: "Download" })).toHaveAttribute("href", new URL(url, desk.url).href);
	const opened = context.waitForEvent("page");
	await link.click({ button: "middle" });
	await expect((await opened).locator("body")).toContainText(name);
	await expect(page.locator("#card")).toBeHidden();
	await link.click();
	await expect(page.locator("#card pre")).toHaveText(`content of ${name}`);
	await expect(page.locator("#card").getByRole("link", { name: "Download" })).toHaveAttribute("href", new URL(url, desk.url).href);
});

test("a received file has its sheet on the desk as well, where what was copied is seen above it", async ({ desk, page, context }) => {
	await context.grantPermissions(["clipboard-read", "clipboard-write"]);
	const name = fresh("sheet");
	await put(desk, text(name));
	await page.getByLabel("Name contains").fill("nothing is called like this");
	await desk.item(name).locator(".open").click();
	await expect(page.locator("#card pre")).toHaveText(`content of ${name}`);
	await page.locator("#card").getByRole("button", { name: "Copy link" }).click();
	await expect(page.locator("#said")).toBeVisible();
	expect(await page.locator("#said").evaluate((it) => {
		const { left, top, width, height } = it.getBoundingClientRect();
		return it.matches(":popover-open") && top + height < innerHeight && left >= 0 && width > 50;
	})).toBe(true);
	await expect(page.locator("#said")).toBeHidden();
});

test("kinds in words: an empty file", async ({ desk }) => {
	const name = fresh("nothing in it");
	await put(desk, text(name, ""));
	await expect(desk.row(name).locator(".c-type")).toHaveText("empty file");
	await expect(desk.item(name).locator("> .figures")).toHaveText("empty file");
});

test("a token that is not known is said in the dialog, which stays", async ({ page, url }) => {
	await page.goto(url);
	await page.getByRole("button", { name: "Use a token" }).click();
	await page.getByLabel("Your token").fill("no such token");
	await page.keyboard.press("Enter");
	await expect(page.locator("#key-why")).toHaveText(/token/);
	await expect(page.locator("#key")).toBeVisible();
	await page.getByRole("button", { name: "Cancel" }).click();
	await expect(page.locator("#key")).toBeHidden();
	await expect(page.getByRole("button", { name: "Use a token" })).toBeVisible();
	expect(await page.evaluate(() => JSON.stringify(sessionStorage))).not.toContain("no such token");
});

test.describe("in a window 700 px high", () => {
	test.use({ viewport: { width: 900, height: 700 } });
	test("the sheet's buttons are in sight, and a long name leaves the close button its shape", async ({ desk, page }) => {
		const name = fresh("a name that goes on ".repeat(9), ".txt");
		await put(desk, text(name, "line\n".repeat(900)));
		await desk.item(name).locator(".open").click();
		await expect(page.locator("#card pre")).toBeVisible();
		for (const button of await page.locator("#card .buttons > *, #card-close").all()) {
			const box = await button.boundingBox();
			expect(box.y >= 0 && box.y + box.height <= 700).toBe(true);
		}
		expect((await page.locator("#card-close").boundingBox()).height).toBeLessThan(50);
	});
});

test.describe("on a phone", () => {
	test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
	test("nothing is dropped or pasted, and the state of things takes two lines", async ({ desk, page }) => {
		await expect(page.locator(".lead .by-touch")).toBeVisible();
		await expect(page.locator(".lead .by-mouse")).toBeHidden();
		await put(desk, { name: fresh("photo", ".png"), mimeType: "image/png", buffer: PNG });
		const lines = await page.locator("#overall-text").evaluate((it) => {
			it.textContent = "12 of 60 received · 2 refused · 3.2 MiB of 18 MiB · 1.2 MiB/s · 10 s left";
			return it.getBoundingClientRect().height / parseFloat(getComputedStyle(it).lineHeight);
		});
		expect(lines).toBeLessThan(2.5);
		await expect(page.locator(".item .stamp")).toBeVisible();
	});
});
