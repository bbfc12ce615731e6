// Shows what came of a question. Every text is set as text, never as HTML.

const id = (name) => document.getElementById(name);

const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A probability for people. */
const share = (score) => (score < 0.0005 ? `< ${percent.format(0.001)}` : percent.format(score));

/** Milliseconds for people. */
function duration(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Text that keeps its own direction, so that it cannot reorder what stands around it. */
const isolated = (text) => element("bdi", {}, text);

/** Marks a span in the passage, and scrolls to it. */
function mark(context, { start, end }) {
  const marked = element("mark", {}, context.slice(start, end));
  const passage = id("passage");
  passage.replaceChildren(context.slice(0, start), marked, context.slice(end));
  passage.scrollTop = marked.offsetTop - passage.offsetTop - (passage.clientHeight - marked.offsetHeight) / 2;
}

/** A button for each span; the one whose place is shown is pressed. */
function list(context, answers) {
  const buttons = answers.map((answer) => {
    const meter = element("meter", { max: 1, value: answer.score });
    meter.setAttribute("aria-hidden", "true");
    const text = element("span", { className: "text" }, isolated(answer.text));
    const number = element("span", { className: "share" }, share(answer.score));
    const button = element("button", { type: "button" }, text, number, meter);
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      mark(context, answer);
    });
    return button;
  });
  buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === 0)));
  id("spans").replaceChildren(...buttons.map((button) => element("li", {}, button)));
}

/** Shows the outcome of a question; where `nullDiff` is above `threshold`, the best span is only a guess. */
export function show({ context, answers, nullDiff, windows, milliseconds, threshold }) {
  const [best] = answers;
  const answered = best && !(nullDiff > threshold);
  const summary = answered
    ? [element("p", { className: "answer" }, isolated(best.text))]
    : [element("p", { className: "answer none" }, "No answer in this passage")];
  if (best && !answered) summary.push(element("p", {}, "Best guess: ", isolated(best.text)));
  id("summary").replaceChildren(...summary);
  id("details").textContent = [
    ...(best ? [`Probability among the spans found: ${share(best.score)}`] : []),
    `${duration(milliseconds)}`,
    ...(windows > 1 ? [`read in ${windows} windows`] : []),
  ].join(" · ");
  id("others").hidden = answers.length < 2;
  list(context, answers);
  id("result").hidden = false;
  if (best) mark(context, best);
  else id("passage").replaceChildren(context);
}
