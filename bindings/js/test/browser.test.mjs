// The installed package in Chromium, without a bundler: README's example, the native engine's bits, the store.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";

import { launch } from "./chromium.mjs";
import { asGolden, expected, golden, modelFile, project, questions, readmeBlock, serve } from "./support.mjs";

const html = (script) => `<!doctype html><meta charset="utf-8"><title>a page</title>
<script type="importmap">{ "imports": { "blockspan": "./node_modules/blockspan/src/index.js" } }</script>
<script type="module">${script}</script>`;

describe("the package in a browser", () => {
  let folder, sha256;
  before(() => {
    ({ folder } = project({ after: (end) => process.on("exit", end) }));
    copyFileSync(modelFile, join(folder, "default.bspan"));
    sha256 = createHash("sha256").update(readFileSync(modelFile)).digest("hex");
  });
  /** A page of the project that runs this script. */
  const open = async (t, script, special) => {
    writeFileSync(join(folder, "index.html"), html(script));
    const server = await serve(t, folder, special);
    const { page } = await launch(t);
    await page.goto(`${server.origin}/index.html`);
    return { ...server, page };
  };

  test("README's example answers, and the second visit fetches no model", async (t) => {
    const script = readmeBlock("browser").replace("the file's SHA-256", sha256);
    assert(script.includes(sha256));
    const { page, requests } = await open(t, script);
    const fetched = () => requests.filter((path) => path === "/default.bspan").length;
    await page.waitForFunction(() => document.body.textContent === "Hélène Brûlé");
    assert.equal(fetched(), 1);
    await page.reload();
    await page.waitForFunction(() => document.body.textContent === "Hélène Brûlé");
    assert.equal(fetched(), 1);
  });

  test("the numbers have the native engine's bits", async (t) => {
    const { page } = await open(t, 'import * as blockspan from "blockspan"; window.blockspan = blockspan;');
    await page.waitForFunction(() => window.blockspan);
    const outcomes = await page.evaluate(async (requests) => {
      const qa = await window.blockspan.loadInWorker("default.bspan");
      return Promise.all(requests.map(({ question, context }) => qa.answer({ question, context })));
    }, questions);
    assert.equal(outcomes.length, Object.keys(golden).length);
    outcomes.forEach((outcome, index) => assert.deepEqual(asGolden(outcome), expected(questions[index])));
  });

  test("what is kept is checked, replaced by a new version, and left when it is damaged", async (t) => {
    const { page, requests } = await open(t, 'import * as blockspan from "blockspan"; window.blockspan = blockspan;');
    await page.waitForFunction(() => window.blockspan);
    const load = (hash) =>
      page.evaluate(async (sha256) => {
        const { load } = window.blockspan;
        const qa = await load("default.bspan", { sha256 }).catch(({ code, message }) => ({ code, message }));
        const keys = await (await caches.open("blockspan-models")).keys();
        const { cached, code, message } = qa;
        return { cached, code, message, kept: keys.map(({ url }) => new URL(url).searchParams.get("sha256")) };
      }, hash);
    const fetched = () => requests.filter((path) => path === "/default.bspan").length;
    const put = (hash, length) =>
      page.evaluate(
        async ({ hash, length }) => {
          const bytes = await (await fetch("default.bspan")).arrayBuffer();
          const cache = await caches.open("blockspan-models");
          await cache.put(new URL(`default.bspan?sha256=${hash}`, location.href).href, new Response(bytes.slice(0, length)));
        },
        { hash, length },
      );

    assert.match((await load("0".repeat(64))).message, /its SHA-256 is/);
    assert.deepEqual((await load("0".repeat(64))).kept, []);

    // An older version of the file goes when this one comes.
    await put("1".repeat(64), 100);
    const first = await load(sha256);
    assert.deepEqual([first.cached, first.kept], [true, [sha256]]);
    let before = fetched();
    assert.equal((await load(sha256)).cached, true);
    assert.equal(fetched(), before);

    // Cut short on the disk: it is fetched anew.
    await put(sha256, 1_000_000);
    before = fetched();
    assert.deepEqual((await load(sha256)).kept, [sha256]);
    assert.equal(fetched(), before + 1);
    assert.equal((await load(sha256)).cached, true);
    assert.equal(fetched(), before + 1);
  });

  test("errors are those of Node", async (t) => {
    const cut = (request, response) => {
      response.writeHead(200, { "content-length": 15_000_000 });
      response.write(readFileSync(modelFile).subarray(0, 300_000), () => response.destroy());
    };
    const { page } = await open(t, 'import * as blockspan from "blockspan"; window.blockspan = blockspan;', { "/cut": cut });
    await page.waitForFunction(() => window.blockspan);
    const refusals = await page.evaluate(async () => {
      const { load, loadInWorker, BlockspanError } = window.blockspan;
      const refusal = (error) => [error instanceof BlockspanError && error.code, error.message];
      const all = [];
      for (const how of [load, loadInWorker]) {
        for (const source of ["none.bspan", "index.html", "cut", "http://127.0.0.1:9/x", new Uint8Array(9)]) {
          all.push(await how(source).then(() => [], refusal));
        }
      }
      const reason = await loadInWorker("default.bspan", { signal: AbortSignal.abort(new Error("no")) }).catch((e) => e);
      return [...all, [null, reason.message]];
    });
    const messages = [
      ["source", /\/none.bspan: HTTP 404 Not Found; check the address$/],
      ["model", /\/index.html: a web page came in place of the model; check the address$/],
      ["source", /\/cut: broke off after \d+ of 15000000 bytes: .*; load it again$/],
      ["source", /^http:\/\/127.0.0.1:9\/x: cannot be fetched: /],
      ["model", /^the model: not a .bspan model/],
    ];
    [...messages, ...messages, [null, /^no$/]].forEach(([code, message], index) => {
      assert.equal(refusals[index][0], code);
      assert.match(refusals[index][1], message);
    });
  });

  test("a policy without wasm-unsafe-eval is named", async (t) => {
    const bare = (request, response) => {
      const policy = "script-src 'self' 'unsafe-inline'; connect-src 'self'";
      response.writeHead(200, { "content-type": "text/html", "content-security-policy": policy });
      response.end(html('import * as blockspan from "blockspan"; window.blockspan = blockspan;'));
    };
    const { page } = await open(t, "", { "/index.html": bare });
    await page.waitForFunction(() => window.blockspan);
    const [code, message] = await page.evaluate(() =>
      window.blockspan.load("default.bspan").catch((error) => [error.code, error.message]),
    );
    assert.equal(code, "unsupported");
    assert.match(message, /'wasm-unsafe-eval'\)$/);
  });
});
