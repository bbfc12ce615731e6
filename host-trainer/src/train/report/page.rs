//! The page: well-formed as HTML and as XML.

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::course::course;
use super::environment::environment;
use super::samples::{Sample, samples};
use super::summary::RunSummary;
use crate::train::progress::duration;

const STYLE: &str = include_str!("style.css");

/// Tags without content, closed as XML asks for it.
const META: &str = "<meta charset=\"utf-8\"/>\n\
                    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>";

/// Above this density a cell's background asks for the other color of text.
const DEEP: f64 = 0.7;

/// The same text without control codes, for most of which XML has no characters.
fn printable(text: &str) -> String {
    let printable = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
        c => c,
    };
    text.chars().map(printable).collect()
}

/// A whole number with its thousands set apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| core::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

pub(super) fn page(run: &RunSummary<'_>) -> Result<String> {
    let title = printable(&run.out.display().to_string());
    let sections = [
        ("course", "Course by step", course(run)?),
        ("density", "Density of the encoder's matrices", density(run)),
        ("predictions", "Predictions", predictions(run)),
        ("configuration", "Configuration", pairs(&configuration(run))),
        ("environment", "Environment", pairs(&environment(run.device))),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" xmlns="http://www.w3.org/1999/xhtml" {
            head {
                (PreEscaped(META))
                title { (title) ": training" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header #summary {
                        h1 { (title) }
                        p.lead { (lead(run)) }
                        (figures(run))
                    }
                    @for (id, heading, content) in sections {
                        section id=(id) { h2 { (heading) } (content) }
                    }
                }
            }
        }
    };
    Ok(page.into_string())
}

fn lead(run: &RunSummary<'_>) -> String {
    let config = run.config;
    format!(
        "{} layers of {} features and {} heads, {} inside; trained on {} tokens in {}.",
        config.num_hidden_layers,
        config.hidden_size,
        config.num_attention_heads,
        config.intermediate_size,
        grouped(run.tokens),
        duration(run.seconds)
    )
}

/// The figures that count.
fn figures(run: &RunSummary<'_>) -> Markup {
    let mut all = Vec::new();
    if let Some(evaluation) = &run.evaluation {
        all.push(("Exact match", format!("{:.2}", evaluation.scores.exact_match)));
        all.push(("F1", format!("{:.2}", evaluation.scores.f1)));
    }
    all.push(("Loss, smoothed", format!("{:.4}", run.loss)));
    all.push(("Pruned", format!("{:.1} %", 100.0 * run.sparsity)));
    all.push(("Steps", grouped(run.steps)));
    all.push(("Tokens a second", grouped((run.tokens as f64 / run.seconds.max(1e-9)) as usize)));
    html! {
        dl.figures {
            @for (name, value) in all { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// A row for each layer, a column for each of its matrices.
fn density(run: &RunSummary<'_>) -> Markup {
    let matrices = run.config.prunable();
    let columns = matrices.len() / run.config.num_hidden_layers.max(1);
    let name = |index: usize| {
        let parts = matrices[index].name.split('.').skip(4);
        let words: Vec<&str> = parts.filter(|part| !["weight", "dense", "self"].contains(part)).collect();
        words.join(" ")
    };
    let cell = |density: f64| {
        let percent = format!("{:.1}", 100.0 * density);
        html! {
            td class=[(density > DEEP).then_some("deep")] style={ "--share: " (percent) "%" } { (percent) " %" }
        }
    };
    html! {
        div.card {
            p.legend { "The share of the weights that are not 0." }
            div.wide {
                table.heat {
                    thead {
                        tr {
                            th scope="col" {}
                            @for index in 0..columns { th scope="col" { (name(index)) } }
                        }
                    }
                    tbody {
                        @for (layer, densities) in run.densities.chunks(columns.max(1)).enumerate() {
                            tr {
                                th scope="row" { "layer " (layer + 1) }
                                @for &density in densities { (cell(density)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn predictions(run: &RunSummary<'_>) -> Markup {
    let Some(evaluation) = &run.evaluation else {
        return html! { p.note { "None: the run had no " code { "--eval" } " file." } };
    };
    let [right, wrong] = samples(evaluation.dataset, evaluation.predictions);
    html! {
        p.lead {
            "Examples of " (grouped(evaluation.scores.total))
            " questions; the expected answer is marked in the passage."
        }
        div.cards style="margin-top: 16px" {
            @for (heading, class, samples) in [("Right", "right", right), ("Wrong", "wrong", wrong)] {
                div.samples {
                    h3 { (heading) }
                    @if samples.is_empty() { p.note { "None." } }
                    @for sample in &samples { (article(sample, class)) }
                }
            }
        }
    }
}

fn article(sample: &Sample, class: &str) -> Markup {
    let (passage, place) = &sample.passage;
    let part = |range: core::ops::Range<usize>| printable(&passage[range]);
    let or_none = |text: String| if text.is_empty() { "(no answer)".to_owned() } else { printable(&text) };
    html! {
        article {
            h3 { (printable(&sample.question)) }
            p.passage {
                (part(0..place.start))
                @if !place.is_empty() { mark { (part(place.clone())) } }
                (part(place.end..passage.len()))
            }
            p { span class=(class) { (or_none(sample.answer.clone())) } }
            @if class == "wrong" {
                p.note { "expected: " (or_none(sample.expected.join(" / "))) (format!(" (F1 {:.2})", sample.f1)) }
            }
        }
    }
}

/// Flags and values, without those that were not given.
fn configuration<'a>(run: &RunSummary<'a>) -> Vec<(&'a str, String)> {
    run.recipe.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()
}

/// Names and values in two tables side by side.
fn pairs(pairs: &[(&str, String)]) -> Markup {
    html! {
        div.cards {
            @for half in pairs.chunks(pairs.len().div_ceil(2).max(1)) {
                div.card {
                    table.pairs {
                        @for (name, value) in half {
                            tr { th scope="row" { (printable(name)) } td { (printable(value)) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use maud::html;

    use super::{grouped, printable};

    #[test]
    fn text_cannot_become_markup() {
        let text = html! { (printable("<a href=\"x\">&'\u{0}\u{b}\n")) }.into_string();
        assert_eq!(text, "&lt;a href=&quot;x&quot;&gt;&amp;'\u{fffd}\u{fffd} ");
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
