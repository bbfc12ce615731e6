"""Answers the rows of Spark data frames: ``pip install 'blockspan[spark]'``, on every node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, Optional, Union

from . import InputError
from ._tasks import Shipped, answered, checked, kept, model_of, read

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import Column, DataFrame

__all__ = ["answer"]


def answer(
    dataframe: DataFrame,
    model: Union[str, PathLike[str], None] = None,
    *,
    question: str = "question",
    context: str = "context",
    keep: Optional[Sequence[str]] = None,
    broadcast: bool = False,
    **options: Any,
) -> DataFrame:
    """The data frame with an answer for each row: the columns named by ``keep`` (all of them if it is not given), and beside
    them ``answer``, ``start``, ``end``, ``score``, ``null_diff`` and ``error``.

    One thread for each task, so as many questions at a time as the cluster has task slots. The model is mapped once in
    each of Spark's Python processes, and processes of a node share its memory. ``model`` is a path on every node, and
    only the path travels; with ``broadcast`` it is a path here, whose file is broadcast, and which the first task of
    each node writes to its temporary folder. ``question`` and ``context`` name columns of texts; ``options`` are those
    of ``Model.answer_batch``.

    Nothing runs until the data frame is read, as always with Spark. A task that is lost runs again, with the same bits.

    >>> import blockspan.spark                                              # doctest: +SKIP
    >>> dataframe = spark.read.parquet("questions")                         # doctest: +SKIP
    >>> blockspan.spark.answer(dataframe, keep=["id"]).write.parquet("answers") # doctest: +SKIP
    """
    from pyspark.sql.types import FloatType, LongType, StringType, StructField, StructType

    options = checked(options)
    keep = kept(dataframe.columns, keep)
    for name in (question, context):
        if name not in dataframe.columns:
            there = ", ".join(dataframe.columns)
            raise InputError(f"the data frame has no column {name!r}; there are: {there}")
    place: Union[str, Shipped, None] = None if model is None else str(model)
    if broadcast:
        digest, data = read(model)
        place = Shipped(digest, dataframe.sparkSession.sparkContext.broadcast(data))
    # Only what is asked for goes to Python and back; by number, since `mapInArrow` takes dots in names for paths.
    names = list(dict.fromkeys([*keep, question, context]))
    wanted = dataframe.select([_column(name).alias(f"c{at}") for at, name in enumerate(names)])
    types = [("answer", StringType()), ("start", LongType()), ("end", LongType())]
    types += [("score", FloatType()), ("null_diff", FloatType()), ("error", StringType())]
    fields = [dataframe.schema[name] for name in keep]
    fields += [StructField(name, kind, nullable=True) for name, kind in types]
    settings: dict[str, Any] = {"names": names, "question": question, "context": context, "keep": keep, "options": options}
    task = partial(_task, model=place, **settings)
    return wanted.mapInArrow(task, StructType(fields))


def _column(name: str) -> Column:
    """The column of that name, whatever is in it."""
    from pyspark.sql.functions import col

    return col("`" + name.replace("`", "``") + "`")


def _task(
    batches: Iterator[pyarrow.RecordBatch],
    model: Union[str, Shipped, None],
    names: list[str],
    question: str,
    context: str,
    keep: Sequence[str],
    options: dict[str, Any],
) -> Iterator[pyarrow.RecordBatch]:
    """A task: batches in, batches out."""
    place = model.path(lambda source: source.value) if isinstance(model, Shipped) else model
    opened = model_of(place)
    for batch in batches:
        yield answered(opened, batch.rename_columns(names), question, context, keep, options)
