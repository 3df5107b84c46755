// worker/ against a real waybill at WAYBILL_URL (open access, default limits), which run.sh starts, or, without one,
// against the mock; mock/ is what only the mock can be made to do, each test on one of its own.
import { defineConfig } from "@playwright/test";
import "../chance.mjs"; // the seed of this run is told here, once for all workers
import { launch } from "./lib.mjs";

export default defineConfig({
	testDir: ".",
	testMatch: "{worker,mock}/*.spec.mjs",
	outputDir: "out/results",
	forbidOnly: true,
	retries: 0,
	workers: Number(process.env.WORKERS || 2),
	fullyParallel: true,
	timeout: 60_000,
	expect: { timeout: 15_000 },
	reporter: [["list"], ["junit", { outputFile: "out/junit.xml" }], ["json", { outputFile: "out/results.json" }]],
	use: { launchOptions: launch, locale: "en-GB", viewport: { width: 1100, height: 800 }, screenshot: "only-on-failure" },
});
