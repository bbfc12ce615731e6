"""Answers: those of the command, bit for bit, with places in Python's characters."""

import struct

import blockspan
import pytest

CONTEXT = "Zoë's lighthouse, the 🗼 of Skerry, was built in 1862 and stands 31 metres above the rocks."


def f32(number):
    """The number as the engine has it: Python's floats hold each of its 32-bit numbers."""
    return struct.pack("f", number)


def test_answers_are_those_of_the_command_bit_for_bit(model, selftest):
    assert len(selftest) == 8
    for asked, expected in selftest:
        answers = model.answer(asked["question"], asked["context"], 3)
        assert len(answers) == len(expected["answers"])
        for answer, there in zip(answers, expected["answers"]):
            assert (answer.text, answer.start, answer.end) == (there["text"], there["start_char"], there["end_char"])
            assert f32(answer.score) == f32(there["score"])
            assert f32(answer.null_diff) == f32(expected["null_diff"])
            # A model without a threshold has none.
            assert (answer.answerable is None) == ("answerable" not in expected)
            assert answer.answerable is None or f32(answer.answerable) == f32(expected["answerable"])


def test_places_count_characters(model):
    for answer in model.answer("When was the lighthouse built?", CONTEXT, 20):
        assert CONTEXT[answer.start : answer.end] == answer.text
    [best] = model.answer("When was the lighthouse built?", CONTEXT)
    assert (best.text, best.start) == ("1862", CONTEXT.index("1862"))


@pytest.mark.parametrize("sessions", [None, 1, 3])
def test_many_answers_are_those_of_one_at_a_time(model, selftest, sessions):
    questions = [asked["question"] for asked, _ in selftest] * 5
    contexts = [asked["context"] for asked, _ in selftest] * 5
    one_by_one = [model.answer(*pair, 2) for pair in zip(questions, contexts)]
    assert model.answer_many(iter(questions), tuple(contexts), 2, sessions=sessions) == one_by_one


def test_one_context_for_all_questions(model):
    questions = ["When was the lighthouse built?", "How high is it?"]
    texts = [answers[0].text for answers in model.answer_many(questions, CONTEXT)]
    assert texts == ["1862", "31 metres above the rocks"] or texts == ["1862", "31 metres"]
    assert model.answer_many(questions, CONTEXT) == model.answer_many(questions, [CONTEXT, CONTEXT])
    assert model.answer_many([], CONTEXT) == [] == model.answer_many([], [])


def test_a_long_context_is_read_to_its_end(model):
    context = "Gulls nest on the rocks below, and seals sleep on the sand. " * 100 + CONTEXT
    [answer] = model.answer("When was the lighthouse built?", context)
    assert (answer.text, answer.start) == ("1862", context.index("1862"))


def test_options_have_their_effect(model):
    question = "When was the lighthouse built?"
    assert len(model.answer(question, CONTEXT, 5)) == 5
    [usual] = model.answer(question, CONTEXT)
    assert model.answer(question, CONTEXT, null_threshold=usual.null_diff) != []
    assert model.answer(question, CONTEXT, null_threshold=usual.null_diff - 1) == []
    assert model.answer(question, CONTEXT, n_best=1)[0].score == 1.0
    longest = max(model.answer(question, CONTEXT, 20), key=lambda answer: len(answer.text.split()))
    assert len(longest.text.split()) > 1
    assert all(len(answer.text.split()) == 1 for answer in model.answer(question, CONTEXT, 5, max_answer_len=1))
    padded = question + " word" * 400
    assert model.answer(padded, CONTEXT, max_query_length=6) == model.answer(question, CONTEXT)
    long = "Gulls nest on the rocks. " * 40 + CONTEXT
    windows = [model.answer(question, long, max_seq_len=64, doc_stride=stride)[0] for stride in (0, 32)]
    assert all(answer.text == "1862" for answer in windows)
    assert windows[0].score != windows[1].score


def test_documents_are_ranked_by_their_margin(model):
    documents = ["Gulls nest on the rocks.", " ", "🗼 The tower was built in 1862.", "", "The bridge was built in 1901."]
    found = model.answer_documents("When was the tower built?", documents, top_k=10)
    assert (found[0].text, found[0].document) == ("1862", 2)
    assert sorted(answer.document for answer in found) == [0, 2, 4]
    margins = [answer.margin for answer in found]
    assert margins == sorted(margins, reverse=True)
    assert [answer.answerable for answer in found] == sorted((answer.answerable for answer in found), reverse=True)
    for answer in found:
        assert documents[answer.document][answer.start : answer.end] == answer.text
        [alone] = model.answer("When was the tower built?", documents[answer.document])
        assert (answer.text, answer.score, answer.margin) == (alone.text, alone.score, -alone.null_diff)
        assert answer.answerable == alone.answerable
    assert model.answer_documents("When was the tower built?", (text for text in documents), 1) == found[:1]
    several = model.answer_documents("When was the tower built?", documents[2:3], 10, per_document=3)
    assert len(several) == 3 and {answer.document for answer in several} == {0}


def test_documents_that_cannot_be_asked(model):
    assert model.answer_documents("When?", []) == []
    assert model.answer_documents("When?", ["", " "]) == []
    assert model.answer_documents("When?", ["A text."], null_threshold=-1000) == []
    for arguments, options, message in [
        (("", ["A text."]), {}, "the question is empty; ask something"),
        (("When?", ["A text."]), {"per_document": 0}, "per_document must be 1 to n_best"),
        (("When?", ["A text."]), {"top_k": 0}, "top_k must be at least 1"),
    ]:
        with pytest.raises(blockspan.InputError, match=f"^{message}$"):
            model.answer_documents(*arguments, **options)
    with pytest.raises(TypeError, match=r"^documents\[1\] must be str, not int$"):
        model.answer_documents("When?", ["A text.", 5])
    with pytest.raises(TypeError, match="^documents must be an iterable of texts, not str$"):
        model.answer_documents("When?", "A text.")
