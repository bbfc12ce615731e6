"""`blockspan.ray` on a cluster of this machine with two workers."""

import os
import signal
import sys
from pathlib import Path

import blockspan
import blockspan.ray
import pytest

ray = pytest.importorskip("ray")
pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

# Deprecations within Ray and its dependencies are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster():
    # Ray's workers yield to everything else by default.
    os.environ["RAY_worker_niceness"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    ray.shutdown()


def dataset(rows, size=250):
    tables = [pa.Table.from_pylist(rows[start : start + size]) for start in range(0, len(rows), size)]
    return ray.data.from_arrow(tables)


def read(dataset):
    return pa.concat_tables(dataset.iter_batches(batch_format="pyarrow", batch_size=None))


class Killed(blockspan.ray.Answerer):
    """Is killed once, with a batch answered and not yet handed over."""

    def __init__(self, once=None, victim=None, **settings):
        super().__init__(**settings)
        self.once, self.victim = Path(once), victim
        (self.once / f"worker-{os.getpid()}").touch()

    def __call__(self, batch):
        answers = super().__call__(batch)
        if self.victim in batch.column("id").to_pylist():
            try:
                (self.once / "killed").touch(exist_ok=False)
            except FileExistsError:
                return answers
            os.kill(os.getpid(), signal.SIGKILL)
        return answers


def test_a_worker_that_is_killed_half_way_loses_and_doubles_nothing(cluster, monkeypatch, rows, compare, once):
    class Victim(Killed):
        def __init__(self, **settings):
            super().__init__(once=str(once), victim=rows[len(rows) // 2]["id"], **settings)

    monkeypatch.setattr(blockspan.ray, "Answerer", Victim)
    compare(read(blockspan.ray.answer(dataset(rows), keep=["id"], workers=2)))
    assert (once / "killed").exists()
    assert len(list(once.glob("worker-*"))) >= 2


def test_a_model_that_travels_is_written_once(cluster, rows, compare, shipped, model_file):
    rows = rows[:60]
    answers = blockspan.ray.answer(dataset(rows, 20), model_file, keep=["id"], workers=2, broadcast=True)
    compare(read(answers), rows)
    assert shipped.read_bytes() == model_file.read_bytes()
    assert [file.name for file in shipped.parent.glob(f"{shipped.stem}*")] == [shipped.name]


def test_options_and_the_columns_that_stay(cluster, rows):
    table = read(blockspan.ray.answer(dataset(rows[:20]), workers=(1, 2), null_threshold=-1000, batch_size=7))
    assert table.schema.names == ["id", "question", "context", "answer", "start", "end", "score", "null_diff", "error"]
    assert table.column("answer").null_count == 20 and table.column("id").to_pylist() == list(range(20))


def test_what_cannot_be_is_refused_before_anything_runs(cluster, rows, tmp_path):
    with pytest.raises(TypeError, match="unexpected keyword argument 'top_k'"):
        blockspan.ray.answer(dataset(rows[:2]), top_k=2)
    with pytest.raises(FileNotFoundError, match="name a .bspan file"):
        blockspan.ray.answer(dataset(rows[:2]), tmp_path / "none.bspan", broadcast=True)


def test_the_readmes_examples(cluster, rows, compare, readmes, tmp_path):
    rows = rows[:20]
    (tmp_path / "questions").mkdir()
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "questions" / "1.parquet")
    for example, answers in readmes("import blockspan.ray", tmp_path):
        exec(example, {})
        compare(parquet.read_table(answers), rows)
