from collections.abc import Iterable
from os import PathLike
from typing import Any, Literal, NamedTuple, Optional, Protocol, Union, final, overload

__all__ = [
    "Answer",
    "DocumentAnswer",
    "InputError",
    "Model",
    "ModelError",
    "QuestionAnsweringPipeline",
    "RecordBatch",
    "__version__",
    "pipeline",
]
__version__: str

class InputError(ValueError):
    """The question, the context or an option is not one that can be answered."""

class ModelError(ValueError):
    """The file is not a model, or a damaged one."""

class Answer(NamedTuple):
    """A span of the context. ``context[answer.start:answer.end] == answer.text``."""

    text: str
    score: float
    start: int
    end: int
    null_diff: float
    answerable: Optional[float]

class DocumentAnswer(NamedTuple):
    """A span of one of several documents. ``documents[answer.document][answer.start:answer.end] == answer.text``."""

    text: str
    document: int
    start: int
    end: int
    margin: float
    answerable: Optional[float]
    score: float

class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: Optional[object] = None) -> tuple[object, object]: ...

class _ArrowStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: Optional[object] = None) -> object: ...

@final
class RecordBatch:
    """Answers in columns, for any library with Arrow's PyCapsule interface."""

    @property
    def num_rows(self) -> int: ...
    @property
    def column_names(self) -> list[str]: ...
    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_array__(self, requested_schema: Optional[object] = None) -> tuple[object, object]: ...
    def __arrow_c_stream__(self, requested_schema: Optional[object] = None) -> object: ...

@final
class Model:
    def __new__(
        cls,
        path: Optional[Union[str, PathLike[str]]] = None,
        *,
        sessions: Optional[int] = None,
        max_seq_len: Optional[int] = None,
    ) -> Model: ...
    def answer(
        self,
        question: str,
        context: str,
        top_k: int = 1,
        *,
        max_answer_len: int = 30,
        n_best: int = 20,
        null_threshold: Optional[float] = None,
        max_query_length: Optional[int] = None,
        doc_stride: Optional[int] = None,
        max_seq_len: Optional[int] = None,
    ) -> list[Answer]: ...
    @overload
    def answer_many(
        self,
        questions: Iterable[str],
        contexts: Union[str, Iterable[str]],
        top_k: int = 1,
        *,
        sessions: Optional[int] = None,
        return_exceptions: Literal[False] = False,
        max_answer_len: int = 30,
        n_best: int = 20,
        null_threshold: Optional[float] = None,
        max_query_length: Optional[int] = None,
        doc_stride: Optional[int] = None,
        max_seq_len: Optional[int] = None,
    ) -> list[list[Answer]]: ...
    @overload
    def answer_many(
        self,
        questions: Iterable[str],
        contexts: Union[str, Iterable[str]],
        top_k: int = 1,
        *,
        sessions: Optional[int] = None,
        return_exceptions: bool,
        max_answer_len: int = 30,
        n_best: int = 20,
        null_threshold: Optional[float] = None,
        max_query_length: Optional[int] = None,
        doc_stride: Optional[int] = None,
        max_seq_len: Optional[int] = None,
    ) -> list[Union[list[Answer], Exception]]: ...
    def answer_documents(
        self,
        question: str,
        documents: Iterable[str],
        top_k: int = 5,
        *,
        per_document: int = 1,
        max_answer_len: int = 30,
        n_best: int = 20,
        null_threshold: Optional[float] = None,
        max_query_length: Optional[int] = None,
        doc_stride: Optional[int] = None,
        max_seq_len: Optional[int] = None,
    ) -> list[DocumentAnswer]: ...
    def answer_batch(
        self,
        batch: Union[_ArrowArray, _ArrowStream],
        question: str = "question",
        context: str = "context",
        *,
        max_answer_len: int = 30,
        n_best: int = 20,
        null_threshold: Optional[float] = None,
        max_query_length: Optional[int] = None,
        doc_stride: Optional[int] = None,
        max_seq_len: Optional[int] = None,
    ) -> RecordBatch: ...
    @property
    def sessions(self) -> int: ...
    @property
    def max_seq_len(self) -> int: ...
    @property
    def max_positions(self) -> int: ...
    @property
    def null_threshold(self) -> Optional[float]: ...
    @property
    def metadata(self) -> dict[str, str]: ...

class QuestionAnsweringPipeline:
    """What ``pipeline`` returns; call it with ``question`` and ``context``."""

    task: str
    model: Model
    def __init__(self, model: Model, **parameters: Any) -> None: ...
    def __call__(
        self, *args: Any, num_workers: Optional[int] = None, batch_size: Optional[int] = None, **kwargs: Any
    ) -> Any: ...

def pipeline(
    task: str = "question-answering",
    model: Optional[Union[str, PathLike[str], Model]] = None,
    *,
    sessions: Optional[int] = None,
    **parameters: Any,
) -> QuestionAnsweringPipeline: ...
