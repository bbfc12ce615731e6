"""Whole answers of `blockspan.pipeline` beside those of transformers 4.57.6 for the same checkpoint, packed dense
(`fixtures/make_pipeline_answers.py`).

The packed model computes in int8, so its scores are not transformers' to the last digit. Where the pipeline's best answer is
ahead of another by more than that, the answers must be equal; elsewhere the other one may come first."""

import json
import math
from pathlib import Path

import blockspan
import pytest

FIXTURES = Path(__file__).parents[3] / "fixtures"
TABLE = json.loads((FIXTURES / "pipeline_answers.json").read_text(encoding="utf-8"))
ANSWERED = [case for case in TABLE["cases"] if "result" in case]
REFUSED = [case for case in TABLE["cases"] if "error" in case]

# By how much the logarithm of a score may differ: in this table at most 0.053, and 0.014 on average.
CLOSE = 0.08


@pytest.fixture(scope="module")
def qa():
    return blockspan.pipeline("question-answering", model=FIXTURES / "tiny" / "dense.bspan")


def place(answer):
    return answer["start"], answer["end"], answer["answer"]


def lists(result):
    return result if isinstance(result, list) else [result]


def compared(qa, case):
    """The pairs of answers to a question: blockspan's and transformers'."""
    found = qa(**case["call"])
    assert type(found) is type(case["result"])
    found, expected = lists(found), lists(case["result"])
    for answer in found:
        assert list(answer) == list(expected[0]) == ["score", "start", "end", "answer"]
        assert [type(value) for value in answer.values()] == [type(value) for value in expected[0].values()]
    return found, expected


def test_the_table_is_what_it_says():
    assert TABLE["versions"] == {"torch": "2.15.0", "transformers": "4.57.6"}
    assert len(ANSWERED) > 130 and len(REFUSED) == 9


def test_answers_are_equal_where_the_logits_allow(qa):
    answers = equal = 0
    for case in ANSWERED:
        if isinstance(case["call"]["question"], list):
            continue
        found, expected = compared(qa, case)
        scores = {place(answer): answer["score"] for answer in case["candidates"]}
        # Equal texts are one answer, so that a list may be shorter by one where two spans are close.
        assert abs(len(found) - len(expected)) <= (len(expected) > 1)
        for one, other in zip(found, expected):
            answers += 1
            if place(one) == place(other):
                equal += 1
                assert abs(math.log(one["score"] / other["score"])) < CLOSE
            else:
                behind = math.log(scores[place(other)] / scores[place(one)])
                assert abs(behind) < CLOSE, f"{one} for {other}: transformers has it {behind} behind"
    assert answers > 200 and equal >= 0.97 * answers


def test_several_questions_have_the_same_shape(qa):
    several = [case for case in ANSWERED if isinstance(case["call"]["question"], list)]
    assert len(several) == 3
    for case in several:
        found = qa(**case["call"])
        assert type(found) is type(case["result"])
        found, expected = lists(found), lists(case["result"])
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            assert [place(answer) for answer in lists(one)] == [place(answer) for answer in lists(other)]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["message"])
def test_what_transformers_refuses_is_refused_in_its_words(qa, case):
    with pytest.raises(Exception) as caught:
        qa(**case["call"])
    assert type(caught.value).__name__ == case["error"]
    # One of theirs lacks its closing parenthesis.
    assert str(caught.value.args[0]).startswith(case["message"])
