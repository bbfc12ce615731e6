"""Rows for the clusters' tests, and what `blockspan batch` says of them. `.ci/run cluster` runs these."""

import json
import os
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
ROWS = int(os.environ.get("BLOCKSPAN_CLUSTER_ROWS", "10000"))
COLUMNS = ["answer", "start", "end", "score", "null_diff", "error"]


def pairs():
    """The questions of the fixtures and their contexts."""
    for name in ["questions.json", "plain_questions.json"]:
        for article in json.loads((ROOT / "fixtures" / name).read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    yield asked["question"], paragraph["context"]


@pytest.fixture(scope="session")
def rows():
    """Rows that all differ, also in their answers' places; long contexts only at the start, some rows that ask nothing."""
    every = list(pairs())
    short = [pair for pair in every if len(pair[1]) < 300]
    asked = every + [short[number % len(short)] for number in range(max(ROWS - len(every), 0))]
    rows = []
    for number, (question, context) in enumerate(asked[:ROWS]):
        if number % 997 == 500:
            question = ""
        rows.append({"id": number, "question": question, "context": f"Note {number}. {context}" if number % 991 else " "})
    return rows


def single(value):
    """The bits of a number of 32 bits."""
    return None if value is None else struct.pack("<f", value)


@pytest.fixture(scope="session")
def expected(rows, tmp_path_factory):
    """What `blockspan batch` answers, by id."""
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    command = os.environ.get("BLOCKSPAN", ROOT / "target" / "release" / "blockspan")
    batch = subprocess.run([command, "batch", "-"], input=lines.encode(), stdout=subprocess.PIPE)
    assert batch.returncode == 3, "some rows cannot be answered"
    found = {}
    for line in batch.stdout.splitlines():
        record = json.loads(line)
        if "error" in record:
            found[record["id"]] = (None, None, None, None, None, record["error"])
            continue
        [best] = record["answers"]
        place = (best["text"], best["start_char"], best["end_char"])
        found[record["id"]] = (*place, single(best["score"]), single(record["null_diff"]), None)
    assert len(found) == len(rows) and any(row[-1] for row in found.values())
    return found


@pytest.fixture(scope="session")
def compare(expected):
    """Whether a table has each row once, with the bits that `blockspan batch` gives."""

    def compare(table, rows=None):
        assert table.schema.names == ["id", *COLUMNS]
        found = {}
        for row in table.to_pylist():
            assert row["id"] not in found, "doubled"
            answer = [row[name] for name in COLUMNS]
            found[row["id"]] = (*answer[:3], single(answer[3]), single(answer[4]), answer[5])
        wanted = expected if rows is None else {row["id"]: expected[row["id"]] for row in rows}
        assert found.keys() == wanted.keys(), "lost"
        assert found == wanted

    return compare


@pytest.fixture
def once(tmp_path):
    """A folder where a task leaves its process's number, and claims what may happen once."""
    folder = tmp_path / "once"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def model_file():
    return ROOT / "fixtures" / "default.bspan"


@pytest.fixture
def shipped(model_file):
    """Where a model that travels lies afterwards; it is not there yet."""
    import hashlib

    from blockspan import _tasks

    file = _tasks._private_folder() / f"{hashlib.sha256(model_file.read_bytes()).hexdigest()}.bspan"
    file.unlink(missing_ok=True)
    return file


@pytest.fixture
def readmes():
    """The examples of the READMEs that begin so, with their files in folders."""
    texts = [(ROOT / place).read_text(encoding="utf-8") for place in ["README.md", "bindings/python/README.md"]]

    def examples(start, folder):
        for number, text in enumerate(texts):
            [block] = [block for block in text.split("```python\n") if block.startswith(start)]
            block = block.split("```")[0]
            answers = folder / f"answers-{number}"
            for name, place in [("questions", folder / "questions"), ("answers", answers)]:
                assert f'"{name}"' in block
                block = block.replace(f'"{name}"', repr(str(place)))
            yield block, answers

    return examples
