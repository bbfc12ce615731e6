// node build.mjs [--model FILE]: compiles the module, and makes two folders that need nothing else:
//
//   target/package   the npm package, ready for `npm pack` or `npm install`
//   target/page      the page, static files for any server; the model (default: the repository's) beside them
//
// RUSTUP_TOOLCHAIN says which toolchain compiles; it needs the target wasm32-unknown-unknown.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const target = join(here, "target");

const { values } = parseArgs({ options: { model: { type: "string", default: join(root, "fixtures/default.bspan") } } });

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const json = (value) => JSON.stringify(value, null, 2) + "\n";

/** Compiles the module; returns its bytes without the sections that only debuggers read. */
function compile() {
  const folder = process.env.CARGO_TARGET_DIR ? resolve(process.env.CARGO_TARGET_DIR, "js") : join(target, "cargo");
  const triple = "wasm32-unknown-unknown";
  const command = ["build", "--locked", "--release", "--quiet", "--target", triple, "--target-dir", folder];
  // In the crate's folder, whose configuration switches SIMD on; RUSTFLAGS would switch that off.
  const env = { ...process.env };
  delete env.RUSTFLAGS;
  execFileSync("cargo", command, { cwd: join(here, "wasm"), env, stdio: "inherit" });
  return withoutCustomSections(readFileSync(join(folder, triple, "release/blockspan_wasm.wasm")));
}

/** A module is a header of 8 bytes and sections: an id, a length in LEB128, the content. Custom sections have id 0. */
function withoutCustomSections(module) {
  const parts = [module.subarray(0, 8)];
  for (let at = 8; at < module.length; ) {
    const start = at;
    const id = module[at++];
    let length = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      length += (module[at] & 0x7f) * 2 ** shift;
      more = (module[at++] & 0x80) !== 0;
    }
    at += length;
    if (id !== 0) parts.push(module.subarray(start, at));
  }
  return Buffer.concat(parts);
}

/** An empty folder. */
function fresh(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

function makePackage(module) {
  const out = fresh(join(target, "package"));
  const { scripts: _, devDependencies: __, ...manifest } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
  writeFileSync(join(out, "package.json"), json(manifest));
  writeFileSync(join(out, "blockspan.wasm"), module);
  cpSync(join(here, "src"), join(out, "src"), { recursive: true });
  copyFileSync(join(here, "README.md"), join(out, "README.md"));
  for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) copyFileSync(join(root, name), join(out, name));
  return out;
}

/** `page/files.json` lists the files; what it says of each is in the page too, for its service worker and for servers. */
function makePage(packageFolder, model) {
  const out = fresh(join(target, "page"));
  const list = JSON.parse(readFileSync(join(here, "page/files.json"), "utf8"));
  const sourceOf = (path) =>
    path.startsWith("blockspan/") ? join(packageFolder, path.slice("blockspan/".length)) : join(here, "page", path);
  const content = createHash("sha256");
  for (const { path } of list.files) {
    if (path === "files.js") continue;
    mkdirSync(dirname(join(out, path)), { recursive: true });
    copyFileSync(sourceOf(path), join(out, path));
    content.update(path).update("\0").update(sha256(readFileSync(join(out, path))));
  }
  const page = { version: content.digest("hex").slice(0, 16), ...list };
  writeFileSync(join(out, "files.js"), `self.PAGE = ${JSON.stringify(page)};\n`);
  const bytes = readFileSync(model);
  writeFileSync(join(out, "model.bspan"), bytes);
  const about = { url: "model.bspan", sha256: sha256(bytes), bytes: bytes.length, name: basename(model) };
  writeFileSync(join(out, "model.json"), json(about));
  return out;
}

const module = compile();
const packageFolder = makePackage(module);
console.log(`${packageFolder}: blockspan.wasm has ${module.length} bytes`);
console.log(makePage(packageFolder, values.model));
