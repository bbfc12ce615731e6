//! What the command shows on a terminal, and nowhere else.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::batch::questions;
use crate::common::{PASSAGE, QUESTION, TempFile, blockspan, stdout};

/// Runs a command whose `place` gives it a terminal; returns what that shows, with the line ends of files.
fn on_terminal(mut command: Command, place: impl FnOnce(&mut Command, Stdio)) -> String {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let terminal = ioctl_tiocgptpeer(&screen, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    place(&mut command, terminal.into());
    let mut child = command.spawn().unwrap();
    // Its copy of the terminal.
    drop(command);
    let (mut screen, mut shown, mut piece) = (File::from(screen), Vec::new(), [0; 4096]);
    // When nobody has the terminal any more, a read is an error.
    while let Ok(read) = screen.read(&mut piece) {
        shown.extend_from_slice(&piece[..read]);
    }
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

fn ask(args: &[&str], no_color: Option<&str>) -> Command {
    let mut command = blockspan(&["ask", QUESTION, "--context", PASSAGE]);
    command.args(args).env_remove("NO_COLOR").stderr(Stdio::inherit());
    command.envs(no_color.map(|value| ("NO_COLOR", value)));
    command
}

#[test]
fn an_answer_is_in_color_on_a_terminal_unless_somebody_minds() {
    let shown = |args: &[&str], no_color| {
        on_terminal(ask(args, no_color), |command, terminal| {
            command.stdout(terminal);
        })
    };
    let piped = |args: &[&str], no_color| stdout(&ask(args, no_color).output().unwrap());
    let (plain, color) = (piped(&[], None), piped(&["--color", "always"], None));
    assert!(plain.contains("[1862]") && !plain.contains('\x1b'), "{plain}");
    assert!(color.contains("\x1b[1;4;32m1862\x1b[0m"), "{color}");

    assert_eq!(shown(&[], None), color);
    assert_eq!(shown(&["--color", "auto"], None), color);
    // An empty variable is none.
    assert_eq!(shown(&[], Some("")), color);
    assert_eq!(shown(&[], Some("1")), plain);
    assert_eq!(shown(&["--color", "never"], None), plain);
    assert_eq!(shown(&["--color", "always"], Some("1")), color);
    assert_eq!(piped(&["--color", "auto"], None), plain);
    // JSON is for programs, wherever it goes.
    let json = ["--json", "--color", "always"];
    assert_eq!(shown(&json, None), piped(&["--json"], None));
}

#[test]
fn batch_tells_how_far_it_is_on_a_terminal_only() {
    let file = TempFile::new("questions.jsonl", questions(20).as_bytes());
    let batch = || {
        let mut command = blockspan(&["batch", file.name()]);
        command.stdout(Stdio::null());
        command
    };
    let shown = on_terminal(batch(), |command, terminal| {
        command.stderr(terminal);
    });
    let progress = shown.split('\r').nth(1).unwrap_or_default();
    assert!(progress.starts_with("1 (") && progress.contains(" questions/s  "), "{shown:?}");
    assert!(progress.ends_with(" left\x1b[K"), "{shown:?}");
    // The line goes when all is done, and the report stays.
    assert!(shown.contains("\r\x1b[K20 questions, "), "{shown:?}");
    let stderr = String::from_utf8(batch().output().unwrap().stderr).unwrap();
    assert!(stderr.starts_with("20 questions, ") && !stderr.contains('\r'), "{stderr:?}");
}
