// Against the mock, one per test, each on a port of its own; or, with WAYBILL_URL, against a real waybill (open
// access, default limits), where the tests that need the mock's tricks stay out.
import { defineConfig } from "@playwright/test";
import { launch } from "./lib.mjs";

const real = Boolean(process.env.WAYBILL_URL);
export default defineConfig({
	testDir: ".",
	testMatch: real ? "both/*.spec.mjs" : "{both,mock}/*.spec.mjs",
	outputDir: "out/results",
	forbidOnly: true,
	retries: 0,
	workers: Number(process.env.WORKERS || 2),
	fullyParallel: true,
	timeout: 45_000,
	expect: { timeout: 10_000 },
	reporter: [["list"], ["junit", { outputFile: "out/junit.xml" }], ["json", { outputFile: "out/results.json" }]],
	use: { launchOptions: launch, locale: "en-GB", viewport: { width: 1100, height: 800 }, screenshot: "only-on-failure" },
});
