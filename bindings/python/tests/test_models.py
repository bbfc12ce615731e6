"""Models: one mapping for each file, pickled as paths, replaced by renaming."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import blockspan
import pytest

CONTEXT = "The tower was built in 1862 and stands 31 metres high."


def mappings(path):
    """How often this process has the file mapped."""
    return sum(line.endswith(str(path)) for line in Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_file_is_mapped_once_whatever_it_is_called(tmp_path, fixtures):
    path = tmp_path / "copy.bspan"
    shutil.copy(fixtures / "default.bspan", path)
    (tmp_path / "link.bspan").symlink_to(path)
    models = [blockspan.Model(path) for _ in range(3)] + [blockspan.Model(str(tmp_path / "link.bspan"))]
    models.append(blockspan.Model(os.path.relpath(path), sessions=1))
    assert mappings(path) == 1
    del models
    assert mappings(path) == 0


def test_the_default_model_is_a_file_of_the_package(model, fixtures):
    inside = Path(blockspan.__file__).with_name("default.bspan")
    assert inside.read_bytes() == (fixtures / "default.bspan").read_bytes()
    assert model.answer("When?", CONTEXT) == blockspan.Model(inside).answer("When?", CONTEXT)


def test_a_replaced_file_is_another_model(tmp_path, fixtures):
    path = tmp_path / "model.bspan"
    shutil.copy(fixtures / "default.bspan", path)
    before = blockspan.Model(path)
    (tmp_path / "new").write_bytes(b"something else")
    os.replace(tmp_path / "new", path)
    with pytest.raises(blockspan.ModelError):
        blockspan.Model(path)
    assert before.answer("When was it built?", CONTEXT)[0].text == "1862"
    shutil.copy(fixtures / "default.bspan", tmp_path / "new")
    os.replace(tmp_path / "new", path)
    assert blockspan.Model(path).answer("When was it built?", CONTEXT)[0].text == "1862"


def test_the_import_is_a_light_one():
    folder = str(Path(blockspan.__file__).parents[1])
    program = f"import sys; sys.path.append({folder!r}); import blockspan; print(*sys.modules)"
    # Without `site`, which loads modules for others.
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    # Some take longer than all of the package; types are in the stub, and other packages wait until they are asked for.
    heavy = {"dataclasses", "inspect", "re", "typing", "numpy", "pyarrow", "ray", "pyspark", "haystack"}
    assert "blockspan" in loaded and heavy & set(loaded) == set()


def test_attributes(model):
    assert model.sessions == len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else model.sessions >= 1
    assert (model.max_seq_len, model.max_positions) == (384, 512)
    assert "created_by" in model.metadata and all(isinstance(value, str) for value in model.metadata.values())
    assert model.null_threshold is None or "null_threshold" in model.metadata
    other = blockspan.Model(sessions=3, max_seq_len=128)
    assert repr(other) == "blockspan.Model(sessions=3, max_seq_len=128)"
    with pytest.raises(AttributeError):
        model.sessions = 2


def test_pickle_keeps_the_path_and_the_settings(model, fixtures):
    path = fixtures / "default.bspan"
    data = pickle.dumps(blockspan.Model(path, sessions=1, max_seq_len=200))
    assert len(data) < 1000
    again = pickle.loads(data)
    assert repr(again) == f'blockspan.Model("{path}", sessions=1, max_seq_len=200)'
    answer = model.answer("When was it built?", CONTEXT)
    assert again.answer("When was it built?", CONTEXT) == answer == pickle.loads(pickle.dumps(answer))
