// The examples of README.md for Node, in a project that has the package from its tarball.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";

import { here, modelFile, project, readmeBlock } from "./support.mjs";

describe("the package", () => {
  let installed;
  before(() => {
    installed = project({ after: (end) => process.on("exit", end) });
    copyFileSync(modelFile, join(installed.folder, "default.bspan"));
  });

  for (const name of ["node", "options"]) {
    test(`README's example "${name}" prints what stands there`, () => {
      writeFileSync(join(installed.folder, "example.js"), readmeBlock(name));
      const printed = execFileSync(process.execPath, ["example.js"], { cwd: installed.folder, encoding: "utf8" });
      assert.equal(printed, readmeBlock(`${name}-output`));
    });
  }

  test("a program ends though a worker is open", () => {
    const program = 'import { loadInWorker } from "blockspan"; await loadInWorker("default.bspan"); console.log("done");';
    writeFileSync(join(installed.folder, "open.js"), program);
    const run = { cwd: installed.folder, encoding: "utf8", timeout: 60_000 };
    assert.equal(execFileSync(process.execPath, ["open.js"], run), "done\n");
  });

  test("the tarball holds the sources, the module, types and licenses, and nothing else", () => {
    const sources = readdirSync(join(here, "src")).map((name) => `src/${name}`);
    const others = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "blockspan.wasm", "package.json"];
    assert.deepEqual(installed.packed.map(({ path }) => path).sort(), [...others, ...sources].sort());
  });
});
