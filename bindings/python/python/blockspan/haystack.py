"""A reader for Haystack 2 and 3: ``pip install 'blockspan[haystack]'``."""

import math
from collections.abc import Sequence
from os import PathLike
from typing import Any, Optional, Union

from . import DocumentAnswer, Model

try:
    from haystack import Document, ExtractedAnswer, component, default_from_dict, default_to_dict
except ImportError as error:
    raise ImportError("blockspan.haystack needs Haystack; pip install 'blockspan[haystack]'") from error

__all__ = ["BlockspanReader"]


@component
class BlockspanReader:
    """Finds the answers to a query in documents, as Haystack's extractive readers do, on the CPU and without PyTorch.

    Scores compare across documents: an answer's rank is its margin over "no answer" in its own document, and its score is
    the probability that the model's file makes of that margin (for a file without one, the logistic function of it).

    >>> from haystack import Document
    >>> from blockspan.haystack import BlockspanReader
    >>> reader = BlockspanReader(top_k=1, no_answer=False)
    >>> documents = [Document(content="The tower was built in 1862."), Document(content="Gulls nest on the rocks.")]
    >>> [answer] = reader.run("When was the tower built?", documents)["answers"]
    >>> answer.data, answer.document.content, answer.document_offset
    ('1862', 'The tower was built in 1862.', ExtractedAnswer.Span(start=23, end=27))
    """

    def __init__(
        self,
        model: Union[str, "PathLike[str]", None] = None,
        *,
        top_k: int = 20,
        score_threshold: Optional[float] = None,
        no_answer: bool = True,
        answers_per_document: int = 20,
        overlap_threshold: Optional[float] = 0.01,
        max_answer_len: int = 30,
        max_seq_len: Optional[int] = None,
        doc_stride: Optional[int] = None,
        sessions: Optional[int] = None,
    ) -> None:
        """A reader; the model is opened by ``warm_up``, or by the first ``run``.

        :param model: a ``*.bspan`` file; the default model without one.
        :param top_k: the most answers, beside the one that says that there is none.
        :param score_threshold: leave out answers with a lower score.
        :param no_answer: add an answer without a text, whose score is the probability that all others are wrong.
        :param answers_per_document: the most spans of a document that are looked at, at most 64.
        :param overlap_threshold: leave out a span that shares more than this part of it, or of a better one, with the better
            one; ``None`` for never.
        :param max_answer_len: the longest answer, in tokens.
        :param max_seq_len: the longest window, in tokens; by default that of the model.
        :param doc_stride: tokens that windows share.
        :param sessions: how many documents are read at a time; by default one on each core.
        """
        self.model = None if model is None else str(model)
        self.top_k = top_k
        self.score_threshold = score_threshold
        self.no_answer = no_answer
        self.answers_per_document = answers_per_document
        self.overlap_threshold = overlap_threshold
        self.max_answer_len = max_answer_len
        self.max_seq_len = max_seq_len
        self.doc_stride = doc_stride
        self.sessions = sessions
        self._opened: Optional[Model] = None

    def to_dict(self) -> dict[str, Any]:
        """The component as a dictionary: its settings."""
        names = "model top_k score_threshold no_answer answers_per_document overlap_threshold max_answer_len max_seq_len"
        settings = {name: getattr(self, name) for name in [*names.split(), "doc_stride", "sessions"]}
        data: dict[str, Any] = default_to_dict(self, **settings)
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "BlockspanReader":
        """The component of such a dictionary."""
        reader: BlockspanReader = default_from_dict(cls, data)
        return reader

    def warm_up(self) -> None:
        """Opens the model."""
        if self._opened is None:
            self._opened = Model(self.model, sessions=self.sessions)

    @component.output_types(answers=list[ExtractedAnswer])
    def run(
        self,
        query: str,
        documents: list[Document],
        top_k: Optional[int] = None,
        score_threshold: Optional[float] = None,
        no_answer: Optional[bool] = None,
    ) -> dict[str, Any]:
        """Finds answers; documents without text are passed over.

        :param query: the question.
        :param documents: where to look.
        :param top_k: as for the component, for this run.
        :param score_threshold: likewise.
        :param no_answer: likewise.
        :returns: ``answers``, best first.
        """
        self.warm_up()
        assert self._opened is not None
        top_k = self.top_k if top_k is None else top_k
        score_threshold = self.score_threshold if score_threshold is None else score_threshold
        no_answer = self.no_answer if no_answer is None else no_answer
        documents = [document for document in documents if document.content]
        if not documents:
            return {"answers": []}
        found = self._opened.answer_documents(
            query,
            [document.content or "" for document in documents],
            top_k=len(documents) * self.answers_per_document,
            per_document=self.answers_per_document,
            n_best=max(20, self.answers_per_document),
            max_answer_len=self.max_answer_len,
            max_seq_len=self.max_seq_len,
            doc_stride=self.doc_stride,
        )
        found = _apart(found, self.overlap_threshold)[:top_k]
        answers = [_extracted(query, documents[answer.document], answer) for answer in found]
        if no_answer:
            wrong = math.prod(1 - answer.score for answer in answers)
            answers.append(ExtractedAnswer(query=query, score=wrong))
            answers.sort(key=lambda answer: -answer.score)
        if score_threshold is not None:
            answers = [answer for answer in answers if answer.score >= score_threshold]
        return {"answers": answers}


def _extracted(query: str, document: Document, answer: DocumentAnswer) -> ExtractedAnswer:
    probability = answer.answerable
    if probability is None:
        # Written so that no exponent overflows.
        power = math.exp(-abs(answer.margin))
        probability = (1 if answer.margin >= 0 else power) / (1 + power)
    meta = {"margin": answer.margin}
    page = document.meta.get("page_number")
    if isinstance(page, int):
        # Haystack's converters leave a form feed between pages.
        meta["answer_page_number"] = page + (document.content or "")[: answer.start].count("\f")
    return ExtractedAnswer(
        query=query,
        score=probability,
        data=answer.text,
        document=document,
        document_offset=ExtractedAnswer.Span(start=answer.start, end=answer.end),
        meta=meta,
    )


def _apart(answers: Sequence[DocumentAnswer], threshold: Optional[float]) -> list[DocumentAnswer]:
    """Those, best first, that overlap with no better one of the same document by more than the threshold."""
    if threshold is None:
        return list(answers)
    kept: dict[int, list[DocumentAnswer]] = {}
    apart = []
    for answer in answers:
        better = kept.setdefault(answer.document, [])
        if all(_overlap(answer, other) <= threshold for other in better):
            better.append(answer)
            apart.append(answer)
    return apart


def _overlap(one: DocumentAnswer, other: DocumentAnswer) -> float:
    """What two spans share, as a part of the shorter one."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    return max(shared, 0) / min(one.end - one.start, other.end - other.start)
