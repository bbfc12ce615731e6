// What TypeScript takes, and what it refuses.

import { BlockspanError, load, loadInWorker, type Answer, type QuestionAnswering } from "blockspan";

const sources = ["m.bspan", new URL("https://example.org/m.bspan"), new Blob(), new Uint8Array(1), new ArrayBuffer(1)];

async function use(): Promise<void> {
  const qa: QuestionAnswering = await load(new Response(), { signal: AbortSignal.timeout(1), sha256: "", maxSeqLen: 64 });
  for (const source of sources) {
    await loadInWorker(source, { onProgress: ({ loaded, total }) => console.log(loaded / (total ?? loaded)) });
  }
  const context = "c";
  const { answers, nullDiff, windows } = await qa.answer({ question: "q", context, topK: 2, nullThreshold: qa.nullThreshold });
  const texts: string[] = answers.map(({ start, end }: Answer) => context.slice(start, end));
  const numbers: number[] = [nullDiff, windows, qa.maxSeqLen];
  console.log(texts, numbers, qa.metadata["f1"]);
  try {
    // @ts-expect-error the passage is missing
    await qa.answer({ question: "q" });
    // @ts-expect-error no such option
    await qa.answer({ question: "q", context, top_k: 2 });
    // @ts-expect-error a stream stays in its thread
    await loadInWorker(new Response());
    // @ts-expect-error one thread
    await load("m.bspan", { threads: 4 });
    // @ts-expect-error read only
    qa.cached = true;
  } catch (error) {
    if (error instanceof BlockspanError && error.code === "source") console.log(error.message);
  }
  qa.close();
}

void use();
