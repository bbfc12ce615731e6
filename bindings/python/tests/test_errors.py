"""What is refused, in which words and as which exception."""

import re

import blockspan
import pytest


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("", "A text."), "the question is empty; ask something"),
        (("What?", " \n"), "the passage is empty; give a text to find the answer in"),
        (("word " * 500, "A text."), "the question has 500 tokens, at most 339 fit beside doc_stride; shorten it, or use a "),
        (("What?", "half \ud83d"), "context is not text: 'utf-8' codec can't encode character '\\ud83d' in position 5"),
        (("What?", "A text.", 0), "top_k must be 1 to n_best"),
        (("What?", "A text.", -1), "top_k must not be negative"),
        (("What?", "A text.", 10**30), "top_k must be 1 to n_best"),
        (("What?", "A text.", -(10**30)), "top_k must not be negative"),
    ],
)
def test_input_that_cannot_be_answered(model, arguments, message):
    with pytest.raises(blockspan.InputError) as caught:
        model.answer(*arguments)
    words = re.sub(r"at most \d+ fit", "at most 339 fit", str(caught.value))
    assert words.startswith(message) and "\n" not in words
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "option, message",
    [
        ({"max_answer_len": 0}, "max_answer_len must be at least 1"),
        ({"n_best": 65}, "n_best must be 1 to 64"),
        ({"null_threshold": float("nan")}, "null_threshold must be a number"),
        ({"max_query_length": 0}, "max_query_length must be at least 1"),
        ({"doc_stride": -5}, "doc_stride must not be negative"),
        ({"max_seq_len": 7}, "windows of 7 tokens do not work here; use 8 to 384"),
    ],
)
def test_options_out_of_range(model, option, message):
    with pytest.raises(blockspan.InputError, match=f"^{message}$"):
        model.answer("What?", "A text.", **option)
    with pytest.raises(blockspan.InputError, match=f"{message}$"):
        model.answer_many(["What?"], "A text.", **option)


@pytest.mark.parametrize("wrong", [None, 3, b"bytes", ["list"]])
def test_other_things_than_text(model, wrong):
    for arguments, name in [((wrong, "A text."), "question"), (("What?", wrong), "context")]:
        with pytest.raises(TypeError, match=f"^{name} must be str, not {type(wrong).__name__}$"):
            model.answer(*arguments)


def test_many_name_the_question_that_is_wrong(model):
    with pytest.raises(blockspan.InputError, match=r"^questions\[1\]: the question is empty; ask something$"):
        model.answer_many(["What?", "", "Who?"], "A text.")
    with pytest.raises(TypeError, match=r"^contexts\[2\] must be str, not NoneType$"):
        model.answer_many(["What?"] * 3, ["A text.", "A text.", None])
    with pytest.raises(blockspan.InputError, match="^2 questions and 1 contexts; give a context for each question, or"):
        model.answer_many(["What?", "Who?"], ["A text."])
    for wrong in ["What?", b"What?", 3]:
        with pytest.raises(TypeError, match=f"^questions must be an iterable of texts, not {type(wrong).__name__}$"):
            model.answer_many(wrong, "A text.")


def test_exceptions_in_the_place_of_answers(model):
    questions = ["When was it built?", "", None, "When was it built?"]
    good, empty, nothing, again = model.answer_many(questions, "It was built in 1862.", return_exceptions=True)
    assert good == again and good[0].text == "1862"
    assert isinstance(empty, blockspan.InputError) and str(empty) == "questions[1]: the question is empty; ask something"
    assert isinstance(nothing, TypeError) and str(nothing) == "questions[2] must be str, not NoneType"


def test_what_an_iterable_raises_comes_through(model):
    def questions():
        yield "What?"
        raise LookupError("no more")

    with pytest.raises(LookupError, match="^'?no more'?$"):
        model.answer_many(questions(), "A text.")


@pytest.mark.parametrize("sessions", [0, 1025, 10**30, -1])
def test_sessions_out_of_range(model, sessions):
    words = "sessions must (be 1 to 1024|not be negative)"
    with pytest.raises(blockspan.InputError, match=f"^{words}$"):
        blockspan.Model(sessions=sessions)
    with pytest.raises(blockspan.InputError, match=f"^{words}$"):
        model.answer_many(["What?"], "A text.", sessions=sessions)


@pytest.mark.parametrize("max_seq_len", [7, 513, 10**30])
def test_windows_that_the_model_does_not_read(max_seq_len):
    with pytest.raises(blockspan.InputError, match=r"^max_seq_len: windows of \d+ tokens do not work here; use 8 to 512$"):
        blockspan.Model(max_seq_len=max_seq_len)


def test_files_that_are_no_models(tmp_path, fixtures):
    none = tmp_path / "none.bspan"
    with pytest.raises(FileNotFoundError, match="none.bspan: .*; name a .bspan file$"):
        blockspan.Model(none)
    with pytest.raises(IsADirectoryError, match="is a directory; name a .bspan file$"):
        blockspan.Model(str(tmp_path))
    model = (fixtures / "default.bspan").read_bytes()
    middle = len(model) // 2
    flipped = model[:middle] + bytes([model[middle] ^ 1]) + model[middle + 1 :]
    for name, data, message in [
        ("empty", b"", "empty"),
        ("text", b"Not a model, but a text that is long enough for a header." * 9, "not a .bspan model"),
        ("half", model[:middle], "the file is incomplete, copy it again"),
        ("longer", model + b"more", "something was appended, copy it again"),
        ("flipped", flipped, "its checksum differs, copy the file again"),
    ]:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises((blockspan.ModelError, OSError)) as caught:
            blockspan.Model(path)
        words = str(caught.value)
        assert words.startswith(str(path)) and message in words and "\n" not in words
        assert isinstance(caught.value, (blockspan.ModelError, OSError))
