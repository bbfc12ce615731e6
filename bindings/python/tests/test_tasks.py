"""What the tasks of Ray and Spark do in their processes; the engines themselves are in `cluster`."""

import hashlib
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import blockspan
import pytest
from blockspan import _tasks

CONTEXT = "The tower was built in 1862."


@pytest.fixture
def file(tmp_path, fixtures):
    shutil.copy(fixtures / "default.bspan", tmp_path / "model.bspan")
    return tmp_path / "model.bspan"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder in place of the machine's for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_process_opens_a_model_once_and_asks_it_on_one_thread(file):
    model = _tasks.model_of(str(file))
    assert model.sessions == 1
    assert _tasks.model_of(file) is model
    assert _tasks.model_of(None) is _tasks.model_of(None)


def test_a_file_that_was_replaced_is_opened_again(file, fixtures):
    model = _tasks.model_of(file)
    shutil.copy(fixtures / "default.bspan", file.with_name("new"))
    os.replace(file.with_name("new"), file)
    again = _tasks.model_of(file)
    assert again is not model
    assert again.answer("When?", CONTEXT) == model.answer("When?", CONTEXT)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.bspan: .*; name a .bspan file$"):
        _tasks.model_of(tmp_path / "none.bspan")


def test_a_model_that_travels_is_fetched_once(temporary, file):
    digest, data = _tasks.read(file)
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    fetched = []

    def fetch(source):
        fetched.append(source)
        return data

    with ThreadPoolExecutor(8) as threads:
        paths = set(threads.map(lambda _: _tasks.Shipped(digest, "here").path(fetch), range(8)))
    assert fetched == ["here"]
    [path] = paths
    assert path.read_bytes() == data
    assert sorted(found.name for found in path.parent.iterdir()) == [f"{digest}.bspan", "lock"]


def test_a_fetch_that_fails_leaves_nothing(temporary, file):
    digest, data = _tasks.read(file)

    def fail(source):
        raise OSError("the network is gone")

    with pytest.raises(OSError, match="the network is gone"):
        _tasks.Shipped(digest, None).path(fail)
    assert _tasks.Shipped(digest, None).path(lambda _: data).read_bytes() == data


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_folder_that_others_may_write_to_is_refused(temporary):
    folder = Path(temporary, f"blockspan-{os.getuid()}")
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="others may write there; remove it, or set TMPDIR"):
        _tasks.Shipped("0", None).path(lambda _: b"")


def test_what_is_no_model_does_not_travel(file):
    file.write_bytes(b"something else")
    with pytest.raises(blockspan.ModelError):
        _tasks.read(file)
    with pytest.raises(blockspan.InputError, match="give its path, since the default model is in every package$"):
        _tasks.read(None)


def test_options_are_those_of_answer_batch():
    assert _tasks.checked({"n_best": 5, "doc_stride": None}) == {"n_best": 5}
    with pytest.raises(TypeError, match="unexpected keyword argument 'top_k'; options are max_answer_len, "):
        _tasks.checked({"top_k": 1})


def test_answers_stand_beside_the_columns_that_stay():
    pa = pytest.importorskip("pyarrow")
    columns = {"id": [7, 8], "question": ["When?", ""], "context": [CONTEXT, CONTEXT]}
    table = pa.table(columns, schema=pa.schema([pa.field("id", pa.int16(), False), ("question", "string"), ("context", "string")]))
    model = _tasks.model_of(None)
    for batch in [table, *table.to_batches()]:
        found = _tasks.answered(model, batch, "question", "context", ["id"], {})
        assert type(found) is type(batch)
        assert found.schema.names == ["id", *_tasks.ANSWERS]
        assert found.schema.field("id") == table.schema.field("id")
        assert found.column("id").to_pylist() == [7, 8]
        assert found.column("answer").to_pylist() == ["1862", None]
        assert found.column("error").to_pylist() == [None, "the question is empty; ask something"]
    assert _tasks.answered(model, table, "question", "context", None, {}).schema.names[:3] == list(columns)
    assert _tasks.answered(model, table.slice(0, 0), "question", "context", [], {}).num_rows == 0
    with pytest.raises(blockspan.InputError, match="^the batch has no column 'text'; it has: id, question, context$"):
        _tasks.answered(model, table, "question", "text", None, {})
