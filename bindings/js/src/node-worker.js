// The worker of `loadInWorker` in Node.

import { parentPort } from "node:worker_threads";

import { loader } from "./load.js";
import { node } from "./node-platform.js";
import { serve } from "./serve.js";

serve(loader(node), {
  post: (message) => parentPort.postMessage(message),
  listen: (onMessage) => parentPort.on("message", onMessage),
});
