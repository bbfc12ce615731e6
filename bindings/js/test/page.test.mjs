// The page in Chromium, from Python's file server: its flow, offline, its policy, its looks.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, test } from "node:test";

import { launch } from "./chromium.mjs";
import { withMetadata } from "./metadata.mjs";
import { files, here, page as built, root, scratch, serve } from "./support.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const WIDE = { width: 1000, height: 1000 };
const PHONE = { width: 360, height: 740 };

/** `python3 -m http.server` in a folder; `stop` ends it. */
async function python(t, folder) {
  const server = spawn("python3", ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder]);
  const log = [];
  const stop = () => new Promise((ended) => server.once("exit", ended).kill() || ended());
  t.after(() => server.exitCode ?? server.kill());
  server.stderr.setEncoding("utf8").on("data", (text) => log.push(text));
  const port = await new Promise((found, lost) => {
    let printed = "";
    server.stdout.setEncoding("utf8").on("data", (text) => {
      printed += text;
      const [, port] = /port (\d+) /.exec(printed) ?? [];
      if (port) found(port);
    });
    server.once("exit", () => lost(new Error(log.join(""))));
  });
  const fetched = (path) => log.join("").split(`"GET ${path} `).length - 1;
  return { origin: `http://127.0.0.1:${port}`, stop, fetched };
}

/** The page, opened and ready; `folder` is another copy of it. */
async function open(t, { folder = built, ...options } = {}) {
  const server = await python(t, folder);
  const browser = await launch(t, { viewport: WIDE, ...options });
  await browser.page.goto(`${server.origin}/`);
  await ready(browser.page);
  return { server, ...browser };
}

const ready = (page) => page.waitForFunction(() => document.getElementById("status").textContent === "Ready.");

/** Asks, and waits for what is shown. */
async function ask(page, context, question) {
  await page.fill("#context", context);
  await page.fill("#question", question);
  await page.click("#ask");
  await answered(page);
}

async function answered(page) {
  await page.waitForFunction(
    () => !document.getElementById("ask").hasAttribute("aria-disabled") && document.getElementById("status").textContent === "",
  );
}

/** A copy of the page with another model. */
function withModel(t, model) {
  const folder = scratch(t);
  cpSync(built, folder, { recursive: true });
  writeFileSync(join(folder, "model.bspan"), model);
  const sha256 = createHash("sha256").update(model).digest("hex");
  writeFileSync(join(folder, "model.json"), JSON.stringify({ url: "model.bspan", sha256, bytes: model.length, name: "mine" }));
  return folder;
}

describe("the page", () => {
  test("the list of files is complete, and the policy is the same in the page", () => {
    const paths = files.files.map(({ path }) => path);
    const all = readdirSync(built, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(built.length + 1).replaceAll("\\", "/"));
    assert.deepEqual(all.sort(), [...paths, "model.bspan", "model.json"].sort());
    const html = readFileSync(join(built, "index.html"), "utf8");
    assert(html.includes(`http-equiv="Content-Security-Policy" content="${files.contentSecurityPolicy}"`));
    assert(!/<script>|<style|style=|\son\w+=/.test(html), "nothing inline");
    for (const { path } of files.files.filter(({ path }) => path.endsWith(".js"))) {
      const source = readFileSync(join(built, path), "utf8");
      assert(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write/.test(source), path);
    }
  });

  test("a sample, its answer in the passage, the other spans, all within the origin", async (t) => {
    const { page, server, requests, complaints } = await open(t);
    await page.click("text=Bakery");
    await page.click("text=Who opened the bakery?");
    await answered(page);
    assert.equal(await page.textContent("#summary"), "Marta Lindqvist");
    assert.equal(await page.textContent("#passage mark"), "Marta Lindqvist");
    assert.equal(await page.textContent("#passage"), await page.inputValue("#context"));
    assert.match(await page.textContent("#details"), /^Probability among the spans found: \d+\.\d% · [\d.]+ m?s$/);
    const spans = page.locator("#spans button");
    assert.equal(await spans.count(), 5);
    await spans.nth(1).click();
    assert.equal(await spans.nth(1).getAttribute("aria-pressed"), "true");
    assert.equal(await spans.nth(0).getAttribute("aria-pressed"), "false");
    assert.equal(await page.textContent("#passage mark"), await spans.nth(1).locator(".text").textContent());

    await page.click("text=Accents and emoji");
    await page.click("#ask");
    await answered(page);
    assert.match(await page.textContent("#passage mark"), /^Hélène Brûlé/);

    assert(requests.length > 20);
    for (const url of requests) assert(url.startsWith(`${server.origin}/`), url);
    assert.deepEqual(complaints, []);
  });

  test("a question may be asked while the model loads", async (t) => {
    const server = await python(t, built);
    const { page } = await launch(t);
    await page.goto(`${server.origin}/`);
    await page.click("#ask");
    await page.waitForFunction(() => document.getElementById("summary").textContent === "1862");
  });

  test("a long passage scrolls to the answer", async (t) => {
    const { page } = await open(t);
    await ask(page, "Gulls nest on the rocks below.\n".repeat(60) + "The lighthouse was built in 1862.", "When was the lighthouse built?");
    assert.equal(await page.textContent("#summary"), "1862");
    assert.match(await page.textContent("#details"), /read in \d windows/);
    await page.waitForFunction(() => {
      const [box, mark] = ["#passage", "#passage mark"].map((name) => document.querySelector(name).getBoundingClientRect());
      return mark.top >= box.top && mark.bottom <= box.bottom;
    });
  });

  test("what cannot be answered is said, and the field gets the focus", async (t) => {
    const { page } = await open(t);
    const focused = () => page.evaluate(() => document.activeElement.id);
    await ask(page, "It was built in 1862.", "  ");
    assert.match(await page.textContent("#error"), /the question is empty/);
    assert.equal(await focused(), "question");
    await ask(page, "", "When?");
    assert.match(await page.textContent("#error"), /the passage is empty/);
    assert.equal(await focused(), "context");
    assert(await page.isHidden("#result"));
    await ask(page, "It was built in 1862.", "When was it built?");
    assert(await page.isHidden("#error"));
  });

  test("no answer above the model's own threshold, with a guess; always an answer without one", async (t) => {
    const model = readFileSync(join(built, "model.bspan"));
    const context = "The lighthouse was built in 1862.";
    const question = "When was the lighthouse built?";
    for (const [lines, answer] of [
      ["null_threshold: -99\n", /^No answer in this passageBest guess: 1862$/],
      ["null_threshold: 99\n", /^1862$/],
      ["f1: 1\n", /^1862$/],
    ]) {
      const { page } = await open(t, { folder: withModel(t, withMetadata(model, lines)) });
      await ask(page, context, question);
      assert.match(await page.textContent("#summary"), answer);
      assert.equal(await page.textContent("#passage mark"), "1862");
    }
  });

  test("text is never HTML", async (t) => {
    const { page, requests, complaints } = await open(t);
    const hostile = '<img src="http://127.0.0.1:9/x" onerror="document.title=1"><script>document.title=2</script>';
    for (const context of [`${hostile} It was built in 1862.`, `It was built in 1862 ${hostile}`, `In ${hostile}`]) {
      await ask(page, context, `When was it built? ${hostile}`);
      assert.equal(await page.textContent("#passage"), context);
      assert.equal(await page.locator("#result img, #result script").count(), 0);
      assert.equal(await page.title(), "blockspan: ask a passage");
    }
    // A right-to-left override stays within its own element.
    await ask(page, "The keeper was \u202eTom Orde.", "Who was the keeper?");
    assert.equal(await page.locator("#summary bdi, #spans bdi").count(), 1 + (await page.locator("#spans li").count()));
    assert(!requests.some((url) => url.includes(":9/")));
    assert.deepEqual(complaints, []);
  });

  test("nothing leaves the page: neither the page nor its worker can reach another origin", async (t) => {
    const elsewhere = await serve(t, ".", {});
    const { page } = await open(t);
    const attempt = (url) => fetch(url, { mode: "no-cors" }).then(() => "sent", () => "refused");
    const target = `${elsewhere.origin}/stolen`;
    assert.equal(await page.evaluate(attempt, target), "refused");
    const [worker] = page.workers();
    assert.equal(await worker.evaluate(attempt, target), "refused");
    assert.equal(await worker.evaluate(attempt, "model.json"), "sent");
    const image = (url) => new Promise((done) => Object.assign(new Image(), { src: url, onload: () => done(1), onerror: () => done(0) }));
    assert.equal(await page.evaluate(image, `${target}.png`), 0);
    assert.deepEqual(elsewhere.requests, []);
    // The control: without a policy the same attempt arrives.
    await page.goto(`${elsewhere.origin}/`);
    await page.evaluate(attempt, target);
    assert(elsewhere.requests.includes("/stolen"));
  });

  test("after the first visit the page works without a server, the model kept by its hash", async (t) => {
    const { page, server } = await open(t);
    assert.match(await page.textContent("#model"), /kept in this browser: the page works offline/);
    await page.reload();
    await ready(page);
    assert.equal(server.fetched("/model.bspan"), 1);
    await server.stop();
    await page.reload();
    await ready(page);
    await ask(page, "The lighthouse was built in 1862.", "When was the lighthouse built?");
    assert.equal(await page.textContent("#summary"), "1862");
  });

  test("a new model and a new page replace the old ones", async (t) => {
    const model = readFileSync(join(built, "model.bspan"));
    const folder = withModel(t, model);
    const { page, server } = await open(t, { folder });
    const other = withModel(t, withMetadata(model, "base: another\n"));
    cpSync(other, folder, { recursive: true });
    await page.reload();
    await ready(page);
    assert.match(await page.textContent("#model"), /from another/);
    assert.equal(server.fetched("/model.bspan"), 2);
    const kept = () => page.evaluate(async () => (await (await caches.open("blockspan-models")).keys()).length);
    assert.equal(await kept(), 1);

    const html = readFileSync(join(folder, "index.html"), "utf8").replace("<h1>Ask a passage</h1>", "<h1>Ask anything</h1>");
    writeFileSync(join(folder, "index.html"), html);
    const list = readFileSync(join(folder, "files.js"), "utf8");
    writeFileSync(join(folder, "files.js"), list.replace(/"version":"\w+"/, '"version":"next"'));
    await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
    const versions = () => page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith("blockspan-page")));
    while (!/^blockspan-page \S+ next$/.test((await versions()).join())) await page.waitForTimeout(100);
    await page.reload();
    assert.equal(await page.textContent("h1"), "Ask anything");
  });

  test("a model that cannot be loaded is said, and can be tried again", async (t) => {
    const model = readFileSync(join(built, "model.bspan"));
    const folder = withModel(t, model.subarray(0, 1_000_000));
    // As old as each other, and for days: the HTTP cache has no reason to ask for the whole one.
    const age = () => ["model.bspan", "model.json"].forEach((file) => utimesSync(join(folder, file), 1e9, 1e9));
    age();
    const server = await python(t, folder);
    const { page } = await launch(t);
    await page.goto(`${server.origin}/`);
    await page.waitForSelector("#retry:visible");
    assert.match(await page.textContent("#error"), /model.bspan: 1000000 bytes where \d+ are needed: the file is incomplete/);
    cpSync(withModel(t, model), folder, { recursive: true });
    age();
    await page.click("#retry");
    await ready(page);
    assert(await page.isHidden("#error"));
    await page.click("#ask");
    await answered(page);
    assert.equal(await page.textContent("#summary"), "1862");
  });

  test("by keyboard alone", async (t) => {
    const { page } = await open(t);
    const focused = () => page.evaluate(() => [document.activeElement.id, document.activeElement.textContent.trim()]);
    const press = async (key, wanted) => {
      for (let presses = 0; presses < 30; presses++) {
        await page.keyboard.press(key);
        const [id, text] = await focused();
        if (id === wanted || text === wanted) return;
      }
      assert.fail(`${key} never comes to ${wanted}`);
    };
    await page.evaluate(() => document.activeElement.blur());
    await press("Tab", "context");
    await press("Tab", "Wetland");
    await page.keyboard.press("Enter");
    await press("Tab", "question");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("When was the first count?");
    await page.keyboard.press("Enter");
    await answered(page);
    assert.equal(await page.textContent("#summary"), "1991");
    await press("Tab", "passage");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    assert.equal(await page.locator("#spans button").nth(1).getAttribute("aria-pressed"), "true");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none");
  });

  test("accessible and within the width: light and dark, on a phone, with reduced motion", async (t) => {
    const { page } = await open(t);
    await page.evaluate(axe);
    const looks = {
      light: [{ colorScheme: "light" }, WIDE],
      dark: [{ colorScheme: "dark" }, WIDE],
      phone: [{ colorScheme: "light" }, PHONE],
      "phone, dark": [{ colorScheme: "dark" }, PHONE],
    };
    const check = async (state) => {
      for (const [name, [media, size]] of Object.entries(looks)) {
        await page.emulateMedia(media);
        await page.setViewportSize(size);
        const { violations, passes } = await page.evaluate(() => window.axe.run());
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
        assert.deepEqual(found, [], `${name}, ${state}`);
        assert(passes.length > 15);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert(overflow <= 0, `${name}, ${state}: ${overflow} pixels too wide`);
      }
    };
    await check("before a question");
    await page.click("#ask");
    await answered(page);
    await check("with an answer");
    await ask(page, `The keeper was ${"a".repeat(300)}.`, "Who was the keeper?");
    await check("with a long word");
    await ask(page, "", "Who?");
    await check("with an error");
    const backgrounds = new Set();
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      backgrounds.add(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    }
    assert.equal(backgrounds.size, 2);
    for (const [reducedMotion, behavior] of [["reduce", "auto"], ["no-preference", "smooth"]]) {
      await page.emulateMedia({ reducedMotion });
      assert.equal(await page.evaluate(() => getComputedStyle(document.getElementById("passage")).scrollBehavior), behavior);
    }
  });

  test("the picture for the README", async (t) => {
    const { page } = await open(t, { colorScheme: "light", viewport: { width: 640, height: 1800 } });
    await page.click("text=Who was the last keeper?");
    await answered(page);
    await page.mouse.move(0, 0);
    await page.evaluate(() => {
      document.activeElement.blur();
      const details = document.getElementById("details");
      // A time that is not another one in every picture.
      details.textContent = details.textContent.replace(/[\d.]+ m?s/, "38 ms");
    });
    const { bottom } = await page.evaluate(() => document.getElementById("passage").getBoundingClientRect());
    const picture = await page.screenshot({ clip: { x: 0, y: 0, width: 640, height: Math.ceil(bottom) + 20 } });
    if (process.env.BLOCKSPAN_BLESS) writeFileSync(join(here, "page/screenshot.png"), picture);
    // What is committed may come from other fonts, but is a picture of the same page.
    const committed = readFileSync(join(here, "page/screenshot.png"));
    assert(statSync(join(here, "page/screenshot.png")).size < 150_000);
    assert.equal(committed.readUInt32BE(16), picture.readUInt32BE(16));
  });
});
