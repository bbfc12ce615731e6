//! Windows of real text through a tokenizer read from files.

mod common;

use anyhow::Result;
use blockspan_squad::Dataset;
use blockspan_trainer::evaluate::{EvaluateOptions, Logits, predictions, texts};
use blockspan_trainer::features::{Feature, Labels, WindowOptions, features};
use blockspan_trainer::tokenizer::Tokenizer;

fn windows(max_seq_len: usize, doc_stride: usize, labels: Labels) -> Result<(Dataset, Vec<Feature>)> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 1);
    let tokenizer = Tokenizer::read(&root.path().join("base"))?;
    let dataset = Dataset::parse(common::DATA.as_bytes(), "data.json")?;
    let windows = features(&dataset, &tokenizer, WindowOptions { max_seq_len, doc_stride }, labels)?;
    Ok((dataset, windows))
}

/// The text that a window's labels cover.
fn labelled<'a>(window: &Feature, context: &'a str) -> &'a str {
    let (start, end) = window.answer;
    if start == 0 {
        return "[CLS]";
    }
    let offset = |position: usize| window.offsets()[position - window.passage.start];
    &context[offset(start)[0] as usize..offset(end)[1] as usize]
}

#[test]
fn a_window_is_framed_and_labelled() -> Result<()> {
    let (dataset, windows) = windows(24, 8, Labels::Train)?;
    let window = &windows[0];
    // [CLS] who sat ? [SEP] … [SEP]: 2, 5, 13, 24, 3.
    assert_eq!(window.input_ids[..5], [2, 5, 13, 24, 3]);
    assert_eq!((window.passage.clone(), window.input_ids.len()), (5..21, 22));
    assert_eq!(window.input_ids[21], 3);
    assert_eq!([0, 4, 5, 21].map(|at| window.token_type(at)), [0, 0, 1, 1]);
    let answers = ["the red cat", "blue bird", "a mat", "two dogs", "tree"];
    assert_eq!(windows.len(), answers.len());
    for (window, (answer, (paragraph, _))) in windows.iter().zip(answers.iter().zip(dataset.questions())) {
        assert_eq!(labelled(window, &paragraph.context), *answer);
    }
    Ok(())
}

#[test]
fn long_passages_are_cut_and_misses_point_to_cls() -> Result<()> {
    // "who flew ?" leaves room for 8 of the 16 tokens; windows advance by 6.
    let (dataset, windows) = windows(14, 2, Labels::Train)?;
    let second: Vec<&Feature> = windows.iter().filter(|window| window.question == 1).collect();
    let context = &dataset.paragraphs[0].context;
    assert_eq!(
        second.iter().map(|w| (w.first, w.passage.len())).collect::<Vec<_>>(),
        [(0, 8), (6, 8), (12, 4)]
    );
    assert_eq!(
        second.iter().map(|w| labelled(w, context)).collect::<Vec<_>>(),
        ["[CLS]", "blue bird", "[CLS]"]
    );
    assert!(windows.iter().all(|window| window.input_ids.len() <= 14));
    Ok(())
}

#[test]
fn a_question_that_fills_the_window_is_cut() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 1);
    let tokenizer = Tokenizer::read(&root.path().join("base"))?;
    let long = common::DATA.replacen("who sat ?", &"who ".repeat(50), 1);
    let dataset = Dataset::parse(long.as_bytes(), "data.json")?;
    let options = WindowOptions { max_seq_len: 14, doc_stride: 2 };
    let windows = features(&dataset, &tokenizer, options, Labels::None)?;
    let first: Vec<&Feature> = windows.iter().filter(|window| window.question == 0).collect();
    assert!(first.iter().all(|w| w.input_ids.len() <= 14 && w.answer == (0, 0)));
    assert_eq!(first.last().map(|w| w.first + w.passage.len()), Some(16), "the passage's end is reached");
    let narrow = WindowOptions { max_seq_len: 14, doc_stride: 10 };
    let message = features(&dataset, &tokenizer, narrow, Labels::None).expect_err("refused").to_string();
    assert!(message.contains("--max-seq-len 14"), "{message}");
    Ok(())
}

#[test]
fn answers_are_pooled_over_windows() -> Result<()> {
    let (dataset, windows) = windows(14, 2, Labels::Train)?;
    // Rigged: each labelled window speaks for its answer, others for [CLS], softly for their first token.
    let logits: Vec<Logits> = windows
        .iter()
        .map(|window| {
            let mut logits =
                Logits { start: vec![-5.0; window.input_ids.len()], end: vec![-5.0; window.input_ids.len()] };
            logits.start[window.passage.start] = 1.0;
            logits.end[window.passage.start] = 1.0;
            logits.start[window.answer.0] = 4.0;
            logits.end[window.answer.1] = 4.0;
            logits
        })
        .collect();
    let predicted = predictions(&dataset, &windows, &logits, EvaluateOptions::default());
    assert_eq!(blockspan_squad::evaluate(&dataset, &texts(&predicted)).exact_match, 100.0, "{predicted:?}");
    Ok(())
}

#[test]
fn truncation_and_padding_of_the_tokenizer_are_switched_off() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 1);
    let base = root.path().join("base");
    let plain = Tokenizer::read(&base)?;
    let text = "the cat sat on a mat . ".repeat(30);
    // The same vocabulary as tokenizer.json that truncates to 4 and pads to 16.
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        std::fs::read_to_string(base.join("vocab.txt"))?
            .lines()
            .zip(0..)
            .map(|(word, id)| (word.to_owned(), id.into()))
            .collect();
    let json = serde_json::json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null,
                    "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": null, "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary},
    });
    std::fs::write(base.join("tokenizer.json"), json.to_string())?;
    let tokens = Tokenizer::read(&base)?.tokens(&text)?;
    assert_eq!(tokens.ids.len(), 210);
    assert_eq!(tokens, plain.tokens(&text)?);
    assert_eq!(Tokenizer::read(&base)?.tokens("")?.ids, [0u32; 0]);
    Ok(())
}
