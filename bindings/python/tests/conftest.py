"""What the tests share. They run against the installed wheel, not against the sources."""

import json
from pathlib import Path

import blockspan
import pytest

FIXTURES = Path(__file__).parents[3] / "fixtures"


@pytest.fixture(scope="session")
def model():
    return blockspan.Model()


@pytest.fixture(scope="session")
def fixtures():
    return FIXTURES


@pytest.fixture(scope="session")
def selftest():
    """Questions, and the lines that `blockspan batch --top-k 3` gives for them with the default model."""

    def lines(name):
        return [json.loads(line) for line in (FIXTURES / name).read_text(encoding="utf-8").splitlines()]

    return list(zip(lines("selftest.jsonl"), lines("selftest_answers.jsonl")))
