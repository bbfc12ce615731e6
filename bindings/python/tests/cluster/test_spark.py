"""`blockspan.spark` on a Spark cluster of this machine: a master and two executors, each a process of its own."""

import os
import pickle
import signal
import sys
from functools import partial
from pathlib import Path

import blockspan.spark
import pytest

pyspark = pytest.importorskip("pyspark")
pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

# Deprecations within Spark and its dependencies are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def spark():
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    pyspark.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("blockspan")
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "512m",
        # One task for each file, so that there are more tasks than executors.
        "spark.sql.files.openCostInBytes": "128m",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


def dataframe(spark, rows, folder, size=500):
    for start in range(0, len(rows), size):
        parquet.write_table(pa.Table.from_pylist(rows[start : start + size]), folder / f"{start:06}.parquet")
    return spark.read.parquet(str(folder))


def written(answers, folder):
    """The answers, by way of files, as a real job leaves them."""
    answers.write.parquet(str(folder / "answers"))
    return parquet.read_table(folder / "answers")


def executor():
    """The number of the process that started this task's: the worker's parent is Spark's daemon, whose parent is Java's."""
    parent = os.getppid()
    status = Path(f"/proc/{parent}/stat").read_text()
    java = int(status.rsplit(")", 1)[1].split()[1])
    assert Path(f"/proc/{java}/comm").read_text().strip() == "java"
    return java


def killed(batches, once, victim, task, **settings):
    """The task; its executor is killed once, with a batch answered and not yet handed over."""
    once = Path(once)
    (once / f"executor-{executor()}").touch()
    for answers in task(batches, **settings):
        if victim in answers.column("id").to_pylist() and not (once / "killed").exists():
            (once / "killed").touch()
            os.kill(executor(), signal.SIGKILL)
        yield answers


def test_an_executor_that_is_killed_half_way_loses_and_doubles_nothing(
    spark, monkeypatch, rows, compare, once, tmp_path
):
    (tmp_path / "rows").mkdir()
    frame = dataframe(spark, rows, tmp_path / "rows")
    assert frame.rdd.getNumPartitions() >= len(rows) // 500
    victim = partial(killed, once=str(once), victim=rows[len(rows) // 2]["id"], task=blockspan.spark._task)
    monkeypatch.setattr(blockspan.spark, "_task", victim)
    compare(written(blockspan.spark.answer(frame, keep=["id"]), tmp_path))
    assert (once / "killed").exists()
    assert len(list(once.glob("executor-*"))) >= 2


def test_a_model_that_travels_is_written_once(spark, rows, compare, shipped, model_file, tmp_path):
    rows = rows[:60]
    (tmp_path / "rows").mkdir()
    frame = dataframe(spark, rows, tmp_path / "rows", 20)
    compare(written(blockspan.spark.answer(frame, model_file, keep=["id"], broadcast=True), tmp_path), rows)
    assert shipped.read_bytes() == model_file.read_bytes()
    assert [file.name for file in shipped.parent.glob(f"{shipped.stem}*")] == [shipped.name]


def test_columns_of_any_name_and_type_stay(spark):
    frame = spark.sql("SELECT 'When was it built?' AS `a.question`, 'It was built in 1862.' AS c, array(1, 2) AS `x.y`")
    answers = blockspan.spark.answer(frame, question="a.question", context="c", keep=["x.y", "c"])
    assert answers.columns == ["x.y", "c", "answer", "start", "end", "score", "null_diff", "error"]
    [row] = answers.collect()
    assert (row["x.y"], row["answer"], row["start"], row["error"]) == ([1, 2], "1862", 16, None)


def test_what_cannot_be_is_refused_before_anything_runs(spark, tmp_path):
    frame = spark.createDataFrame([("What?", "A text.", 1.0)], ["question", "context", "score"])
    with pytest.raises(blockspan.InputError, match="^the input has a column 'score', as the answers have; "):
        blockspan.spark.answer(frame)
    with pytest.raises(blockspan.InputError, match="^keep names the column 'id', which is not there; "):
        blockspan.spark.answer(frame, keep=["id"])
    with pytest.raises(blockspan.InputError, match="^the data frame has no column 'text'; there are: question, context"):
        blockspan.spark.answer(frame, context="text", keep=[])
    with pytest.raises(TypeError, match="unexpected keyword argument 'top_k'"):
        blockspan.spark.answer(frame, keep=[], top_k=2)
    with pytest.raises(blockspan.InputError, match="^broadcast sends a model's file; give its path"):
        blockspan.spark.answer(frame, keep=[], broadcast=True)


def test_what_travels_is_the_path():
    names = ["id", "question", "context"]
    settings = {"names": names, "question": "question", "context": "context", "keep": ["id"], "options": {}}
    task = partial(blockspan.spark._task, model="/models/my.bspan", **settings)
    assert len(pickle.dumps(task)) < 300


def test_the_readmes_examples(spark, rows, compare, readmes, tmp_path):
    rows = rows[:20]
    (tmp_path / "questions").mkdir()
    dataframe(spark, rows, tmp_path / "questions")
    for example, answers in readmes("import blockspan.spark", tmp_path):
        exec(example, {"spark": spark})
        compare(parquet.read_table(answers), rows)
