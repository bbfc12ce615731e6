"""The question-answering pipeline of transformers (4.x to 5.2), for programs that were written for it."""

from collections.abc import Iterable
from itertools import islice
from types import GeneratorType

from ._native import InputError, Model

# Those of `_sanitize_parameters`, and their defaults where they have one of their own.
_PARAMETERS = {
    "top_k": 1,
    "doc_stride": None,
    "max_answer_len": 15,
    "max_seq_len": None,
    "max_question_len": 64,
    "handle_impossible_answer": False,
    "align_to_words": True,
}

# What chooses files, devices and batches there.
_WITHOUT_EFFECT = frozenset(
    "padding batch_size num_workers config tokenizer framework revision use_fast token device device_map dtype torch_dtype "
    "trust_remote_code model_kwargs".split()
)


def pipeline(task="question-answering", model=None, *, sessions=None, **parameters):
    """A question-answering pipeline with the arguments, defaults, rules and errors of the one that transformers had.

    ``model`` is a ``*.bspan`` file, a ``Model``, or nothing for the default model; ``sessions`` is as for ``Model``.
    ``parameters`` are defaults for the calls. Those that choose tokenizers, devices and batches have no effect.

    >>> import blockspan
    >>> qa = blockspan.pipeline("question-answering")
    >>> result = qa(question="When was it built?", context="The tower was built in 1862.")
    >>> result["answer"], result["start"], result["end"]
    ('1862', 23, 27)
    """
    if task != "question-answering":
        raise KeyError(f"Unknown task {task}, available tasks are ['question-answering']")
    if not isinstance(model, Model):
        model = Model(model, sessions=sessions)
    elif sessions is not None:
        raise ValueError("sessions are those of the model; give them to blockspan.Model, or a file to pipeline")
    unknown = set(parameters) - set(_PARAMETERS) - _WITHOUT_EFFECT
    if unknown:
        raise TypeError(f"pipeline() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    return QuestionAnsweringPipeline(model, **parameters)


class QuestionAnsweringPipeline:
    """What ``pipeline`` returns; call it with ``question`` and ``context``."""

    task = "question-answering"

    def __init__(self, model, **parameters):
        self.model = model
        self._parameters = _given(**parameters)

    def __call__(self, *args, num_workers=None, batch_size=None, **kwargs):
        """Answers one question or several.

        ``question`` and ``context`` are texts, or lists of them (a list of questions may share one context). By position:
        a dictionary with these keys, an object with ``question_text`` and ``context_text``, a list of such, or a generator.

        Further keywords: ``top_k`` (1, at most 64), ``max_answer_len`` (15 tokens), ``max_seq_len`` (384 tokens, or what
        the model reads if that is less), ``doc_stride`` (128 tokens, or half a window), ``max_question_len`` (64 tokens;
        the rest is cut), ``handle_impossible_answer`` (``False``; else the empty answer competes), ``align_to_words``
        (``True``: answers are moved to the edges of words).

        Returns a dictionary with ``score``, ``start``, ``end`` (in characters) and ``answer``; a list of them if there are
        several answers; and a list of such results for several questions (an iterator for a generator).
        """
        examples = _examples(args, kwargs)
        parameters = {**_PARAMETERS, **self._parameters, **_given(**kwargs)}
        model, parameters = self._windows(parameters)
        if isinstance(examples, GeneratorType):
            return self._stream(model, examples, parameters)
        one = len(examples) == 1 and not isinstance(examples[0], list)
        if len(examples) == 1 and isinstance(examples[0], list):
            examples = examples[0]
        results = self._answer(model, [_pair(example) for example in examples], parameters, numbered=not one)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results[0] if one else results

    def _windows(self, parameters):
        """The model, with sessions for windows that long; and the parameters with the length of the windows."""
        length = parameters["max_seq_len"]
        if length is None:
            length = min(self.model.max_positions, 384)
        stride = parameters["doc_stride"]
        if stride is not None and stride > length:
            raise ValueError(f"`doc_stride` ({stride}) is larger than `max_seq_len` ({length})")
        most = self.model.max_positions
        if length > most:
            raise InputError(f"max_seq_len: windows of {length} tokens do not work here; use 8 to {most}")
        if length > self.model.max_seq_len:
            self.model = self.model._with_windows(most)
        return self.model, {**parameters, "max_seq_len": length}

    def _stream(self, model, examples, parameters):
        while chunk := [_pair(example) for example in islice(examples, 4 * model.sessions)]:
            for result in self._answer(model, chunk, parameters, numbered=False):
                if isinstance(result, Exception):
                    raise result
                yield result

    def _answer(self, model, pairs, parameters, numbered):
        """A result for each pair: an answer, or a list of several (or none); or the exception in its place."""
        questions, contexts = [question for question, _ in pairs], [context for _, context in pairs]
        found = model._answer_pipeline(questions, contexts, numbered, **parameters)
        return [answers[0] if isinstance(answers, list) and len(answers) == 1 else answers for answers in found]


def _given(top_k=None, topk=None, max_answer_len=None, **others):
    """The parameters among a call's keywords that are given."""
    top_k = topk if top_k is None else top_k
    for name, value in [("top_k", top_k), ("max_answer_len", max_answer_len)]:
        if value is not None and value < 1:
            raise ValueError(f"{name} parameter should be >= 1 (got {value})")
    every = {"top_k": top_k, "max_answer_len": max_answer_len, **others}
    return {name: value for name, value in every.items() if name in _PARAMETERS and value is not None}


def _examples(args, kwargs):
    """What a call asks: a list, or a generator as it is."""
    if len(args) == 1:
        inputs = args[0]
    elif len(args) == 2 and all(type(text) is str for text in args):
        inputs = {"question": args[0], "context": args[1]}
    elif args:
        inputs = list(args)
    elif "X" in kwargs:
        inputs = kwargs["X"]
    elif "data" in kwargs:
        inputs = kwargs["data"]
    elif "question" in kwargs and "context" in kwargs:
        inputs = _of_keywords(kwargs["question"], kwargs["context"])
    else:
        raise ValueError(f"Unknown arguments {kwargs}")
    if isinstance(inputs, GeneratorType):
        return inputs
    if isinstance(inputs, dict) or _is_example(inputs):
        inputs = [inputs]
    elif not isinstance(inputs, Iterable):
        raise ValueError(f"Invalid arguments {kwargs}")
    return [_checked(item) for item in inputs]


def _of_keywords(question, context):
    if isinstance(question, list) and isinstance(context, str):
        return [{"question": one, "context": context} for one in question]
    if isinstance(question, list) and isinstance(context, list):
        if len(question) != len(context):
            raise ValueError("Questions and contexts don't have the same lengths")
        return [{"question": one, "context": text} for one, text in zip(question, context)]
    if isinstance(question, str) and isinstance(context, str):
        return {"question": question, "context": context}
    raise ValueError("Arguments can't be understood")


def _is_example(item):
    """Whether it is an object like transformers' ``SquadExample``."""
    return hasattr(item, "question_text") and hasattr(item, "context_text")


def _checked(item):
    if _is_example(item):
        return item
    if not isinstance(item, dict):
        raise ValueError(f"{item} argument needs to be of type (SquadExample, dict)")
    for key in ("question", "context"):
        if key not in item:
            raise KeyError("You need to provide a dictionary with keys {question:..., context:...}")
        if item[key] is None:
            raise ValueError(f"`{key}` cannot be None")
        if item[key] == "":
            raise ValueError(f"`{key}` cannot be empty")
    if isinstance(item["question"], list) and isinstance(item["context"], list):
        return [{"question": one, "context": text} for one, text in zip(item["question"], item["context"])]
    return item


def _pair(example):
    if isinstance(example, dict):
        return example["question"], example["context"]
    return example.question_text, example.context_text
