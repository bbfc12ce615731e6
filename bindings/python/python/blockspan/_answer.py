"""What an answer is in Python."""

# Its types are in `__init__.pyi`: `typing.NamedTuple` would double the time that `import blockspan` takes.
from collections import namedtuple


class Answer(namedtuple("Answer", "text score start end null_diff answerable")):
    """A span of the context. ``context[answer.start:answer.end] == answer.text``."""

    __slots__ = ()


Answer.text.__doc__ = "The answer."
Answer.score.__doc__ = "Probability among the ``n_best`` best spans."
Answer.start.__doc__ = "First character in the context, counted from 0."
Answer.end.__doc__ = "One past the last character."
Answer.null_diff.__doc__ = (
    'Score of "no answer" less that of the best span: the higher, the likelier the context does not hold the answer.'
)
Answer.answerable.__doc__ = (
    "Probability that the context holds an answer; ``None`` if the model's file does not tell what it follows from."
)


class DocumentAnswer(namedtuple("DocumentAnswer", "text document start end margin answerable score")):
    """A span of one of several documents. ``documents[answer.document][answer.start:answer.end] == answer.text``."""

    __slots__ = ()


DocumentAnswer.text.__doc__ = "The answer."
DocumentAnswer.document.__doc__ = "The document's number, from 0, in the order in which they were given."
DocumentAnswer.start.__doc__ = "First character in the document, counted from 0."
DocumentAnswer.end.__doc__ = "One past the last character."
DocumentAnswer.margin.__doc__ = (
    'How far the answer is ahead of "no answer" in its document (the difference of their scores): what the documents are '
    "ranked by, since it means the same in all of them."
)
DocumentAnswer.answerable.__doc__ = (
    "Probability that this document holds an answer, judged by this one; ``None`` if the model's file does not tell."
)
DocumentAnswer.score.__doc__ = "Probability among the ``n_best`` best spans of this document; it does not rank several."


def rebuild(cls, path, sessions, max_seq_len):
    """A model again, from what pickle keeps of it."""
    return cls(path, sessions=sessions, max_seq_len=max_seq_len)
