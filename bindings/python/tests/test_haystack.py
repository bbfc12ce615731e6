"""`blockspan.haystack` with the real package, of whichever version is there."""

import doctest
import inspect
import math
from pathlib import Path

import blockspan
import pytest

# Haystack's own deprecations, and those of what it stands on, are not ours.
pytestmark = pytest.mark.filterwarnings("default")
haystack = pytest.importorskip("haystack")
Document, ExtractedAnswer = haystack.Document, haystack.ExtractedAnswer

QUERY = "When was the tower built?"
TEXTS = ["Gulls nest on the rocks.", "🗼 The tower was built in 1862, they say.", "The bridge was built in 1901."]


@pytest.fixture
def documents():
    return [Document(content=text, meta={"number": number}) for number, text in enumerate(TEXTS)]


def reader(**settings):
    return blockspan.haystack.BlockspanReader(**{"no_answer": False, **settings})


def test_answers_are_spans_of_documents_best_first(documents):
    answers = reader().run(query=QUERY, documents=documents)["answers"]
    assert all(isinstance(answer, ExtractedAnswer) for answer in answers)
    best = answers[0]
    assert (best.data, best.query, best.document) == ("1862", QUERY, documents[1])
    assert [answer.score for answer in answers] == sorted((answer.score for answer in answers), reverse=True)
    for answer in answers:
        place = answer.document_offset
        assert answer.document.content[place.start : place.end] == answer.data
    assert ExtractedAnswer.from_dict(best.to_dict()) == best


def test_scores_compare_across_documents(documents, model):
    answers = reader(answers_per_document=1).run(query=QUERY, documents=documents)["answers"]
    for answer in answers:
        [alone] = model.answer(QUERY, answer.document.content)
        assert answer.meta == {"margin": -alone.null_diff}
        assert answer.score == alone.answerable
    # The best span of a document without an answer is a good one among its own, which must not count.
    assert answers[0].document.meta["number"] == 1
    assert answers[0].score > 0.5 > answers[2].score
    # No other document changes them.
    [alone] = reader(answers_per_document=1).run(query=QUERY, documents=documents[1:2])["answers"]
    assert alone == answers[0]


def test_spans_of_a_document_do_not_overlap(documents):
    answers = reader().run(query=QUERY, documents=documents[1:2])["answers"]
    places = sorted((answer.document_offset.start, answer.document_offset.end) for answer in answers)
    assert len(places) > 1 and all(before[1] <= after[0] for before, after in zip(places, places[1:]))
    everything = reader(overlap_threshold=None).run(query=QUERY, documents=documents[1:2])["answers"]
    assert len(everything) == 20 > len(answers)


def test_no_answer_is_the_probability_that_the_others_are_wrong(documents):
    answers = reader(no_answer=True, top_k=2).run(query=QUERY, documents=documents)["answers"]
    [none] = [answer for answer in answers if answer.data is None]
    others = [answer for answer in answers if answer.data is not None]
    assert len(others) == 2 and none.document is None
    assert none.score == pytest.approx(math.prod(1 - answer.score for answer in others))
    assert answers == sorted(answers, key=lambda answer: -answer.score)
    lost = reader(no_answer=True, top_k=1).run(query="Who painted the ceiling?", documents=documents[:1])["answers"]
    [none] = [answer for answer in lost if answer.data is None]
    assert none.score > 0.5


def test_arguments_of_a_run(documents):
    component = reader(score_threshold=2)
    assert component.run(query=QUERY, documents=documents)["answers"] == []
    answers = component.run(query=QUERY, documents=documents, top_k=1, score_threshold=0.5)["answers"]
    assert [answer.data for answer in answers] == ["1862"]
    answers = component.run(query=QUERY, documents=documents, top_k=1, score_threshold=0, no_answer=True)["answers"]
    assert [answer.data for answer in answers] == ["1862", None]
    assert component.run(query=QUERY, documents=[])["answers"] == []
    assert component.run(query=QUERY, documents=[Document(content=None), Document(content="")])["answers"] == []
    with pytest.raises(blockspan.InputError, match="^the question is empty; ask something$"):
        component.run(query="", documents=documents)


def test_pages_are_counted_by_form_feeds():
    document = Document(content="Gulls nest here.\fThe tower was built in 1862.", meta={"page_number": 7})
    [answer] = reader(top_k=1).run(query=QUERY, documents=[document])["answers"]
    assert (answer.data, answer.meta["answer_page_number"]) == ("1862", 8)


def test_in_a_pipeline_that_is_saved_and_loaded(documents, fixtures):
    from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    store = InMemoryDocumentStore()
    store.write_documents(documents)
    pipeline = haystack.Pipeline()
    pipeline.add_component("retriever", InMemoryBM25Retriever(document_store=store))
    pipeline.add_component("reader", reader(model=fixtures / "default.bspan", top_k=1, sessions=1))
    pipeline.connect("retriever.documents", "reader.documents")
    [answer] = pipeline.run({"retriever": {"query": QUERY}, "reader": {"query": QUERY}})["reader"]["answers"]
    assert answer.data == "1862"
    again = blockspan.haystack.BlockspanReader.from_dict(pipeline.get_component("reader").to_dict())
    assert again.to_dict() == pipeline.get_component("reader").to_dict()
    assert again.to_dict()["type"] == "blockspan.haystack.BlockspanReader"
    [same] = again.run(query=QUERY, documents=documents)["answers"]
    assert (same.data, same.score, same.document_offset) == (answer.data, answer.score, answer.document_offset)
    text = pipeline.dumps()
    try:
        # Haystack 3 loads classes of modules that it is told to trust.
        loaded = haystack.Pipeline.loads(text, allowed_modules=["blockspan", "haystack"])
    except TypeError:
        loaded = haystack.Pipeline.loads(text)
    assert loaded.get_component("reader").to_dict() == again.to_dict()


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="name a .bspan file$"):
        reader(model=tmp_path / "none.bspan").warm_up()


def test_the_example_of_the_docstring():
    text = inspect.cleandoc(blockspan.haystack.BlockspanReader.__doc__)
    test = doctest.DocTestParser().get_doctest(text, {}, "BlockspanReader", "haystack.py", 0)
    assert test.examples and doctest.DocTestRunner().run(test).failed == 0


def test_the_readmes_example():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    [example] = [block for block in readme.split("```python\n") if block.startswith("from blockspan.haystack")]
    space = {}
    exec(example.split("```")[0], space)
    assert space["answers"][0].data == "1862"
