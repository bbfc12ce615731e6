"""`blockspan.pipeline` against transformers' own code (`fixtures/make_pipeline_calls.py`), and with the default model."""

import json
import types
from pathlib import Path

import blockspan
import pytest
from blockspan._pipeline import QuestionAnsweringPipeline

CASES = json.loads((Path(__file__).parents[3] / "fixtures" / "pipeline_calls.json").read_text(encoding="utf-8"))
CONTEXT = "Zoë's lighthouse, the 🗼 of Skerry, was built in 1862 and stands 31 metres above the rocks."
QUESTION = "When was the lighthouse built?"


@pytest.fixture(scope="module")
def qa(model):
    return blockspan.pipeline("question-answering", model=model)


def real(value):
    """The value with the objects that JSON has no word for."""
    if isinstance(value, list):
        return [real(item) for item in value]
    if isinstance(value, dict):
        if list(value) == ["SquadExample"]:
            question, context = value["SquadExample"]
            return types.SimpleNamespace(question_text=question, context_text=context)
        if list(value) == ["generator"]:
            return (item for item in real(value["generator"]))
        return {key: real(item) for key, item in value.items()}
    return value


def outcome(qa, given, args, kwargs):
    try:
        results = qa(*args, **kwargs)
    except Exception as error:
        return {"error": type(error).__name__, "message": error.args[0]}
    shape = "list" if isinstance(results, list) else "one" if isinstance(results, dict) else "generator"
    results = [results] if shape == "one" else list(results)
    assert results == [{"number": number} for number in range(len(results))]
    pairs = [list(pair) for pairs, _ in given for pair in pairs]
    return {"shape": shape, "pairs": pairs, "parameters": given[-1][1] if given else {}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(CASES.index(case)))
def test_arguments_are_taken_as_transformers_took_them(model, monkeypatch, case):
    given = []

    def answer(self, model, pairs, parameters, numbered):
        given.append((pairs, parameters))
        return [{"number": number} for number in range(len(pairs))]

    monkeypatch.setattr(QuestionAnsweringPipeline, "_answer", answer)
    found = outcome(blockspan.pipeline(model=model), given, real(case["args"]), real(case["kwargs"]))
    expected = case["outcome"]
    if "error" not in expected:
        usual = {"top_k": 1, "max_answer_len": 15, "max_seq_len": 384, "doc_stride": None, "max_question_len": 64}
        usual.update({"handle_impossible_answer": False, "align_to_words": True})
        parameters = {key: value for key, value in expected["parameters"].items() if key != "padding"}
        expected = {**expected, "parameters": {**usual, **parameters}}
        if not expected["pairs"]:
            found, expected = {**found, "parameters": {}}, {**expected, "parameters": {}}
    assert found == expected


def test_there_are_cases_of_every_kind():
    assert {case["outcome"].get("shape", "error") for case in CASES} == {"one", "list", "generator", "error"}
    assert {case["version"] for case in CASES} == {"4.57.6", "5.2.0"}
    assert len(CASES) > 40


def test_an_answer_is_a_dictionary(qa, model):
    result = qa(question=QUESTION, context=CONTEXT)
    assert list(result) == ["score", "start", "end", "answer"]
    assert [type(value) for value in result.values()] == [float, int, int, str]
    assert (result["answer"], result["start"]) == ("1862", CONTEXT.index("1862"))
    assert CONTEXT[result["start"] : result["end"]] == result["answer"]
    assert 0 < result["score"] <= 1


def test_several_answers_are_a_list_best_first(qa):
    results = qa(question=QUESTION, context=CONTEXT, top_k=4)
    assert len(results) == 4 and results[0] == qa(question=QUESTION, context=CONTEXT)
    assert [result["score"] for result in results] == sorted((result["score"] for result in results), reverse=True)
    assert all(CONTEXT[result["start"] : result["end"]] == result["answer"] for result in results)
    # One answer is a dictionary even where more were asked for.
    assert isinstance(qa(question=QUESTION, context="1862", top_k=4), dict)


def test_several_questions_are_answered_as_one_by_one(qa):
    questions = [QUESTION, "How high is it?", "Whose lighthouse is it?"] * 5
    expected = [qa(question=question, context=CONTEXT, top_k=2) for question in questions]
    assert qa(question=questions, context=CONTEXT, top_k=2) == expected
    assert qa(question=questions, context=[CONTEXT] * 15, top_k=2) == expected
    stream = qa(({"question": question, "context": CONTEXT} for question in questions), top_k=2)
    assert not isinstance(stream, list) and list(stream) == expected


def test_the_empty_answer_competes_where_it_may(qa):
    context = "Gulls nest on the rocks."
    results = qa(question=QUESTION, context=context, top_k=64, handle_impossible_answer=True)
    empty = [result for result in results if result["answer"] == ""]
    assert len(empty) == 1 and (empty[0]["start"], empty[0]["end"]) == (0, 0)
    assert all(result["answer"] for result in qa(question=QUESTION, context=context, top_k=64))


def test_parameters_of_the_pipeline_are_defaults_of_its_calls(model):
    qa = blockspan.pipeline(model=model, top_k=3, device=-1, tokenizer="any")
    assert len(qa(question=QUESTION, context=CONTEXT)) == 3
    assert isinstance(qa(question=QUESTION, context=CONTEXT, top_k=1), dict)
    with pytest.raises(ValueError, match=r"^top_k parameter should be >= 1 \(got 0\)$"):
        blockspan.pipeline(model=model, top_k=0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'topk_k'$"):
        blockspan.pipeline(model=model, topk_k=3)


def test_answers_end_at_the_edges_of_words_unless_they_need_not(qa):
    context = "The keeper was Wojciechowski-Brzęczyszczykiewicz of Skerry."
    within = qa(question="Who was the keeper?", context=context, top_k=64, max_answer_len=3, align_to_words=False)
    edges = qa(question="Who was the keeper?", context=context, top_k=64, max_answer_len=3)

    def inside_a_word(result):
        before, after = context[: result["start"]], context[result["end"] :]
        return before[-1:].isalpha() and result["answer"][:1].isalpha() or (
            after[:1].isalpha() and result["answer"][-1:].isalpha()
        )

    assert any(map(inside_a_word, within)) and not any(map(inside_a_word, edges))


def test_windows_may_be_as_long_as_the_model_reads(model):
    qa = blockspan.pipeline(model=blockspan.Model(max_seq_len=64))
    long = "Gulls nest on the rocks below. " * 60 + CONTEXT
    for max_seq_len in [64, None, 512]:
        assert qa(question=QUESTION, context=long, max_seq_len=max_seq_len)["answer"] == "1862"
    # No result depends on the sessions' room.
    other = blockspan.pipeline(model=model)
    assert other(question=QUESTION, context=long, top_k=5) == qa(question=QUESTION, context=long, top_k=5)
    with pytest.raises(ValueError, match=r"^`doc_stride` \(400\) is larger than `max_seq_len` \(384\)$"):
        qa(question=QUESTION, context=long, doc_stride=400)
    # Whatever the sessions have room for.
    message = "^max_seq_len: windows of 513 tokens do not work here; use 8 to 512$"
    for pipeline in [qa, blockspan.pipeline(model=model)]:
        with pytest.raises(blockspan.InputError, match=message):
            pipeline(question=QUESTION, context=long, max_seq_len=513)


def test_what_cannot_be_answered(qa):
    with pytest.raises(blockspan.InputError, match="^the passage is empty; give a text to find the answer in$"):
        qa(question=QUESTION, context=" ")
    with pytest.raises(blockspan.InputError, match="^top_k must be 1 to 64$"):
        qa(question=QUESTION, context=CONTEXT, top_k=65)
    stream = qa({"question": question, "context": CONTEXT} for question in [QUESTION, " "])
    assert next(stream)["answer"] == "1862"
    with pytest.raises(blockspan.InputError, match="^the question is empty; ask something$"):
        next(stream)
    with pytest.raises(blockspan.InputError, match=r"^questions\[1\]: the question is empty; ask something$"):
        qa(question=[QUESTION, " "], context=CONTEXT)
    with pytest.raises(KeyError, match="Unknown task translation, available tasks are"):
        blockspan.pipeline("translation")
    with pytest.raises(FileNotFoundError, match="name a .bspan file$"):
        blockspan.pipeline("question-answering", model="deepset/roberta-base-squad2")
    with pytest.raises(ValueError, match="^sessions are those of the model"):
        blockspan.pipeline(model=qa.model, sessions=1)
