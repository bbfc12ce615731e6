"""Answers questions from a passage, on the CPU, from one file.

>>> import blockspan
>>> model = blockspan.Model()
>>> context = "The tower 🗼 was built in 1862 and stands 31 metres high."
>>> [answer] = model.answer("How high is the tower?", context)
>>> answer.text, answer.start, answer.end
('31 metres', 41, 50)
>>> context[answer.start:answer.end]
'31 metres'
"""

from ._answer import Answer, DocumentAnswer
from ._native import InputError, Model, ModelError, RecordBatch, __version__
from ._pipeline import QuestionAnsweringPipeline, pipeline

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

# What stands on other packages, which need not be there.
_OPTIONAL = ("haystack", "ray", "spark")


def __getattr__(name):
    if name not in _OPTIONAL:
        raise AttributeError(f"module 'blockspan' has no attribute {name!r}")
    from importlib import import_module

    return import_module(f".{name}", __name__)
