// The package in Node.

import { Worker } from "node:worker_threads";

import { loader } from "./load.js";
import { node } from "./node-platform.js";
import { inWorker } from "./remote.js";

export { BlockspanError } from "./error.js";

export const load = loader(node);

export const loadInWorker = inWorker(() => {
  const worker = new Worker(new URL("./node-worker.js", import.meta.url), { name: "blockspan" });
  return {
    post: (message) => worker.postMessage(message),
    listen(onMessage, onError) {
      worker.on("message", onMessage);
      worker.on("error", (error) => onError(error.message));
    },
    // The process may end while no question is open.
    busy: () => worker.ref(),
    idle: () => worker.unref(),
    end: () => void worker.terminate(),
  };
});
