// The worker of `loadInWorker` in browsers.

import { loader } from "./load.js";
import { serve } from "./serve.js";
import { web } from "./web.js";

serve(loader(web), {
  post: (message) => self.postMessage(message),
  listen: (onMessage) => self.addEventListener("message", ({ data }) => onMessage(data)),
});
