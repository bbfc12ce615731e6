"""Asks a running server through huggingface_hub's client, sync and async: python3 ask.py URL."""

import asyncio
import json
import sys
import urllib.request

from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

QUESTION = "Who took over the café?"
CONTEXT = "𝒜 café 🥐 on Großer Platz was taken over by Hélène Brûlé in 1923. It was closed in 1950."


def raw(url: str, parameters: dict) -> object:
    """What the server says, without a client."""
    body = json.dumps({"inputs": {"question": QUESTION, "context": CONTEXT}, "parameters": parameters})
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def check(url: str, parameters: dict, found: object) -> None:
    """The client's result is the server's, and its places are those of the answer in a Python string."""
    expected = raw(url, parameters)
    answers = found if isinstance(found, list) else [found]
    assert isinstance(found, list) == isinstance(expected, list), (found, expected)
    expected = expected if isinstance(expected, list) else [expected]
    assert len(answers) == len(expected) > 0, (answers, expected)
    for answer, other in zip(answers, expected, strict=True):
        assert (answer.answer, answer.score, answer.start, answer.end) == (
            other["answer"],
            other["score"],
            other["start"],
            other["end"],
        ), (answer, other)
        assert CONTEXT[answer.start : answer.end] == answer.answer, answer
        assert 0 <= answer.score <= 1, answer


async def ask_async(url: str) -> object:
    """One question, asynchronously."""
    return await AsyncInferenceClient(url).question_answering(question=QUESTION, context=CONTEXT)


def main() -> None:
    """Every parameter that the client has, and an error."""
    url = sys.argv[1]
    client = InferenceClient(url)
    for parameters in [
        {},
        {"top_k": 1},
        {"top_k": 3},
        {"max_answer_len": 1, "top_k": 2},
        {"handle_impossible_answer": True, "align_to_words": False},
        {"max_seq_len": 32, "doc_stride": 8, "max_question_len": 10},
    ]:
        check(url, parameters, client.question_answering(question=QUESTION, context=CONTEXT, **parameters))
    check(url, {}, asyncio.run(ask_async(url)))
    best = client.question_answering(question="When was it taken over?", context=CONTEXT)
    assert best.answer == "1923", best
    try:
        client.question_answering(question="", context=CONTEXT)
    except HfHubHTTPError as error:
        assert error.response.status_code == 422, error
        assert "the question is empty" in str(error), error
    else:
        raise AssertionError("an empty question has an answer")
    print("huggingface_hub: ok")


if __name__ == "__main__":
    main()
