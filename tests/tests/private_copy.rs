//! A model read into memory stays what it was, whatever becomes of its file.

use anyhow::Result;
use blockspan_engine::{AlignedBytes, Answer, AnswerOptions, Model, Runtime, Session};
use blockspan_tests::packed_tiny;

const QUESTION: &str = "how long is the river ?";
const PASSAGE: &str = "the Amazon is 6,400 km long ; Zoë was born in Paris in 1998 .";

fn answers(model: &Model<'_>) -> Result<[Answer; 5]> {
    let mut workspace = vec![0; model.workspace_len(64, 1)];
    let mut session = Session::with(model, 64, &mut workspace, Runtime::default())?;
    let mut answers = [Answer::default(); 5];
    session.answer(QUESTION, PASSAGE, &AnswerOptions::default(), &mut answers)?;
    Ok(answers)
}

/// Under a mapping, what is written to the file after it was parsed is what the kernels read: column distances that
/// nobody has checked.
#[test]
fn a_file_that_is_overwritten_after_parsing_does_not_reach_the_kernels() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("model.bspan");
    let packed = packed_tiny("output-block")?;
    std::fs::write(&path, &*packed)?;

    let file = AlignedBytes::read_file(&path)?;
    let model = Model::parse(&file)?;
    let before = answers(&model)?;
    // In place: the same file with other bytes, not a new one under the name.
    let mut writer = std::fs::File::options().write(true).open(&path)?;
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0xff), packed.len() as u64), &mut writer)?;
    drop(writer);
    assert!(std::fs::read(&path)?.iter().all(|&byte| byte == 0xff));
    assert_eq!(answers(&model)?, before);
    std::fs::File::create(&path)?;
    assert_eq!(answers(&model)?, before);
    assert!(before[0].end > 0 && *file == *packed);
    Ok(())
}
