// A browser for a test: Debian's Chromium without a window, as the tests of a file share it.

import { after } from "node:test";

import { chromium } from "playwright-core";

const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

// Requests of service workers count too.
process.env.PW_EXPERIMENTAL_SERVICE_WORKER_NETWORK_EVENTS = "1";

/** One browser for the tests of a file, started by the first; its profile is new, and gone with it. */
let browser;
const started = () =>
  (browser ??= chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args }));
after(async () => (await browser)?.close());

/**
 * A page of its own: with no cookies, caches or service workers of another test. `requests` lists the addresses that
 * anything in it asks for, `complaints` what the console says of errors, refusals of the Content-Security-Policy among
 * them.
 */
export async function launch(t, options = {}) {
  const context = await (await started()).newContext(options);
  t.after(() => context.close());
  const requests = [];
  const complaints = [];
  context.on("request", (request) => requests.push(request.url()));
  context.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  context.on("weberror", (error) => complaints.push(error.error().message));
  return { context, page: await context.newPage(), requests, complaints };
}
