"""`Model.answer_batch` with the batches of pyarrow and polars, in each layout that texts have there."""

from pathlib import Path

import blockspan
import pytest

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")

COLUMNS = ["answer", "start", "end", "score", "null_diff", "error"]


@pytest.fixture(scope="module")
def pairs(selftest):
    return [(asked["question"], asked["context"]) for asked, _ in selftest] * 2


@pytest.fixture(scope="module")
def expected(model, pairs):
    rows = []
    for pair in pairs:
        [answer] = model.answer(*pair)
        rows.append(dict(zip(COLUMNS, [answer.text, answer.start, answer.end, answer.score, answer.null_diff, None])))
    return rows


def rows(answers):
    return pa.record_batch(answers).to_pylist()


def batch(pairs, kind=None, names=("question", "context")):
    columns = [pa.array([pair[at] for pair in pairs], pa.string()) for at in range(2)]
    return pa.record_batch([column.cast(kind) if kind else column for column in columns], names=list(names))


def test_answers_are_those_of_one_at_a_time(model, pairs, expected):
    answers = model.answer_batch(batch(pairs))
    assert repr(answers) == f"blockspan.RecordBatch(num_rows=16, column_names={COLUMNS})".replace("'", '"')
    assert (len(answers), answers.num_rows, answers.column_names) == (16, 16, COLUMNS)
    assert rows(answers) == expected
    types = [pa.large_string(), pa.int64(), pa.int64(), pa.float32(), pa.float32(), pa.large_string()]
    assert pa.schema(answers) == pa.schema(list(zip(COLUMNS, types)))
    pa.record_batch(answers).validate(full=True)


@pytest.mark.parametrize(
    "kind",
    [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.uint32(), pa.large_string())],
    ids=str,
)
def test_every_layout_of_texts(model, pairs, expected, kind):
    assert rows(model.answer_batch(batch(pairs, kind))) == expected
    # A slice begins within the buffers.
    assert rows(model.answer_batch(batch(pairs, kind).slice(3, 5))) == expected[3:8]


def test_tables_streams_and_arrays_of_structs(model, pairs, expected):
    whole = batch(pairs)
    table = pa.Table.from_batches([whole.slice(0, 5), whole.slice(5, 0), whole.slice(5, 11)])
    for source in [table, table.to_reader(), whole.to_struct_array(), pa.chunked_array([whole.to_struct_array()] )]:
        assert rows(model.answer_batch(source)) == expected


def test_polars_in_and_out(model, pairs, expected):
    frame = pl.DataFrame({"question": [pair[0] for pair in pairs], "context": [pair[1] for pair in pairs]})
    categories = frame.with_columns(pl.col("context").cast(pl.Categorical))
    for source in [frame, categories, pl.concat([frame[:4], frame[4:]], rechunk=False)]:
        assert pl.DataFrame(model.answer_batch(source)).to_dicts() == expected


def test_duckdb_in(model, pairs, expected):
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    connection.register("asked", pa.table(batch(pairs)))
    assert rows(model.answer_batch(connection.sql("SELECT context, question FROM asked"))) == expected


def test_arro3_in_and_out(model, pairs, expected):
    arro3 = pytest.importorskip("arro3.core")
    for source in [arro3.RecordBatch.from_arrow(batch(pairs)), arro3.Table.from_arrow(pa.table(batch(pairs)))]:
        answers = arro3.RecordBatch.from_arrow(model.answer_batch(source))
        assert answers.schema.names == COLUMNS
        assert pa.record_batch(answers).to_pylist() == expected


def test_a_bad_row_is_a_value_and_the_others_go_on(model):
    good = ("When was it built?", "It was built in 1862.")
    bad = [("", "A text."), ("What?", " "), (None, "A text."), ("What?", None), ("word " * 500, "A text.")]
    found = rows(model.answer_batch(batch([good, *bad, good])))
    assert found[0] == found[-1] and (found[0]["answer"], found[0]["error"]) == ("1862", None)
    starts = [
        "the question is empty; ask something",
        "the passage is empty; give a text to find the answer in",
        "the question is null; give a text",
        "the context is null; give a text",
        "the question has 500 tokens, at most ",
    ]
    for row, start in zip(found[1:-1], starts):
        assert row["error"].startswith(start)
        assert [row[name] for name in COLUMNS[:-1]] == [None] * 5


def test_nulls_of_dictionaries_and_of_no_type(model):
    question = pa.array(["When was it built?"] * 3)
    context = pa.DictionaryArray.from_arrays(
        pa.array([0, None, 1], pa.int32()), pa.array(["It was built in 1862.", None], pa.string())
    )
    found = rows(model.answer_batch(pa.record_batch([question, context], names=["question", "context"])))
    assert [row["answer"] for row in found] == ["1862", None, None]
    assert [row["error"] for row in found] == [None] + ["the context is null; give a text"] * 2
    empty = pa.DictionaryArray.from_arrays(pa.array([None] * 3, pa.int32()), pa.array([], pa.string()))
    for nothing in [empty, pa.nulls(3)]:
        found = rows(model.answer_batch(pa.record_batch([question, nothing], names=["question", "context"])))
        assert [row["error"] for row in found] == ["the context is null; give a text"] * 3


def test_no_rows(model):
    assert rows(model.answer_batch(batch([]))) == []
    assert rows(model.answer_batch(batch([]).schema.empty_table())) == []


def test_options_and_names(model, pairs, expected):
    other = batch(pairs, names=("frage", "text"))
    assert rows(model.answer_batch(other, "frage", context="text")) == expected
    withheld = rows(model.answer_batch(batch(pairs[:1]), null_threshold=-1000))
    assert (withheld[0]["answer"], withheld[0]["error"]) == (None, None)
    assert withheld[0]["null_diff"] == expected[0]["null_diff"]
    for option, message in [
        ({"n_best": 65}, "n_best must be 1 to 64"),
        ({"max_answer_len": -1}, "max_answer_len must not be negative"),
        ({"max_seq_len": 7}, "windows of 7 tokens do not work here; use 8 to 384"),
    ]:
        with pytest.raises(blockspan.InputError, match=f"^{message}$"):
            model.answer_batch(batch(pairs), **option)


def test_what_is_no_batch(model, pairs):
    with pytest.raises(blockspan.InputError, match="^the batch has no column 'frage'; it has: question, context$"):
        model.answer_batch(batch(pairs), question="frage")
    numbers = pa.record_batch([pa.array([1]), pa.array(["A text."])], names=["question", "context"])
    with pytest.raises(blockspan.InputError, match="^column 'question' holds Int64, not texts; cast it to a string type$"):
        model.answer_batch(numbers)
    with pytest.raises(blockspan.InputError, match="^the batch is an array of Int64; give a record batch"):
        model.answer_batch(pa.array([1, 2]))
    structs = pa.array([{"question": "What?", "context": "A text."}, None])
    with pytest.raises(blockspan.InputError, match="^the batch has rows that are null as a whole; "):
        model.answer_batch(structs)
    for nothing in [None, "text", [("What?", "A text.")]]:
        with pytest.raises(TypeError, match=f"{type(nothing).__name__} has neither$"):
            model.answer_batch(nothing)


def test_a_text_that_is_not_utf8_is_its_rows_error(model):
    good = "It was built in 1862."
    size = len(good)
    for kind, offsets in [(pa.string(), pa.int32()), (pa.large_string(), pa.int64())]:
        places = pa.array([0, size, size + 2, 2 * size + 2], offsets).buffers()[1]
        data = pa.py_buffer(good.encode() + b"\xc3\xff" + good.encode())
        broken = pa.Array.from_buffers(kind, 3, [None, places, data])
        values = pa.Array.from_buffers(kind, 3, [None, places, data])
        for context in [broken, pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), values)]:
            table = pa.record_batch([pa.array(["When was it built?"] * 3), context], names=["question", "context"])
            found = rows(model.answer_batch(table))
            assert [row["answer"] for row in found] == ["1862", None, "1862"]
            error = "the context is not UTF-8 at byte 0; convert it, for example with iconv -t UTF-8"
            assert [row["error"] for row in found] == [None, error, None]
    views = pa.array([good.encode(), b"ab\xff"], pa.binary()).cast(pa.binary_view())
    views = pa.Array.from_buffers(pa.string_view(), 2, views.buffers())
    table = pa.record_batch([views, pa.array(["A text."] * 2)], names=["question", "context"])
    assert [row["error"] and row["error"][:39] for row in rows(model.answer_batch(table))] == [
        None,
        "the question is not UTF-8 at byte 2; co",
    ]


def test_offsets_and_keys_that_lead_outside_are_refused(model):
    data = pa.py_buffer(b"A text.")
    offsets = pa.array([0, 7, 3], pa.int32()).buffers()[1]
    backwards = pa.Array.from_buffers(pa.string(), 2, [None, offsets, data])
    keys = pa.array([0, 5], pa.int32())
    outside = pa.DictionaryArray.from_arrays(keys, pa.array(["A text."]), safe=False)
    for context in [backwards, outside]:
        with pytest.raises(blockspan.InputError, match="^column 'context' is damaged: "):
            model.answer_batch(pa.record_batch([pa.array(["What?"] * 2), context], names=["question", "context"]))


def test_a_stream_that_fails(model, pairs):
    def batches():
        yield batch(pairs[:2])
        raise OSError("the network is gone")

    reader = pa.RecordBatchReader.from_batches(batch(pairs).schema, batches())
    with pytest.raises(RuntimeError, match="^the batch ends early: .*the network is gone"):
        model.answer_batch(reader)


def test_a_stream_is_let_go_of_as_it_is_read(model, pairs):
    size, whole = 4 << 20, batch(pairs[:1])
    held = []

    def batches():
        for _ in range(30):
            yield whole.append_column("other", pa.array([b"x" * size], pa.binary()))
            held.append(pa.total_allocated_bytes())

    before = pa.total_allocated_bytes()
    schema = whole.schema.append(pa.field("other", pa.binary()))
    assert len(model.answer_batch(pa.RecordBatchReader.from_batches(schema, batches()))) == 30
    # That at hand, the next one, and what its making takes.
    assert len(held) == 30 and max(held) - before < 6 * size


def test_an_export_that_was_taken_is_refused(model, pairs):
    class Once:
        capsules = batch(pairs).__arrow_c_array__()

        def __arrow_c_array__(self, requested_schema=None):
            return self.capsules

    once = Once()
    assert len(model.answer_batch(once)) == 16
    with pytest.raises(blockspan.InputError, match="^the batch has been used already; export it again$"):
        model.answer_batch(once)


def test_answers_outlive_what_made_them(pairs, expected):
    answers = blockspan.Model(sessions=1).answer_batch(batch(pairs))
    table = pa.table(answers)
    again = [pa.record_batch(answers), pa.record_batch(answers)]
    del answers
    assert table.to_pylist() == expected == again[0].to_pylist() == again[1].to_pylist()


def test_the_readmes_example(model, pairs, expected, tmp_path, monkeypatch):
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    example = readme.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    pl.DataFrame(batch(pairs)).write_parquet("questions.parquet")
    space = {"model": model}
    exec(example, space)
    assert space["answers"].to_dicts() == expected
