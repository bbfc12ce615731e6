#!/usr/bin/env python3
"""Writes the files of this folder, as pyarrow 26.0.1 and polars 2.1.0 write them.

    pip install pyarrow==26.0.1 polars==2.1.0 && python3 make.py
"""

from pathlib import Path

import polars
import pyarrow
import pyarrow.parquet

HERE = Path(__file__).parent
LIGHTHOUSE = "The lighthouse on Gannet Point was built in 1862 and stands 31 metres above the rocks."
BAKERY = "The bakery opens at nine in the morning."

# As a table of a data set: other columns, a dictionary, long strings, several row groups, a null.
questions = ["When was the lighthouse built?", "How high is the lighthouse?", None, "When does the bakery open?"]
table = pyarrow.table({
    "title": pyarrow.array(["a", "b", "c", "d"]),
    "ID": pyarrow.array(["q1", "q2", "q3", "q4"]),
    "Question": pyarrow.array(questions, pyarrow.large_string()),
    "context": pyarrow.array([LIGHTHOUSE, LIGHTHOUSE, LIGHTHOUSE, BAKERY]).dictionary_encode(),
    "answers": pyarrow.array([[{"text": "1862", "answer_start": 44}], [], None, []]),
})
pyarrow.parquet.write_table(table, HERE / "table.parquet", row_group_size=3)

# Documents, and bytes that nobody calls a text; each compression once.
frame = polars.DataFrame({
    "id": [1, 2],
    "question": ["When was the lighthouse built?", "When does the bakery open?"],
    "documents": [
        [
            {"id": "bakery", "text": BAKERY, "meta": None},
            {"id": "lighthouse", "text": LIGHTHOUSE, "meta": {"page": 3, "tags": ["coast", "tower"]}},
        ],
        [{"id": None, "text": BAKERY, "meta": None}],
    ],
})
# The command refuses brotli.
for compression in ["uncompressed", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    # polars calls by this name what the format calls LZ4_RAW.
    frame.write_parquet(HERE / f"documents-{compression}.parquet", compression=compression)

# What a later writer may do otherwise: pages of version 2, bytes in place of texts, an encoding by differences.
binary = pyarrow.table({
    "question": pyarrow.array([b"When was the lighthouse built?", b"\xff"], pyarrow.binary()),
    "context": pyarrow.array([LIGHTHOUSE.encode()] * 2, pyarrow.binary()),
    "id": pyarrow.array([7, 8], pyarrow.uint16()),
})
pyarrow.parquet.write_table(
    binary,
    HERE / "binary.parquet",
    data_page_version="2.0",
    use_dictionary=False,
    column_encoding={"question": "DELTA_BYTE_ARRAY", "context": "DELTA_LENGTH_BYTE_ARRAY", "id": "DELTA_BINARY_PACKED"},
)
