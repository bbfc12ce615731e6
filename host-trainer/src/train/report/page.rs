//! The page: well-formed as HTML and as XML.

use anyhow::Result;

use super::RunSummary;
use super::environment::environment;
use super::plot::{Curve, FAINT, FIRST, SECOND, plot, range};
use super::samples::{Sample, samples};
use crate::train::metrics::Record;
use crate::train::progress::duration;

const STYLE: &str = include_str!("style.css");

/// Smooths the curve of the loss: the weight of the newest step.
const NEWEST: f64 = 0.05;

/// Above this density a cell's background asks for the other color of text.
const DEEP: f64 = 0.7;

/// Text as it stands between tags and in attributes. XML has no characters for most control codes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
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
    let title = escape(&run.out.display().to_string());
    let sections = [
        ("course", "Course by step", course(run)?),
        ("density", "Density of the encoder's matrices", density(run)),
        ("predictions", "Predictions", predictions(run)),
        ("configuration", "Configuration", pairs(&configuration(run))),
        ("environment", "Environment", pairs(&environment(run.device))),
    ];
    let mut body = String::new();
    for (id, heading, content) in sections {
        body += &format!("<section id=\"{id}\">\n<h2>{heading}</h2>\n{content}\n</section>\n");
    }
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}: training</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<header id=\"summary\">\n<h1>{title}</h1>\n\
         <p class=\"lead\">{}</p>\n{}\n</header>\n{body}</main>\n</body>\n</html>\n",
        escape(&lead(run)),
        figures(run)
    ))
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
fn figures(run: &RunSummary<'_>) -> String {
    let mut all = Vec::new();
    if let Some(evaluation) = &run.evaluation {
        all.push(("Exact match", format!("{:.2}", evaluation.scores.exact_match)));
        all.push(("F1", format!("{:.2}", evaluation.scores.f1)));
    }
    all.push(("Loss, smoothed", format!("{:.4}", run.loss)));
    all.push(("Pruned", format!("{:.1} %", 100.0 * run.sparsity)));
    all.push(("Steps", grouped(run.steps)));
    all.push(("Tokens a second", grouped((run.tokens as f64 / run.seconds.max(1e-9)) as usize)));
    let figure = |(name, value): &(&str, String)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>");
    format!("<dl class=\"figures\">{}</dl>", all.iter().map(figure).collect::<Vec<_>>().join(""))
}

/// A plot with its heading, and a legend where it has several curves.
fn card(heading: &str, legend: &[(&str, &str)], plot: &str) -> String {
    let entry = |(property, name): &(&str, &str)| {
        format!("<span><b style=\"background: var(--{property})\"></b>{name}</span>")
    };
    let legend = legend.iter().map(entry).collect::<Vec<_>>().join("");
    format!("<div class=\"card\">\n<h3>{heading}</h3>\n<p class=\"legend\">{legend}</p>\n{plot}</div>\n")
}

/// Loss, learning rate, sparsity, EM and F1 over the steps.
fn course(run: &RunSummary<'_>) -> Result<String> {
    let (mut losses, mut rates, mut sparsities) = (Vec::new(), Vec::new(), Vec::new());
    let (mut exact, mut f1s) = (Vec::new(), Vec::new());
    for record in run.records {
        match *record {
            Record::Step { step, loss, learning_rate, sparsity, .. } => {
                let step = step as f64;
                losses.push((step, loss));
                rates.push((step, learning_rate));
                sparsities.push((step, 100.0 * sparsity));
            }
            Record::Evaluation { step, exact_match, f1, .. } => {
                exact.push((step as f64, exact_match));
                f1s.push((step as f64, f1));
            }
        }
    }
    losses.retain(|point| point.1.is_finite());
    let smooth = smoothed(&losses);
    let curve = |ink, points| Curve { ink, points, dots: false };
    let highest = rates.iter().map(|point| point.1).fold(1e-12, f64::max);
    let percent = |value: &f64| format!("{value:.0} %");
    let loss = plot(
        "Loss over steps",
        &[curve(FAINT, &losses[..]), curve(FIRST, &smooth[..])],
        range(&losses),
        &|loss| format!("{loss:.2}"),
    )?;
    let rate = plot("Learning rate over steps", &[curve(FIRST, &rates[..])], 0.0..1.06 * highest, &|rate| {
        if *rate == 0.0 { "0".into() } else { format!("{rate:.1e}") }
    })?;
    let sparsity = plot("Sparsity over steps", &[curve(FIRST, &sparsities[..])], 0.0..100.0, &percent)?;
    let scores = if exact.is_empty() {
        "<p class=\"note\">Not measured: the run had no <code>--eval</code> file.</p>\n".to_owned()
    } else {
        let both = range(&[&exact[..], &f1s[..]].concat());
        let around = (both.start - 2.0).max(0.0)..(both.end + 2.0).min(100.0);
        let dotted = |ink, points| Curve { ink, points, dots: true };
        let curves = [dotted(FIRST, &f1s[..]), dotted(SECOND, &exact[..])];
        plot("EM and F1 over steps", &curves, around, &|score| format!("{score:.1}"))?
    };
    Ok(format!(
        "<div class=\"cards\">\n{}{}{}{}</div>",
        card("Loss", &[("faint", "each step"), ("first", "smoothed")], &loss),
        card("Exact match and F1", &[("first", "F1"), ("second", "exact match")], &scores),
        card("Learning rate", &[("first", "at each step")], &rate),
        card("Sparsity", &[("first", "share of the encoder's weights that is pruned")], &sparsity),
    ))
}

/// The mean over the steps so far, in which each step counts a little less than the one after it.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let (mut sum, mut weight) = (0.0, 0.0);
    let mut next = |value: f64| {
        sum = (1.0 - NEWEST) * sum + value;
        weight = (1.0 - NEWEST) * weight + 1.0;
        sum / weight
    };
    points.iter().map(|&(step, value)| (step, next(value))).collect()
}

/// A row for each layer, a column for each of its matrices.
fn density(run: &RunSummary<'_>) -> String {
    let matrices = run.config.prunable();
    let columns = matrices.len() / run.config.num_hidden_layers.max(1);
    let name = |index: usize| {
        let parts = matrices[index].name.split('.').skip(4);
        let words: Vec<&str> = parts.filter(|part| !["weight", "dense", "self"].contains(part)).collect();
        words.join(" ")
    };
    let heads: String =
        (0..columns).map(|index| format!("<th scope=\"col\">{}</th>", escape(&name(index)))).collect();
    let mut rows = String::new();
    for (layer, densities) in run.densities.chunks(columns.max(1)).enumerate() {
        rows += &format!("<tr><th scope=\"row\">layer {}</th>", layer + 1);
        for density in densities {
            let deep = if *density > DEEP { " class=\"deep\"" } else { "" };
            rows += &format!(
                "<td{deep} style=\"--share: {:.1}%\">{:.1} %</td>",
                100.0 * density,
                100.0 * density
            );
        }
        rows += "</tr>\n";
    }
    format!(
        "<div class=\"card\">\n<p class=\"legend\">The share of the weights that are not 0.</p>\n<div class=\"wide\">\
         <table class=\"heat\">\n<thead><tr><th scope=\"col\"></th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n\
         </table></div>\n</div>"
    )
}

fn predictions(run: &RunSummary<'_>) -> String {
    let Some(evaluation) = &run.evaluation else {
        return "<p class=\"note\">None: the run had no <code>--eval</code> file.</p>".into();
    };
    let [right, wrong] = samples(evaluation.dataset, evaluation.predictions);
    let column = |heading: &str, class: &str, samples: &[Sample]| {
        let all: String = samples.iter().map(|sample| article(sample, class)).collect();
        let none = if samples.is_empty() { "<p class=\"note\">None.</p>" } else { "" };
        format!("<div class=\"samples\">\n<h3>{heading}</h3>{none}\n{all}</div>\n")
    };
    format!(
        "<p class=\"lead\">Examples of {} questions; the expected answer is marked in the passage.</p>\n\
         <div class=\"cards\" style=\"margin-top: 16px\">\n{}{}</div>",
        grouped(evaluation.scores.total),
        column("Right", "right", &right),
        column("Wrong", "wrong", &wrong)
    )
}

fn article(sample: &Sample, class: &str) -> String {
    let (passage, place) = &sample.passage;
    let mut marked = escape(&passage[..place.start]);
    if !place.is_empty() {
        marked += &format!("<mark>{}</mark>", escape(&passage[place.clone()]));
    }
    marked += &escape(&passage[place.end..]);
    let answer = if sample.answer.is_empty() { "(no answer)".into() } else { escape(&sample.answer) };
    let expected = if sample.expected.is_empty() {
        "(no answer)".to_owned()
    } else {
        sample.expected.iter().map(|text| escape(text)).collect::<Vec<_>>().join(" / ")
    };
    let mut article = format!(
        "<article>\n<h3>{}</h3>\n<p class=\"passage\">{marked}</p>\n<p><span class=\"{class}\">{answer}</span></p>\n",
        escape(&sample.question)
    );
    if class == "wrong" {
        article += &format!("<p class=\"note\">expected: {expected} (F1 {:.2})</p>\n", sample.f1);
    }
    article + "</article>\n"
}

/// Flags and values, without those that were not given.
fn configuration<'a>(run: &RunSummary<'a>) -> Vec<(&'a str, String)> {
    run.recipe.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()
}

fn pairs(pairs: &[(&str, String)]) -> String {
    let row = |(name, value): &(&str, String)| {
        format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(name), escape(value))
    };
    let half = pairs.len().div_ceil(2).max(1);
    let tables = pairs.chunks(half).map(|part| {
        let rows: String = part.iter().map(row).collect();
        format!("<div class=\"card\"><table class=\"pairs\">\n{rows}</table></div>\n")
    });
    format!("<div class=\"cards\">\n{}</div>", tables.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::{NEWEST, escape, grouped, smoothed};

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(
            escape("<a href=\"x\">&'\u{0}\u{b}\n"),
            "&lt;a href=&quot;x&quot;&gt;&amp;'\u{fffd}\u{fffd} "
        );
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_first_step_weighs_no_more_than_the_others() {
        let smooth = smoothed(&[(1.0, 4.0), (2.0, 2.0)]);
        assert_eq!(smooth[0], (1.0, 4.0));
        let expected = ((1.0 - NEWEST) * 4.0 + 2.0) / (2.0 - NEWEST);
        assert!(smooth[1].0 == 2.0 && (smooth[1].1 - expected).abs() < 1e-12, "{smooth:?}");
        assert_eq!(smoothed(&[]), []);
    }
}
