#!/usr/bin/env python3
"""How well and how fast `blockspan index` and `ask --index` find answers in a corpus of SQuAD's paragraphs.

    python3 benchmarks/search.py --train squad-train.json --dev squad-dev.json [--work-dir DIR] [--blockspan FILE]
        [--questions N] [--no-titles] [--articles] [--threads 1,2] [--json FILE]
    python3 benchmarks/search.py --train squad-train.json --dev squad-dev.json --fit 3000

The corpus is every paragraph of both files, each text once, as a text file in a folder named after its article (--no-titles: after a
number; --articles: an article a Markdown file in place of a paragraph a text file). For the questions of --dev: recall of
the right paragraph among the first 1, 5 and 20 passages; exact match and F1 with 1, 5 and 20 passages read, beside those
with the given paragraph; time and size of the index; milliseconds a question with a server of 1 and 2 threads, asked one
after another. --fit asks questions of --train instead and prints F1 for a range of weights of the retrieval score, which
is where the weight in appliance/src/search/query.rs is from. Standard library only.
"""

import argparse
import collections
import json
import random
import re
import shutil
import statistics
import string
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PASSAGES = [1, 5, 20]


def normalized(text: str) -> list[str]:
    """As SQuAD's official script."""
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def scores(text: str, answers: list[str]) -> tuple[float, float]:
    """Exact match and F1 of the best of the answers."""
    best, found = (0.0, 0.0), normalized(text)
    for answer in answers:
        expected = normalized(answer)
        common = sum((collections.Counter(found) & collections.Counter(expected)).values())
        f1 = 2 * common / (len(found) + len(expected)) if common else float(found == expected)
        best = max(best[0], float(found == expected)), max(best[1], f1)
    return best


class Question:
    """A question, its answers and the document that holds its paragraph."""

    def __init__(self, qa: dict, document: str, context: str) -> None:
        self.id, self.text = qa["id"], qa["question"]
        self.answers = [answer["text"] for answer in qa["answers"]]
        self.document, self.context = document, context

    def line(self) -> str:
        return json.dumps({"id": self.id, "question": self.text})


def write_corpus(folder: Path, files: list[Path], args) -> list[list[Question]]:
    """Writes the paragraphs; returns the questions of each file."""
    questions, number, documents = [], 0, {}
    for file in files:
        questions.append([])
        for article in json.loads(file.read_text())["data"]:
            number += 1
            title = f"{number:04}" if args.no_titles else article["title"].replace("/", "_")
            paragraphs = [paragraph["context"] for paragraph in article["paragraphs"]]
            if args.articles:
                heading = title.replace("_", " ")
                (folder / f"{title}.md").write_text(f"# {heading}\n\n" + "\n\n".join(paragraphs) + "\n")
            for at, paragraph in enumerate(article["paragraphs"]):
                if args.articles:
                    document = f"{title}.md"
                else:
                    document = documents.setdefault(paragraph["context"], f"{title}/{at:04}.txt")
                    (folder / title).mkdir(exist_ok=True)
                    (folder / document).write_text(paragraph["context"])
                questions[-1] += [Question(qa, document, paragraph["context"]) for qa in paragraph["qas"]]
    return questions


def run(args, *command: str, text: str | None = None) -> subprocess.CompletedProcess:
    command = [str(args.blockspan), *command]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True)


def ask(args, index: Path, questions: list[Question], passages: int, top_k: int) -> list[dict]:
    text = "".join(question.line() + "\n" for question in questions)
    options = ["--index", str(index), "--passages", str(passages), "--top-k", str(top_k)]
    out = run(args, "batch", "-", "--n-best", "20", "--sessions", str(args.sessions), *options, text=text).stdout
    return [json.loads(line) for line in out.splitlines()]


def found(args, question: Question, place: dict) -> bool:
    """Whether a place is of the right paragraph; of an article, of text that it holds."""
    return place["document"] == question.document


def retrieved(reply: dict) -> list[dict]:
    """One place for each passage that was read, best first by the retrieval score."""
    places = [dict(place, text=answer["text"]) for answer in reply["answers"] for place in answer["places"]]
    return sorted(places, key=lambda place: -place["retrieval"])


def recall(args, questions: list[Question], replies: list[dict]) -> dict[int, float]:
    hits = collections.Counter()
    for question, reply in zip(questions, replies):
        places = retrieved(reply)
        for passages in PASSAGES:
            hits[passages] += any(found(args, question, place) for place in places[:passages])
    return {passages: 100 * hits[passages] / len(questions) for passages in PASSAGES}


def quality(questions: list[Question], texts: list[str]) -> dict[str, float]:
    pairs = [scores(text, question.answers) for question, text in zip(questions, texts)]
    return {name: 100 * statistics.fmean(pair[at] for pair in pairs) for at, name in enumerate(["em", "f1"])}


def best_text(reply: dict) -> str:
    return reply["answers"][0]["text"] if reply["answers"] else ""


def given(args, questions: list[Question]) -> dict[str, float]:
    lines = [json.dumps({"id": q.id, "question": q.text, "context": q.context}) + "\n" for q in questions]
    out = run(args, "batch", "-", "--sessions", str(args.sessions), text="".join(lines)).stdout
    return quality(questions, [best_text(json.loads(line)) for line in out.splitlines()])


def milliseconds(args, index: Path, questions: list[Question], passages: int, threads: int) -> list[float]:
    """Of each question, asked one after another of a server."""
    command = [str(args.blockspan), "serve", "--listen", "127.0.0.1:0", "--index", str(index), "--threads", str(threads)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            address = next(re.search(r"http://[0-9.:]+", line)[0] for line in server.stderr if "http://" in line)
            times = []
            for question in questions:
                body = json.dumps({"question": question.text, "passages": passages}).encode()
                request = urllib.request.Request(f"{address}/v1/search-answer", body, {"Content-Type": "application/json"})
                start = time.perf_counter()
                with urllib.request.urlopen(request) as response:
                    response.read()
                times.append(1e3 * (time.perf_counter() - start))
        finally:
            server.terminate()
        return times[len(times) // 10 :]


def fit(args, index: Path, questions: list[Question]) -> None:
    """F1 of the best answer for each weight of the retrieval score."""
    print(f"{'weight':>8} {'N = 5':>16} {'N = 20':>16}   (EM and F1 on {len(questions)} training questions)")
    places = [retrieved(reply) for reply in ask(args, index, questions, max(PASSAGES), max(PASSAGES))]
    for weight in [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3]:
        cells = []
        for passages in [5, 20]:
            texts = []
            for all_places in places:
                read = all_places[:passages]
                best = max(read, key=lambda place: place["margin"] + weight * place["retrieval"], default=None)
                texts.append(best["text"] if best else "")
            result = quality(questions, texts)
            cells.append(f"{result['em']:8.2f} {result['f1']:7.2f}")
        print(f"{weight:8} {cells[0]:>16} {cells[1]:>16}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--work-dir", type=Path, help="keep corpus and index here")
    parser.add_argument("--blockspan", type=Path, default=ROOT / "target" / "release" / "blockspan")
    parser.add_argument("--questions", type=int, help="ask only so many, drawn at random")
    parser.add_argument("--timed", type=int, default=200, help="questions that are timed")
    parser.add_argument("--threads", default="1,2", help="of the server that is timed")
    parser.add_argument("--sessions", type=int, default=2, help="questions at the same time where nothing is timed")
    parser.add_argument("--no-titles", action="store_true")
    parser.add_argument("--articles", action="store_true")
    parser.add_argument("--fit", type=int, metavar="N", help="on so many questions of --train")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    args = parser.parse_args()

    work = args.work_dir or Path(tempfile.mkdtemp(prefix="blockspan-search-"))
    folder, index = work / "corpus", work / "corpus.bsx"
    shutil.rmtree(folder, ignore_errors=True)
    index.unlink(missing_ok=True)
    folder.mkdir(parents=True)
    train, dev = write_corpus(folder, [args.train, args.dev], args)
    draw = random.Random(1)
    seconds = []
    for _ in ["whole", "unchanged"]:
        start = time.perf_counter()
        print(run(args, "index", str(folder), "--out", str(index)).stderr.strip())
        seconds.append(time.perf_counter() - start)
        time.sleep(3)
    if args.fit:
        fit(args, index, draw.sample(train, args.fit))
        return
    questions = draw.sample(dev, args.questions) if args.questions else dev
    figures = {
        "questions": len(questions),
        "index_seconds": seconds[0],
        "update_seconds": seconds[1],
        "index_bytes": index.stat().st_size,
        "text_bytes": sum(path.stat().st_size for path in folder.rglob("*.*")),
        "given": given(args, questions),
        "recall": recall(args, questions, ask(args, index, questions, max(PASSAGES), max(PASSAGES))),
        "open": {n: quality(questions, [best_text(r) for r in ask(args, index, questions, n, 1)]) for n in PASSAGES},
    }
    print(json.dumps(figures), flush=True)
    timed = draw.sample(questions, min(args.timed, len(questions)))
    figures["milliseconds"] = {}
    for threads in map(int, args.threads.split(",")) if args.timed else []:
        for passages in PASSAGES:
            times = milliseconds(args, index, timed, passages, threads)
            figures["milliseconds"][f"{threads} threads, {passages} passages"] = {
                "minimum": min(times), "median": statistics.median(times), "mean": statistics.fmean(times),
            }  # fmt: skip
    report(figures)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    if not args.work_dir:
        shutil.rmtree(work)


def report(figures: dict) -> None:
    megabytes = figures["index_bytes"] / 1e6
    print(f"index: {figures['index_seconds']:.1f} s, unchanged {figures['update_seconds']:.1f} s, {megabytes:.1f} MB")
    given = figures["given"]
    print(f"given paragraph: EM {given['em']:.2f}, F1 {given['f1']:.2f}")
    print("| passages | recall | EM | F1 | of given F1 |\n|---|---|---|---|---|")
    for passages in PASSAGES:
        open_ = figures["open"][passages]
        share = 100 * open_["f1"] / given["f1"]
        cells = [figures["recall"][passages], open_["em"], open_["f1"], share]
        print(f"| {passages} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    for name, times in figures["milliseconds"].items():
        print(f"{name}: " + ", ".join(f"{key} {value:.1f} ms" for key, value in times.items()))


if __name__ == "__main__":
    main()
