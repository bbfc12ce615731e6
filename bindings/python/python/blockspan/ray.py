"""Answers the rows of Ray datasets: ``pip install 'blockspan[ray]'``, on every node.

``answer`` describes the whole job. ``Answerer`` is the class that its workers run, for a ``map_batches`` of your own.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Optional, Union

from ._tasks import Shipped, answered, checked, model_of, read

if TYPE_CHECKING:
    import pyarrow
    import ray.data

__all__ = ["Answerer", "answer"]


class Answerer:
    """Answers batches, one question at a time, in an actor of one core.

    For ``Dataset.map_batches`` with ``batch_format="pyarrow"``; ``answer`` calls that. ``model`` is a path on the nodes,
    or nothing for the default model of the package: the file is mapped once in each process, and processes of a node
    share its memory. ``question`` and ``context`` name columns of texts. The columns named by ``keep`` (all of them if
    it is not given) stay, and beside them come ``answer``, ``start``, ``end``, ``score``, ``null_diff`` and ``error``.
    ``options`` are those of ``Model.answer_batch``.

    A row that cannot be answered has the reason in ``error``. A batch that runs again gives the same bits.

    >>> import ray                                                          # doctest: +SKIP
    >>> from blockspan.ray import Answerer
    >>> ray.data.read_parquet("questions").map_batches(                     # doctest: +SKIP
    ...     Answerer,
    ...     fn_constructor_kwargs={"keep": ["id"]},
    ...     compute=ray.data.ActorPoolStrategy(size=2),
    ...     batch_format="pyarrow",
    ...     batch_size=256,
    ...     num_cpus=1,
    ... )
    """

    def __init__(
        self,
        model: Union[str, PathLike[str], Shipped, None] = None,
        *,
        question: str = "question",
        context: str = "context",
        keep: Optional[Sequence[str]] = None,
        **options: Any,
    ) -> None:
        if isinstance(model, Shipped):
            model = model.path(_get)
        self._model = model_of(model)
        self._columns = (question, context)
        self._keep = keep
        self._options = checked(options)

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        """The batch's columns that are kept, and the answers beside them."""
        return answered(self._model, batch, *self._columns, self._keep, self._options)


def _get(reference: Any) -> bytes:
    import ray

    data: bytes = ray.get(reference)
    return data


def answer(
    dataset: ray.data.Dataset,
    model: Union[str, PathLike[str], None] = None,
    *,
    question: str = "question",
    context: str = "context",
    keep: Optional[Sequence[str]] = None,
    workers: Union[int, tuple[int, int], None] = None,
    batch_size: int = 256,
    broadcast: bool = False,
    **options: Any,
) -> ray.data.Dataset:
    """The dataset with an answer for each row: the columns named by ``keep`` (all of them if it is not given), and beside
    them ``answer``, ``start``, ``end``, ``score``, ``null_diff`` and ``error``.

    ``workers`` actors of one core each, or between a least and a most number of them; without it, as many as Ray finds
    cores for. ``model`` is a path on every node, and only the path travels; with ``broadcast`` it is a path here, whose
    file is put into the object store, and which the first actor of each node writes to its temporary folder.
    ``question`` and ``context`` name columns of texts; ``options`` are those of ``Model.answer_batch``.

    Nothing runs until the dataset is read, as always with Ray. A worker that is lost is replaced, and its batches are
    answered again, with the same bits.

    >>> import blockspan.ray, ray                                           # doctest: +SKIP
    >>> dataset = ray.data.read_parquet("questions")                        # doctest: +SKIP
    >>> blockspan.ray.answer(dataset, keep=["id"]).write_parquet("answers") # doctest: +SKIP
    """
    import ray
    from ray.data import ActorPoolStrategy

    settings: dict[str, Any] = {"question": question, "context": context, "keep": keep, **checked(options)}
    if broadcast:
        digest, data = read(model)
        settings["model"] = Shipped(digest, ray.put(data))
    elif model is not None:
        settings["model"] = str(model)
    if workers is None:
        pool = ActorPoolStrategy()
    elif isinstance(workers, int):
        pool = ActorPoolStrategy(size=workers)
    else:
        pool = ActorPoolStrategy(min_size=workers[0], max_size=workers[1])
    return dataset.map_batches(
        Answerer,
        fn_constructor_kwargs=settings,
        compute=pool,
        batch_format="pyarrow",
        batch_size=batch_size,
        num_cpus=1,
        udf_modifying_row_count=False,
    )
