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

/// Compiles a C file, with every warning an error, and links it with `link`.
fn compile(source: &Path, link: &[&str], out: &Path) {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler)
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-I"])
        .arg(root().join("bindings/c/include"))
        .arg(source)
        .args(link)
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(out)
        .output()
        .expect("a C compiler is needed, as `cc` or as $CC");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

fn example() -> PathBuf {
    root().join("bindings/c/examples/ask.c")
}

fn compile_static(directory: &Path) -> PathBuf {
    let program = directory.join("ask-static");
    compile(&example(), &[libraries().join("libblockspan.a").to_str().unwrap()], &program);
    program
}

/// Installs the libraries that Cargo built for this test: the prefix.
#[cfg(target_os = "linux")]
fn install(directory: &Path) -> PathBuf {
    let prefix = directory.join("prefix");
    let output = Command::new(root().join("bindings/c/install.sh"))
        .arg("--prefix")
        .arg(&prefix)
        .arg("--libraries")
        .arg(libraries())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    prefix
}

/// Links `source` with the shared library as installed.
#[cfg(target_os = "linux")]
fn compile_shared(source: &Path, directory: &Path, out: &Path) {
    let libraries = directory.join("lib");
    let libraries = libraries.to_str().unwrap();
    let rpath = format!("-Wl,-rpath,{libraries}");
    // By its whole name: the static library lies in the same folder.
    compile(source, &["-L", libraries, "-l:libblockspan.so", &rpath], out);
}

fn ask(program: &Path, model: &Path, passage: &Path, questions: &[&str]) -> Output {
    let mut command = Command::new(program);
    // What Cargo sets would hide that a program finds the library where it was installed.
    command.env_remove("LD_LIBRARY_PATH");
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

    let mut programs = vec![compile_static(directory.path())];
    #[cfg(target_os = "linux")]
    {
        let program = directory.path().join("ask-shared");
        compile_shared(&example(), &install(directory.path()), &program);
        programs.push(program);
    }
    for program in programs {
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
        (&directory.path().to_owned(), &text, "How high?", "not a regular file"),
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

/// README.md once showed questions that the default model answers with nonsense.
#[test]
fn the_readme_shows_what_the_example_prints() {
    let readme = std::fs::read_to_string(root().join("bindings/c/README.md")).unwrap();
    let block = |name: &str| {
        let (_, after) = readme.split_once(&format!("<!-- ci: {name} -->\n```")).unwrap();
        after.split_once('\n').unwrap().1.split_once("```").unwrap().0
    };
    let command = block("c-ask");
    let questions: Vec<&str> = command.split('"').skip(1).step_by(2).collect();
    for place in ["./ask fixtures/default.bspan bindings/c/examples/lighthouse.txt", "| cut -f 1,2,9"] {
        assert!(command.contains(place), "{command}");
    }
    let directory = tempfile::tempdir().unwrap();
    let passage = root().join("bindings/c/examples/lighthouse.txt");
    let model = root().join("fixtures/default.bspan");
    let output = ask(&compile_static(directory.path()), &model, &passage, &questions);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed: Vec<String> = core::str::from_utf8(&output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            [fields[0], fields[1], fields[8]].join("\t")
        })
        .collect();
    assert_eq!(printed, block("c-ask-output").lines().collect::<Vec<_>>());
}

/// A program compiled with this header and linked with this library sees one version; and it finds a later library of
/// the same SONAME, for it once asked for the library at the path that it was linked by.
#[cfg(target_os = "linux")]
#[test]
fn a_program_finds_the_installed_library_by_its_soname() {
    let directory = tempfile::tempdir().unwrap();
    let (source, program) = (directory.path().join("version.c"), directory.path().join("version"));
    let code = r#"
        #include <stdio.h>
        #include "blockspan.h"
        #if BLOCKSPAN_VERSION_MAJOR == 0 && BLOCKSPAN_VERSION_MINOR < 1
        #error "an older header"
        #endif
        int main(void) {
            printf("%d.%d.%d %s %s\n", BLOCKSPAN_VERSION_MAJOR, BLOCKSPAN_VERSION_MINOR, BLOCKSPAN_VERSION_PATCH,
                   BLOCKSPAN_VERSION_STRING, blockspan_version());
            return 0;
        }"#;
    std::fs::write(&source, code).unwrap();
    let prefix = install(directory.path());
    compile_shared(&source, &prefix, &program);
    let run = || Command::new(&program).env_remove("LD_LIBRARY_PATH").output().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let output = run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{version} {version} {version}\n"));

    // The name for the linker is not needed to run, the SONAME is.
    std::fs::remove_file(prefix.join("lib/libblockspan.so")).unwrap();
    assert!(run().status.success());
    let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    let abi = if major == "0" { format!("0.{minor}") } else { major.to_owned() };
    std::fs::remove_file(prefix.join(format!("lib/libblockspan.so.{abi}"))).unwrap();
    assert!(!run().status.success(), "the program asks for another name than the SONAME");
}
