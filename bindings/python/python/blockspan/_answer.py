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


def rebuild(cls, path, sessions, max_seq_len):
    """A model again, from what pickle keeps of it."""
    return cls(path, sessions=sessions, max_seq_len=max_seq_len)
