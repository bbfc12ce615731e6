"""What `cluster.py` measures, each in a process of its own: `python cluster_parts.py PART FOLDER ROWS WORKERS [ENGINE]`.

Prints one JSON object. FOLDER holds the rows as Parquet files. Times are those of `time.perf_counter`, in seconds."""

import json
import multiprocessing
import os
import sys
import time
from pathlib import Path


def tables(folder, rows):
    """The rows as tables of 250."""
    import pyarrow.parquet

    names = sorted(Path(folder).glob("*.parquet"))[: rows // 250]
    return [pyarrow.parquet.read_table(name) for name in names]


def stream(folder, rows, each=lambda: None):
    """The rows, which are in memory already, as a stream of batches of 250; `each` is called before every batch."""
    import pyarrow

    parts = tables(folder, rows)

    def batches():
        for part in parts:
            each()
            yield from part.to_batches()

    return pyarrow.RecordBatchReader.from_batches(parts[0].schema, batches())


def private():
    """Megabytes of this process that belong to no file."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no RssAnon in /proc/self/status")


def imported(folder, rows, workers):
    """How long `import blockspan` takes here, where Python has just started."""
    begin = time.perf_counter()
    import blockspan  # noqa: F401

    return {"seconds": time.perf_counter() - begin}


def answer_batch(folder, rows, workers):
    """`Model.answer_batch` on so many threads, and the memory meanwhile."""
    import blockspan

    model = blockspan.Model(sessions=workers)
    model.answer("When?", "It was built in 1862.")
    samples = []
    source = stream(folder, rows, lambda: samples.append(private()))
    begin = time.perf_counter()
    answers = model.answer_batch(source)
    seconds = time.perf_counter() - begin
    assert len(answers) == rows
    # The first batch sets allocators up.
    return {"seconds": seconds, "second_mb": samples[1], "last_mb": private(), "most_mb": max(samples)}


def _alone(job):
    """One process, one thread: its seconds for the rows of some files."""
    folder, rows, begin_at = job
    import blockspan

    model = blockspan.Model(sessions=1)
    model.answer("When?", "It was built in 1862.")
    source = stream(folder, rows)
    time.sleep(max(0, begin_at - time.time()))
    begin = time.perf_counter()
    assert len(model.answer_batch(source)) == rows
    return time.perf_counter() - begin


def alone(folder, rows, workers):
    """As many plain processes of one thread as there are workers, at the same time, each with all rows; and one by itself."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        one = pool.map(_alone, [(folder, rows, 0)], chunksize=1)
        begin_at = time.time() + 3
        several = pool.map(_alone, [(folder, rows, begin_at)] * workers, chunksize=1)
    return {"one": one[0], "several": several}


def ray(folder, rows, workers):
    """A job on Ray: the cluster's start, a job of a quarter of the rows, and one of all."""
    # Ray's workers yield to everything else by default.
    os.environ["RAY_worker_niceness"] = "0"
    begin = time.perf_counter()
    import blockspan.ray
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    start = time.perf_counter() - begin

    def job(rows):
        begin = time.perf_counter()
        dataset = ray.data.from_arrow(tables(folder, rows))
        answers = blockspan.ray.answer(dataset, keep=["id"], workers=workers, batch_size=250)
        count = sum(table.num_rows for table in answers.iter_batches(batch_format="pyarrow", batch_size=None))
        assert count == rows
        return time.perf_counter() - begin

    return {"start": start, "quarter": job(rows // 4), "all": job(rows)}


def spark(folder, rows, workers):
    """The same on Spark, with an executor of one core for each worker."""
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    begin = time.perf_counter()
    import blockspan.spark
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local-cluster[{workers},1,1024]")
    settings = {"ui.enabled": "false", "ui.showConsoleProgress": "false", "driver.bindAddress": "127.0.0.1", "driver.host": "127.0.0.1"}
    # A task for each file.
    settings |= {"driver.memory": "512m", "sql.files.openCostInBytes": "128m"}
    for name, value in settings.items():
        builder = builder.config(f"spark.{name}", value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    start = time.perf_counter() - begin

    def job(rows):
        begin = time.perf_counter()
        frame = session.read.parquet(*map(str, sorted(Path(folder).glob("*.parquet"))[: rows // 250]))
        table = blockspan.spark.answer(frame, keep=["id"]).toArrow()
        assert table.num_rows == rows
        return time.perf_counter() - begin

    # The first job starts the workers; what that costs is not in the second.
    first = job(250)
    times = {"start": start, "first": first, "quarter": job(rows // 4), "all": job(rows)}
    session.stop()
    return times


PARTS = {"import": imported, "answer_batch": answer_batch, "alone": alone, "ray": ray, "spark": spark}

if __name__ == "__main__":
    part, folder, rows, workers = sys.argv[1:5]
    print(json.dumps(PARTS[part](folder, int(rows), int(workers))))
