// Where models come from, and what comes instead.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

import { imported, modelFile, project, scratch, serve } from "./support.mjs";

const request = { question: "When was it built?", context: "It was built in 1862." };
const lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 15811904\n";
const html = "<!doctype html><title>Sign in</title>";

describe("sources", () => {
  let load, loadInWorker, bytes;
  before(async () => {
    ({ load, loadInWorker } = await imported(project({ after: (end) => process.on("exit", end) })));
    bytes = readFileSync(modelFile);
  });
  const answers = async (qa) => {
    assert.equal((await qa.answer(request)).answers[0].text, "1862");
    qa.close();
  };
  /** That loading fails, here and in a worker, with this code and message. */
  const refused = async (source, code, message, options) => {
    for (const how of [load, loadInWorker]) {
      await assert.rejects(how(source, options), (error) => {
        assert.equal(error.code, code, error.message);
        assert.match(error.message, message);
        assert(!error.message.includes("\n"));
        return true;
      });
    }
  };
  const abort = (name) => ({ name });

  test("bytes, a Blob, a path, a file URL", async () => {
    await answers(await load(bytes));
    // From an odd place in memory.
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    await answers(await load(shifted.subarray(1)));
    await answers(await load(new Blob([bytes])));
    await answers(await load(new Uint8Array(bytes).buffer));
    await answers(await load(pathToFileURL(modelFile)));
    await answers(await load(pathToFileURL(modelFile).href));
    await answers(await loadInWorker(new Uint8Array(bytes)));
    await answers(await loadInWorker(new Blob([bytes])));
  });

  test("HTTP with progress, with and without a length, compressed or not", async (t) => {
    const inPieces = (request, response) => {
      response.writeHead(200);
      for (let at = 0; at < bytes.length; at += 1e6) response.write(bytes.subarray(at, at + 1e6));
      response.end();
    };
    const body = gzipSync(bytes, { level: 1 });
    const compressed = (request, response) => {
      response.writeHead(200, { "content-encoding": "gzip", "content-length": body.length });
      response.end(body);
    };
    const { origin } = await serve(t, join(modelFile, ".."), { "/pieces": inPieces, "/compressed": compressed });
    for (const [path, total] of [["/default.bspan", bytes.length], ["/pieces", undefined], ["/compressed", undefined]]) {
      for (const how of [load, loadInWorker]) {
        const seen = [];
        await answers(await how(origin + path, { onProgress: (progress) => seen.push(progress) }));
        assert.deepEqual(seen[0], { loaded: 0, total, cached: false });
        assert.deepEqual(seen.at(-1), { loaded: bytes.length, total, cached: false });
        assert(seen.length > 3 && seen.every(({ loaded }, index) => index === 0 || loaded > seen[index - 1].loaded));
      }
    }
    await answers(await load(await fetch(`${origin}/default.bspan`)));
  });

  test("what is no model is named", async (t) => {
    const folder = scratch(t);
    const files = { html, lfs, empty: "", json: '{"error": "no"}', zipped: gzipSync(bytes.subarray(0, 5000)) };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    const messages = {
      html: /: a web page came in place of the model/,
      lfs: /: a Git LFS pointer .*git lfs pull/,
      empty: /: not a .bspan model/,
      json: /: not a .bspan model .*blockspan-trainer pack/,
      zipped: /: the model is compressed with gzip/,
    };
    const { origin } = await serve(t, folder);
    for (const [name, message] of Object.entries(messages)) {
      await refused(join(folder, name), "model", message);
      await refused(`${origin}/${name}`, "model", message);
    }
    await refused(new Uint8Array(0), "model", /^the model: not a .bspan model/);
    for (const wrong of [undefined, null, 5, {}]) await assert.rejects(load(wrong), { code: "option" });
  });

  test("what is no model is not read to its end", async (t) => {
    let written = 0;
    const endless = (request, response) => {
      response.writeHead(200, { "content-type": "application/octet-stream" });
      const timer = setInterval(() => (written += response.write("x".repeat(1000)) ? 1 : 0), 1);
      response.on("close", () => clearInterval(timer));
    };
    const { origin } = await serve(t, ".", { "/endless": endless });
    await refused(`${origin}/endless`, "model", /not a .bspan model/);
  });

  test("damaged models: cut short, flipped, appended to", async (t) => {
    const folder = scratch(t);
    const flipped = Buffer.from(bytes);
    flipped[9_000_000] ^= 1;
    await refused(bytes.subarray(0, 5_000_000), "model", new RegExp(`^the model: 5000000 bytes where ${bytes.length} are needed: the file is incomplete`));
    await refused(flipped, "model", /^the model: damaged section .*checksum/);
    await refused(Buffer.concat([bytes, Buffer.alloc(64)]), "model", /something was appended/);
    writeFileSync(join(folder, "cut"), bytes.subarray(0, 100));
    await refused(join(folder, "cut"), "model", /cut: 100 bytes where 128 are needed: the file is incomplete/);
  });

  test("a download that breaks off", async (t) => {
    const cut = (request, response) => {
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 300_000), () => response.destroy());
    };
    const withoutLength = (request, response) => {
      response.writeHead(200, { connection: "close" });
      response.end(bytes.subarray(0, 300_000));
    };
    const { origin } = await serve(t, ".", { "/cut": cut, "/short": withoutLength });
    await refused(`${origin}/cut`, "source", new RegExp(`/cut: broke off after \\d+ of ${bytes.length} bytes: .*; load it again`));
    await refused(`${origin}/short`, "model", new RegExp(`/short: 300000 bytes where ${bytes.length} are needed: the file is incomplete`));
  });

  test("HTTP errors, no server, no file", async (t) => {
    const teapot = (request, response) => response.writeHead(500).end(html);
    const folder = scratch(t);
    mkdirSync(join(folder, "a-folder"));
    const { origin } = await serve(t, folder, { "/500": teapot });
    await refused(`${origin}/none.bspan`, "source", /\/none.bspan: HTTP 404 Not Found; check the address/);
    await refused(`${origin}/500`, "source", /HTTP 500/);
    await refused("http://127.0.0.1:9/model.bspan", "source", /^http:\/\/127.0.0.1:9\/model.bspan: cannot be fetched: /);
    await refused(join(folder, "none.bspan"), "source", /none.bspan: there is no such file/);
    await refused(folder, "source", /: is a directory/);
  });

  test("a file with another hash is refused", async () => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    await answers(await load(bytes, { sha256: sha256.toUpperCase() }));
    await refused(bytes, "model", /its SHA-256 is 4?[0-9a-f]+, not 0{64}/, { sha256: "0".repeat(64) });
  });

  test("aborted before, during the download, with a reason", async (t) => {
    const slow = (request, response) => {
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 300_000));
    };
    const { origin } = await serve(t, ".", { "/slow": slow });
    for (const how of [load, loadInWorker]) {
      await assert.rejects(how(modelFile, { signal: AbortSignal.abort() }), abort("AbortError"));
      const controller = new AbortController();
      const loading = how(`${origin}/slow`, {
        signal: controller.signal,
        onProgress: ({ loaded }) => loaded > 0 && controller.abort(new RangeError("changed my mind")),
      });
      await assert.rejects(loading, { name: "RangeError", message: "changed my mind" });
      await assert.rejects(how(`${origin}/slow`, { signal: AbortSignal.timeout(50) }), abort("TimeoutError"));
    }
  });

  test("wrong options of load", async () => {
    const wrong = { maxSeqLen: [3, 1.5, "64"], onProgress: [5], sha256: ["abc", 7], signal: [{}, 1] };
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) await refused(modelFile, "option", new RegExp(`^${name} must be`), { [name]: value });
    }
    await refused(modelFile, "option", /^load has no option threads/, { threads: 4 });
    await refused(modelFile, "option", /^windows of 513 tokens do not work here; use 8 to 512$/, { maxSeqLen: 513 });
  });
});
