// Browsers, and their workers.

import { BlockspanError, reasonOf } from "./error.js";
import { fetchModel } from "./source.js";

const WASM = new URL("../blockspan.wasm", import.meta.url);

const base = () => globalThis.document?.baseURI ?? globalThis.location?.href;

export const web = {
  base,

  async open(source, signal, cache) {
    let url;
    try {
      url = new URL(source, base());
    } catch {
      throw new BlockspanError("option", `${source} is no URL`);
    }
    return fetchModel(url.href, signal, cache);
  },

  async module() {
    let response;
    try {
      response = await fetch(WASM);
    } catch (cause) {
      throw new BlockspanError("source", `${WASM}: cannot be fetched: ${reasonOf(cause)}`, { cause });
    }
    if (!response.ok) throw new BlockspanError("source", `${WASM}: HTTP ${response.status}; it belongs to the package`);
    const streams = response.headers.get("content-type")?.startsWith("application/wasm");
    return streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
  },
};
