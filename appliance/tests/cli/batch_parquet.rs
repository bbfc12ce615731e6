//! `blockspan batch` on Parquet; without the feature, the word that it is missing.

use crate::common::{TempFile, assert_refused, blockspan};

#[cfg(not(feature = "parquet"))]
#[test]
fn a_command_without_parquet_says_so() {
    let file = TempFile::new("questions.parquet", b"PAR1");
    let refused = |args: &[&str]| {
        let parts = ["without the feature parquet; build it with --features parquet, or save"];
        assert_refused(&blockspan(&[&["batch"], args].concat()).output().unwrap(), &parts);
    };
    refused(&[file.name()]);
    refused(&["-", "--format", "parquet"]);
}

#[cfg(feature = "parquet")]
mod with_the_feature {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use serde_json::{Value, json};

    use super::{TempFile, assert_refused, blockspan};
    use crate::batch::{lines, questions};
    use crate::common::stdout;

    /// A file that pyarrow or polars wrote (parquet/make.py).
    fn committed(name: &str) -> String {
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/parquet/").to_owned() + name
    }

    fn run(args: &[&str]) -> (Option<i32>, Vec<Value>) {
        let output = blockspan(&[&["batch"], args].concat()).output().unwrap();
        (output.status.code(), lines(&String::from_utf8(output.stdout).unwrap()))
    }

    fn from_lines(text: &str) -> Vec<Value> {
        run(&[TempFile::new("lines.jsonl", text.as_bytes()).name()]).1
    }

    /// All lines are equal; else the first that differ are shown.
    #[track_caller]
    fn same(found: (Option<i32>, &[Value]), expected: (Option<i32>, &[Value])) {
        let first = found.1.iter().zip(expected.1).find(|(found, expected)| found != expected);
        assert_eq!(first, None);
        assert_eq!((found.0, found.1.len()), (expected.0, expected.1.len()));
    }

    /// Rows of id, question and context, so many in each group.
    fn write(path: &Path, rows: &[(i64, &[u8], &[u8])], group: usize) {
        let schema = "message rows { required int64 id; required binary question (UTF8); required binary context (UTF8); }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let file = fs::File::create(path).unwrap();
        let mut file =
            SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::default())).unwrap();
        for rows in rows.chunks(group) {
            let mut group = file.next_row_group().unwrap();
            let mut ids = group.next_column().unwrap().unwrap();
            let numbers: Vec<i64> = rows.iter().map(|row| row.0).collect();
            ids.typed::<Int64Type>().write_batch(&numbers, None, None).unwrap();
            ids.close().unwrap();
            for text in
                [|row: &(i64, &[u8], &[u8])| row.1.to_vec(), |row: &(i64, &[u8], &[u8])| row.2.to_vec()]
            {
                let texts: Vec<ByteArray> = rows.iter().map(|row| text(row).into()).collect();
                let mut column = group.next_column().unwrap().unwrap();
                column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
                column.close().unwrap();
            }
            group.close().unwrap();
        }
        file.close().unwrap();
    }

    /// The questions of the other tests, as a file of three groups.
    fn many(file: &TempFile, count: usize) -> PathBuf {
        let questions = lines(&questions(count));
        let texts: Vec<(String, String)> = questions
            .iter()
            .map(|question| {
                let text = |name: &str| question[name].as_str().unwrap().to_owned();
                (text("question"), text("context"))
            })
            .collect();
        let rows: Vec<(i64, &[u8], &[u8])> = (0..)
            .zip(&texts)
            .map(|(id, (question, context))| (id, question.as_bytes(), context.as_bytes()))
            .collect();
        let path = file.directory.path().join("questions.parquet");
        write(&path, &rows, count.div_ceil(3));
        path
    }

    #[test]
    fn rows_give_the_answers_of_lines_whatever_the_size_of_their_groups() {
        let file = TempFile::new("none", b"");
        let path = many(&file, 80);
        let (status, answers) = run(&[path.to_str().unwrap()]);
        let mut expected = from_lines(&questions(80));
        for (id, line) in expected.iter_mut().enumerate() {
            line["id"] = id.into();
        }
        same((status, &answers), (Some(0), &expected));
    }

    #[test]
    fn a_table_of_another_program_is_read_by_the_names_of_its_columns() {
        let (status, answers) = run(&[&committed("table.parquet")]);
        assert_eq!(status, Some(3));
        let texts: Vec<_> =
            answers.iter().map(|answer| (&answer["id"], &answer["answers"][0]["text"])).collect();
        let (q1, q2, q4) = (json!("q1"), json!("q2"), json!("q4"));
        assert_eq!((texts[0], texts[1].0, texts[3].0), ((&q1, &json!("1862")), &q2, &q4));
        let error = json!({"line": 3, "id": "q3", "error": "question is missing; give the question's text"});
        assert_eq!(answers[2], error);
        // The file's name may say nothing.
        let file = TempFile::new("table.data", &fs::read(committed("table.parquet")).unwrap());
        let named = run(&[file.name(), "--format", "parquet"]);
        same((named.0, &named.1), (status, &answers));
    }

    #[test]
    fn documents_have_their_ids_and_their_meta_under_the_usual_compressions() {
        let lighthouse =
            "The lighthouse on Gannet Point was built in 1862 and stands 31 metres above the rocks.";
        let bakery = "The bakery opens at nine in the morning.";
        let meta = json!({"page": 3, "tags": ["coast", "tower"]});
        let first =
            json!([{"id": "bakery", "text": bakery}, {"id": "lighthouse", "text": lighthouse, "meta": meta}]);
        let one = json!({"id": 1, "question": "When was the lighthouse built?", "documents": first});
        let two = json!({"id": 2, "question": "When does the bakery open?", "documents": [{"text": bakery}]});
        let expected = from_lines(&format!("{one}\n{two}\n"));
        assert_eq!(expected[0]["answers"][0]["meta"], meta);
        for compression in ["uncompressed", "snappy", "gzip", "zstd", "lz4"] {
            let (status, answers) = run(&[&committed(&format!("documents-{compression}.parquet"))]);
            same((status, &answers), (Some(0), &expected));
        }
        let brotli = blockspan(&["batch", &committed("documents-brotli.parquet")]).output().unwrap();
        let parts =
            ["compressed with brotli, which is not built in; take zstd or snappy", "write the file again"];
        assert_refused(&brotli, &parts);
    }

    #[test]
    fn bytes_are_texts_if_they_are_utf8() {
        let (status, answers) = run(&[&committed("binary.parquet")]);
        assert_eq!(
            (status, &answers[0]["id"], &answers[0]["answers"][0]["text"]),
            (Some(3), &json!(7), &json!("1862"))
        );
        let error = json!({"line": 2, "id": null, "error": "question is not UTF-8; write it as a text"});
        assert_eq!(answers[1], error);
    }

    #[test]
    fn an_interrupted_run_goes_on() {
        let file = TempFile::new("none", b"");
        let path = many(&file, 30);
        let out = file.directory.path().join("answers.jsonl");
        let partial = file.directory.path().join("answers.jsonl.partial");
        let batch = |more: &[&str]| {
            let mut command = blockspan(&["batch", path.to_str().unwrap(), "--out"]);
            command.arg(&out).args(more);
            stdout(&command.output().unwrap())
        };
        batch(&[]);
        let expected = fs::read(&out).unwrap();
        for cut in [1, expected.len() / 3, expected.len() / 2, expected.len() - 1] {
            fs::remove_file(&out).unwrap();
            fs::write(&partial, &expected[..cut]).unwrap();
            batch(&["--resume"]);
            assert_eq!(fs::read(&out).unwrap(), expected, "cut at byte {cut}");
        }
        batch(&["--resume"]);
        assert_eq!(fs::read(&out).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let whole = fs::read(committed("table.parquet")).unwrap();
        let refused = |bytes: &[u8], parts: &[&str]| {
            let file = TempFile::new("questions.parquet", bytes);
            assert_refused(&blockspan(&["batch", file.name()]).output().unwrap(), parts);
        };
        refused(b"", &["questions.parquet", "write the file again"]);
        refused(b"{\"question\": 1}", &["questions.parquet", "write the file again"]);
        refused(&whole[..whole.len() / 2], &["questions.parquet", "write the file again"]);
        let output = blockspan(&["batch", "-", "--format", "parquet"]).output().unwrap();
        assert_refused(&output, &["standard input", "read from its end; save it as a file"]);
        let file = TempFile::new("none", b"");
        let path = file.directory.path().join("other.parquet");
        let schema =
            Arc::new(parse_message_type("message m { required int64 id; required int64 size; }").unwrap());
        let other =
            SerializedFileWriter::new(fs::File::create(&path).unwrap(), schema, Arc::default()).unwrap();
        other.close().unwrap();
        let output = blockspan(&["batch", path.to_str().unwrap()]).output().unwrap();
        assert_refused(&output, &["the columns are id, size; name columns question, and context"]);
    }

    /// Whatever the damage, the command ends by itself: with answers, with records of errors, or with one line.
    #[test]
    fn damage_is_no_panic() {
        let mut seed = 7u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize
        };
        for name in ["table.parquet", "documents-zstd.parquet", "binary.parquet"] {
            let whole = fs::read(committed(name)).unwrap();
            for _ in 0..40 {
                let mut bytes = whole.clone();
                for _ in 0..=next() % 3 {
                    let at = next() % bytes.len();
                    bytes[at] = (next() % 256) as u8;
                }
                let file = TempFile::new("damaged.parquet", &bytes);
                let output = blockspan(&["batch", file.name()]).output().unwrap();
                let stderr = String::from_utf8(output.stderr).unwrap();
                assert!(matches!(output.status.code(), Some(0 | 2 | 3)), "{:?} {stderr}", output.status);
                assert!(!stderr.contains("panicked"), "{stderr}");
                assert!(stderr.lines().count() <= 1, "{stderr}");
            }
        }
    }
}
