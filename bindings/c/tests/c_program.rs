//! `bindings/c/examples/ask.c`, compiled and linked in both ways, answers as the engine does, and with many threads
//! at a time on one model.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use blockspan_engine::{AlignedBytes, Answer, AnswerOptions, Model, Outcome, Session};

const QUESTIONS: [&str; 6] = [
    "Which instruction sets give the same logits?",
    "What does the appliance get?",
    "Where does the trainer run?",
    "What is specified byte by byte?",
    "How much of the encoder's weights are zero?",
    "Wie heißt die Straße?",
];

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where Cargo put the libraries for this test.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// A passage of several windows with characters of one to four bytes.
fn passage() -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    format!("{readme}\nEs war in der Schöffenstraße 7, café 𝔸-Süd.\n").repeat(2)
}

/// Compiles a C file of `examples/`, with every warning an error, and links it with `link`.
fn compile(name: &str, link: &[&str], out: &Path) {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler)
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-I"])
        .arg(root().join("bindings/c/include"))
        .arg(root().join("appliance/examples").join(name))
        .args(link)
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(out)
        .output()
        .expect("a C compiler is needed, as `cc` or as $CC");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

fn compile_static(directory: &Path) -> PathBuf {
    let program = directory.join("ask-static");
    compile("ask.c", &[libraries().join("libblockspan.a").to_str().unwrap()], &program);
    program
}

fn compile_shared(directory: &Path) -> PathBuf {
    let (program, libraries) = (directory.join("ask-shared"), libraries());
    let libraries = libraries.to_str().unwrap();
    let rpath = format!("-Wl,-rpath,{libraries}");
    // By its whole name: the static library lies in the same folder.
    compile("ask.c", &["-L", libraries, "-l:libblockspan.so", &rpath], &program);
    program
}

fn ask(program: &Path, model: &Path, passage: &Path, questions: &[&str]) -> Output {
    let mut command = Command::new(program);
    // Cargo's own path may begin with a folder where an older build left its library.
    command.env("LD_LIBRARY_PATH", libraries());
    command.arg(model).arg(passage).args(questions).output().unwrap()
}

/// A line that the program prints, without the text.
fn line(answer: &Answer, outcome: &Outcome) -> [u64; 8] {
    let float = |x: f32| u64::from(x.to_bits());
    [
        answer.start as u64,
        answer.end as u64,
        answer.start_char as u64,
        answer.end_char as u64,
        float(answer.score),
        float(answer.start_logit),
        float(answer.end_logit),
        float(outcome.null_diff),
    ]
}

#[test]
fn the_c_program_answers_as_the_engine_does() {
    let directory = tempfile::tempdir().unwrap();
    let model_path = root().join("fixtures/default.bspan");
    let passage = passage();
    let passage_path = directory.path().join("passage.txt");
    std::fs::write(&passage_path, &passage).unwrap();

    let file = AlignedBytes::read_file(&model_path).unwrap();
    let model = Model::parse(&file).unwrap();
    let mut workspace = vec![0; model.workspace_len(model.config().max_seq_len, 1)];
    let mut session = Session::new(&model, &mut workspace).unwrap();
    let expected = QUESTIONS.map(|question| {
        let mut best = [Answer::default()];
        let outcome = session.answer(question, &passage, &AnswerOptions::default(), &mut best).unwrap();
        assert!(outcome.windows > 1);
        (line(&best[0], &outcome), passage[best[0].start..best[0].end].to_owned())
    });

    for program in [compile_static(directory.path()), compile_shared(directory.path())] {
        let output = ask(&program, &model_path, &passage_path, &QUESTIONS);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut rest = core::str::from_utf8(&output.stdout).unwrap();
        for (fields, text) in &expected {
            let printed: Vec<&str> = rest.splitn(9, '\t').collect();
            let number = |i: usize| printed[i].parse::<u64>().unwrap();
            // Nine digits bring back every f32.
            let float = |i: usize| u64::from(printed[i].parse::<f32>().unwrap().to_bits());
            let got = [number(0), number(1), number(2), number(3), float(4), float(5), float(6), float(7)];
            assert_eq!(&got, fields);
            rest = printed[8].strip_prefix(text.as_str()).unwrap().strip_prefix('\n').unwrap();
        }
        assert_eq!(rest, "");
    }
}

#[test]
fn the_c_program_tells_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile_static(directory.path());
    let model = root().join("fixtures/default.bspan");
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let text = file("text", b"The tower is 300 m high.");
    let latin = file("latin", b"caf\xe9");
    let empty = file("empty", b"");
    let mut bytes = std::fs::read(&model).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    let damaged = file("damaged.bspan", &bytes);
    let short = file("short.bspan", &bytes[..1_000_000]);
    let long = "how ".repeat(400);
    let cases = [
        (&model, &latin, "How high?", "passage is not UTF-8 at byte 3"),
        (&model, &empty, "How high?", "the passage is empty"),
        (&model, &text, "", "the question is empty"),
        (&model, &text, long.as_str(), "the question has 400 tokens"),
        (&damaged, &text, "How high?", "damaged.bspan: damaged section qa_outputs"),
        (&short, &text, "How high?", "short.bspan: 1000000 bytes where"),
        (&text, &text, "How high?", "text: not a .bspan model"),
        (&empty, &text, "How high?", "empty: not a .bspan model"),
        (&directory.path().join("none"), &text, "How high?", "none: cannot open the model"),
    ];
    for (model, passage, question, expected) in cases {
        let output = ask(&program, model, passage, &[question]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{expected}: {stderr}");
        assert!(stderr.contains(expected) && stderr.lines().count() == 1, "{expected}: {stderr}");
    }
    // What can be answered is, and the others do not stop it.
    let output = ask(&program, &model, &text, &["How high is the tower?", ""]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
}
