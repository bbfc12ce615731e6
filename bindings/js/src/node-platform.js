// Node: as in browsers, and files.

import { open, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { BlockspanError } from "./error.js";
import { fetchModel } from "./source.js";

/** The URL that a text is; `undefined` for a path, which on Windows may begin like one: `C:\`. */
function urlOf(source) {
  if (source instanceof URL) return source;
  return /^[a-z][a-z0-9+.-]+:/i.test(source) && URL.canParse(source) ? new URL(source) : undefined;
}

export const node = {
  async open(source, signal) {
    const url = urlOf(source);
    if (url && url.protocol !== "file:") return fetchModel(url.href, signal);
    const path = url ? fileURLToPath(url) : source;
    let file;
    try {
      file = await open(path);
    } catch (cause) {
      const reason = cause.code === "ENOENT" ? "there is no such file" : cause.message;
      throw new BlockspanError("source", `${path}: ${reason}`, { cause });
    }
    const status = await file.stat();
    if (status.isDirectory()) {
      await file.close();
      throw new BlockspanError("source", `${path}: is a directory; name the file in it`);
    }
    return {
      name: path,
      length: status.isFile() ? status.size : undefined,
      chunks: file.createReadStream({ highWaterMark: 1 << 20 }),
    };
  },

  async module() {
    return WebAssembly.compile(await readFile(new URL("../blockspan.wasm", import.meta.url)));
  },
};
