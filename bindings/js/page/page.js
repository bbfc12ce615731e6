import { controlled, loadModel } from "./model.js";
import { show } from "./result.js";
import { samples } from "./samples.js";

const TOP_K = 5;

const id = (name) => document.getElementById(name);
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

/** The model, once it is there; a promise, so that a question may be asked before. */
let loading;
/** Whether a question is being answered. */
let busy = false;

function say(text) {
  id("status").textContent = text;
}

function fail(error, canRetry) {
  id("error-text").textContent = error.message;
  id("retry").hidden = !canRetry;
  id("error").hidden = false;
}

function onProgress({ loaded, total, cached }) {
  if (cached) return;
  say("Downloading the model, once.");
  const progress = id("progress");
  progress.hidden = id("bytes").hidden = false;
  if (total) {
    progress.max = total;
    progress.value = loaded;
  } else {
    progress.removeAttribute("value");
  }
  id("bytes").textContent = `${megabytes(loaded)}${total ? ` of ${megabytes(total)}` : ""} MB`;
}

/** Describes the model under the page. */
function describe({ model, bytes, name }) {
  const parts = [name ?? "model.bspan"];
  if (bytes) parts.push(`${megabytes(bytes)} MB`);
  if (model.metadata.base) parts.push(`from ${model.metadata.base}`);
  if (model.metadata.license) parts.push(model.metadata.license);
  if (model.cached) parts.push("kept in this browser: the page works offline");
  id("model").textContent = `Model: ${parts.join(", ")}.`;
}

async function start() {
  id("error").hidden = true;
  say("Loading the model.");
  const loaded = await loadModel(onProgress);
  describe(loaded);
  say("Ready.");
  return loaded.model;
}

/** Loads the model; a failure is shown, and whoever waits for a model gets none. */
function begin() {
  loading = start().catch((error) => {
    say("");
    fail(error, true);
  });
  loading.finally(() => {
    id("progress").hidden = id("bytes").hidden = true;
  });
}

async function ask() {
  const question = id("question").value;
  const context = id("context").value;
  if (busy) return;
  busy = true;
  id("ask").setAttribute("aria-disabled", "true");
  id("error").hidden = true;
  try {
    let model = await loading;
    if (!model) {
      begin();
      model = await loading;
    }
    if (!model) return;
    say("Answering.");
    const before = performance.now();
    // Without a threshold, so that there is a guess to show.
    const reply = await model.answer({ question, context, topK: TOP_K });
    const milliseconds = performance.now() - before;
    say("");
    show({ ...reply, context, milliseconds, threshold: model.nullThreshold ?? Infinity });
  } catch (error) {
    say("");
    id("result").hidden = true;
    fail(error, false);
    const field = { question: "question", passage: "context" }[error.code];
    if (field) id(field).focus();
  } finally {
    busy = false;
    id("ask").removeAttribute("aria-disabled");
  }
}

function choice(text, onChoose) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", onChoose);
  return button;
}

function choose({ context, questions }) {
  id("context").value = context;
  id("question").value = questions[0];
  const choices = questions.map((question) =>
    choice(question, () => {
      id("question").value = question;
      ask();
    }),
  );
  id("questions").replaceChildren(...choices);
  id("questions-group").hidden = false;
}

id("samples").replaceChildren(...samples.map((sample) => choice(sample.name, () => choose(sample))));
// The examples belong to the sample.
id("context").addEventListener("input", () => (id("questions-group").hidden = true));
id("form").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
id("retry").addEventListener("click", begin);
choose(samples[0]);
say("Loading the model.");
loading = controlled().then(begin).then(() => loading);
