// What the tests share: the package as users get it, the committed questions and answers, and a server that misbehaves.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join, normalize, resolve } from "node:path";
import { pathToFileURL } from "node:url";

export const root = resolve(import.meta.dirname, "../../..");
export const here = join(root, "bindings/js");
export const page = join(here, "target/page");
export const modelFile = join(root, "fixtures/default.bspan");
export const files = JSON.parse(readFileSync(join(here, "page/files.json"), "utf8"));

/** A new folder that is gone after the tests. */
export function scratch(t) {
  const folder = mkdtempSync(join(tmpdir(), "blockspan-js-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A project in which the package is installed from its tarball, as `npm install blockspan` does. */
export function project(t) {
  const folder = scratch(t);
  const npm = (...words) => execFileSync("npm", words, { cwd: folder, encoding: "utf8", shell: process.platform === "win32" });
  const [{ filename, files }] = JSON.parse(npm("pack", "--json", "--pack-destination", folder, join(here, "target/package")));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "a-project", private: true, type: "module" }));
  npm("install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", `./${filename}`);
  return { folder, packed: files.map(({ path, size }) => ({ path, size })) };
}

/** The installed package, as a program in that project would import it. */
export async function imported({ folder }) {
  return import(pathToFileURL(createRequire(join(folder, "program.js")).resolve("blockspan")).href);
}

/** The committed questions: `{ id, question, context }`. */
export const questions = ["questions.json", "plain_questions.json"].flatMap((file) =>
  JSON.parse(readFileSync(join(root, "fixtures", file), "utf8")).data.flatMap(({ paragraphs }) =>
    paragraphs.flatMap(({ context, qas }) => qas.map(({ id, question }) => ({ id, question, context }))),
  ),
);

/** What the native engine answered, by id, floats as their bits. */
export const golden = JSON.parse(readFileSync(join(root, "fixtures/golden_answers.json"), "utf8"));

const bitsOf = (float) => new Uint32Array(new Float32Array([float]).buffer)[0];

/** An outcome of the package in the shape of `golden`; its places in code units. */
export function asGolden({ answers: [answer], nullDiff }) {
  return {
    text: answer.text,
    start_logit_bits: bitsOf(answer.startLogit),
    end_logit_bits: bitsOf(answer.endLogit),
    score_bits: bitsOf(answer.score),
    null_diff_bits: bitsOf(nullDiff),
  };
}

/** The golden answer without its places, which count bytes and characters there. */
export function expected({ id }) {
  const { bytes: _, chars: __, ...rest } = golden[id];
  return rest;
}

/** The bytes of a character string's places, counted in code units. */
export function charPlaces(context, { start, end }) {
  return [start, end].map((place) => Array.from(context.slice(0, place)).length);
}

/**
 * Serves `folder`; `special` maps a path to a function of the request and the response. `requests` lists the paths that
 * were asked for.
 */
export async function serve(t, folder, special = {}) {
  const types = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };
  const requests = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    requests.push(path);
    if (special[path]) return special[path](request, response);
    try {
      const bytes = readFileSync(join(folder, normalize(path)));
      response.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream", "content-length": bytes.length });
      response.end(bytes);
    } catch {
      response.writeHead(404).end("not here");
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${server.address().port}`, requests };
}

/** The code block of a README that follows the comment `<!-- run: NAME -->`. */
export function readmeBlock(name) {
  const text = readFileSync(join(here, "README.md"), "utf8");
  const found = new RegExp(`<!-- run: ${name} -->\\n+\`\`\`\\w*\\n([^]*?)\`\`\``).exec(text);
  if (!found) throw new Error(`README.md has no block <!-- run: ${name} -->`);
  return found[1];
}
