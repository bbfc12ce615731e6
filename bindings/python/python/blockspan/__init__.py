"""Answers questions from a passage, on the CPU, from one file.

>>> import blockspan
>>> model = blockspan.Model()
>>> context = "The tower 🗼 was built in 1862 and stands 31 metres high."
>>> [answer] = model.answer("How high is the tower?", context)
>>> answer.text, answer.start, answer.end
('31 metres high', 41, 55)
>>> context[answer.start:answer.end]
'31 metres high'
"""

from ._answer import Answer
from ._native import InputError, Model, ModelError, RecordBatch, __version__
from ._pipeline import QuestionAnsweringPipeline, pipeline

__all__ = [
    "Answer",
    "InputError",
    "Model",
    "ModelError",
    "QuestionAnsweringPipeline",
    "RecordBatch",
    "__version__",
    "pipeline",
]
