"""What the tasks of Ray and Spark share: a model for each process, and answers beside the columns that were asked."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, TypeVar, Union

from . import InputError, Model

if TYPE_CHECKING:
    import pyarrow

# A table or a record batch: what goes in is what comes out.
Batch = TypeVar("Batch", "pyarrow.Table", "pyarrow.RecordBatch")

# The columns of `Model.answer_batch`.
ANSWERS = ("answer", "start", "end", "score", "null_diff", "error")

OPTIONS = ("max_answer_len", "n_best", "null_threshold", "max_query_length", "doc_stride", "max_seq_len")

# This process's models, by path: what the file was, and the model with its session.
_models: dict[Path, tuple[tuple[int, ...], Model]] = {}


class Shipped(NamedTuple):
    """A model that travels to each node: its SHA-256, and where the engine keeps the bytes."""

    digest: str
    source: Any

    def path(self, fetch: Callable[[Any], bytes]) -> Path:
        """The file on this node; the first task there writes it, with the bytes that ``fetch`` makes of the source."""
        folder = _private_folder()
        file = folder / f"{self.digest}.bspan"
        with (folder / "lock").open("w") as lock:
            # The others wait for the first, in place of fetching the bytes, too. The lock ends with the file.
            if os.name == "posix":
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.exists():
                part = folder / f"{self.digest}.{os.getpid()}.tmp"
                try:
                    part.write_bytes(fetch(self.source))
                    os.replace(part, file)
                finally:
                    part.unlink(missing_ok=True)
        return file


def read(path: Union[str, os.PathLike[str], None]) -> tuple[str, bytes]:
    """The SHA-256 and the bytes of a model, once it is known to be one."""
    if path is None:
        raise InputError("broadcast sends a model's file; give its path, since the default model is in every package")
    Model(path)
    data = Path(path).read_bytes()
    return hashlib.sha256(data).hexdigest(), data


def _private_folder() -> Path:
    """Where shipped models lie: a folder that nobody else can write to."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir(), f"blockspan-{user}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.name == "posix":
        status = folder.lstat()
        if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise PermissionError(f"{folder}: others may write there; remove it, or set TMPDIR to a folder of your own")
    return folder


def model_of(path: Union[str, os.PathLike[str], None]) -> Model:
    """The model of a file, with one session. The first task of a process opens it, and those that follow find it."""
    place = Path(__file__).with_name("default.bspan") if path is None else Path(path)
    try:
        status = place.stat()
    except OSError:
        return Model(place)  # raises what the package says of files that cannot be read
    # A file that took the place of another is another model.
    version = (status.st_ino, status.st_size, status.st_mtime_ns)
    known = _models.get(place)
    if known is None or known[0] != version:
        known = _models[place] = (version, Model(place, sessions=1))
    return known[1]


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """Options of ``Model.answer_batch``, refused where the job is described, and not in its tasks."""
    for name in options:
        if name not in OPTIONS:
            raise TypeError(f"unexpected keyword argument {name!r}; options are {', '.join(OPTIONS)}")
    return {name: value for name, value in options.items() if value is not None}


def kept(names: Sequence[str], keep: Optional[Sequence[str]]) -> list[str]:
    """Which columns of the input stay beside the answers."""
    keep = list(names) if keep is None else list(keep)
    for name in keep:
        if name not in names:
            raise InputError(f"keep names the column {name!r}, which is not there; there are: {', '.join(names)}")
        if name in ANSWERS:
            raise InputError(f"the input has a column {name!r}, as the answers have; rename it, or leave it out by keep")
    return keep


def answered(
    model: Model,
    batch: Batch,
    question: str,
    context: str,
    keep: Optional[Sequence[str]],
    options: dict[str, Any],
) -> Batch:
    """The columns of a batch that are kept, and the answers to its rows beside them; of the batch's class."""
    import pyarrow

    names = kept(batch.schema.names, keep)
    answers = pyarrow.record_batch(model.answer_batch(batch, question, context, **options))
    # Engines know `string` best; no batch has 2 GB of answers.
    columns: dict[str, Any] = {
        name: column.cast(pyarrow.string()) if pyarrow.types.is_large_string(column.type) else column
        for name, column in zip(ANSWERS, answers.columns)
    }
    arrays: list[Any] = [batch.column(batch.schema.names.index(name)) for name in names]
    # Their fields stay as they are: types, nulls, metadata.
    fields = [batch.schema.field(batch.schema.names.index(name)) for name in names]
    fields += [pyarrow.field(name, column.type) for name, column in columns.items()]
    return type(batch).from_arrays([*arrays, *columns.values()], schema=pyarrow.schema(fields))
