// The service worker, which keeps the page, and the model, which a worker answers with.

import { loadInWorker } from "./blockspan/src/index.js";

/** How long to wait for the service worker before doing without it. */
const PATIENCE_MS = 4000;

/**
 * Registers the service worker and waits until it controls the page: then the worker's script comes through it, with the
 * Content-Security-Policy that a plain file server cannot send. Pages that came over plain HTTP have none.
 */
export async function controlled() {
  const workers = navigator.serviceWorker;
  if (!workers) return;
  try {
    const taken = new Promise((resolve) => workers.addEventListener("controllerchange", resolve, { once: true }));
    // `files.js`, which it imports, says that there is a new version: it must not come from the HTTP cache.
    await workers.register("sw.js", { updateViaCache: "none" });
    if (!workers.controller) {
      await Promise.race([taken, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
    }
  } catch {
    // The page works without; it is not kept then.
  }
}

/** What lies at `model.json`: the model's address, hash and length. Without it the model is not kept. */
async function about() {
  const response = await fetch("model.json", { cache: "no-store" }).catch(() => undefined);
  if (!response?.ok) return { url: "model.bspan" };
  return response.json().catch(() => ({ url: "model.bspan" }));
}

/** Loads the model; returns it with its name and length. */
export async function loadModel(onProgress) {
  const { url = "model.bspan", sha256, bytes, name } = await about();
  const model = await loadInWorker(url, { sha256, onProgress });
  return { model, bytes, name };
}
