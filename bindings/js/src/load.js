// From a source to a model that answers.

import { QuestionAnswering } from "./answering.js";
import { Engine } from "./engine.js";
import { BlockspanError } from "./error.js";
import { loadOptions } from "./options.js";
import { fill, ofResponse, open } from "./source.js";
import { storeFor } from "./store.js";

/** `load` on a platform: `module()` compiles the WebAssembly, `open()` opens addresses, `base()` is what they start from. */
export function loader(platform) {
  let compiled;
  /** Compiled once; again after a failure. */
  const instance = async () => {
    compiled ??= compile(platform);
    try {
      return await Engine.of(await compiled);
    } catch (error) {
      compiled = undefined;
      throw error;
    }
  };

  return async function load(source, options = {}) {
    const { maxSeqLen, onProgress, sha256, signal } = loadOptions(options);
    signal?.throwIfAborted();
    const store = await storeFor(source, sha256, platform.base?.());

    /** Fills an instance from an opened source. */
    const model = async (opened, cached) => {
      const engine = await instance();
      await fill(engine, opened, { onProgress, signal, cached });
      signal?.throwIfAborted();
      return engine;
    };
    /** Gets it ready. */
    const ready = (engine, name) => {
      try {
        return engine.open(maxSeqLen);
      } catch (error) {
        if (error.code === "model") error.message = `${name}: ${error.message}`;
        throw error;
      }
    };

    const kept = await store?.find();
    if (kept) {
      try {
        const engine = await model(ofResponse(String(source), kept), true);
        return new QuestionAnswering(engine, ready(engine, String(source)), true);
      } catch (error) {
        // Damaged on the disk: fetch it anew.
        if (error.code !== "model" && error.code !== "source") throw error;
        await store.forget();
      }
    }
    // What is kept by its hash need not be in the HTTP cache as well, from which a file that was broken might come again.
    const opened = await open(source, platform, signal, store && "no-store");
    const engine = await model(opened, false);
    const info = ready(engine, opened.name);
    if (sha256) await check(engine.model, sha256, opened.name);
    signal?.throwIfAborted();
    const cached = (await store?.keep(engine.model)) ?? false;
    return new QuestionAnswering(engine, info, cached);
  };
}

async function compile(platform) {
  try {
    return await platform.module();
  } catch (cause) {
    if (cause instanceof BlockspanError) throw cause;
    const needs = "this needs WebAssembly with SIMD, and a Content-Security-Policy that has 'wasm-unsafe-eval'";
    throw new BlockspanError("unsupported", `blockspan.wasm cannot be compiled: ${cause.message} (${needs})`, { cause });
  }
}

async function check(bytes, sha256, name) {
  // Not on pages that came over plain HTTP.
  if (!globalThis.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== sha256) {
    throw new BlockspanError("model", `${name}: its SHA-256 is ${found}, not ${sha256}; another model lies there`);
  }
}
