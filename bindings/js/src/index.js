// The package in browsers.

import { loader } from "./load.js";
import { inWorker } from "./remote.js";
import { web } from "./web.js";

export { BlockspanError } from "./error.js";

export const load = loader(web);

export const loadInWorker = inWorker(() => {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "blockspan" });
  return {
    post: (message) => worker.postMessage(message),
    listen(onMessage, onError) {
      worker.onmessage = ({ data }) => onMessage(data);
      worker.onerror = (event) => onError(event.message || "its script cannot be loaded");
    },
    end: () => worker.terminate(),
  };
}, web.base);
