//! Loss, learning rate, sparsity, EM and F1 over the steps.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::plot::{Curve, FAINT, FIRST, SECOND, plot, range};
use super::summary::RunSummary;
use crate::train::metrics::{self, Record};

/// The curves of a run.
#[derive(Default)]
struct Curves {
    losses: Vec<(f64, f64)>,
    rates: Vec<(f64, f64)>,
    sparsities: Vec<(f64, f64)>,
    exact: Vec<(f64, f64)>,
    f1s: Vec<(f64, f64)>,
}

impl Curves {
    fn new(records: &[Record]) -> Self {
        let mut curves = Curves::default();
        for record in records {
            match *record {
                Record::Step { step, loss, learning_rate, sparsity, .. } => {
                    let step = step as f64;
                    curves.losses.push((step, loss));
                    curves.rates.push((step, learning_rate));
                    curves.sparsities.push((step, 100.0 * sparsity));
                }
                Record::Evaluation { step, exact_match, f1, .. } => {
                    curves.exact.push((step as f64, exact_match));
                    curves.f1s.push((step as f64, f1));
                }
            }
        }
        curves.losses.retain(|point| point.1.is_finite());
        curves
    }
}

/// A card for each of them.
pub(super) fn course(run: &RunSummary<'_>) -> Result<Markup> {
    let Curves { losses, rates, sparsities, exact, f1s } = Curves::new(run.records);
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
        html! { p.note { "Not measured: the run had no " code { "--eval" } " file." } }
    } else {
        let both = range(&[&exact[..], &f1s[..]].concat());
        let around = (both.start - 2.0).max(0.0)..(both.end + 2.0).min(100.0);
        let dotted = |ink, points| Curve { ink, points, dots: true };
        let curves = [dotted(FIRST, &f1s[..]), dotted(SECOND, &exact[..])];
        PreEscaped(plot("EM and F1 over steps", &curves, around, &|score| format!("{score:.1}"))?)
    };
    Ok(html! {
        div.cards {
            (card("Loss", &[("faint", "each step"), ("first", "smoothed")], &PreEscaped(loss)))
            (card("Exact match and F1", &[("first", "F1"), ("second", "exact match")], &scores))
            (card("Learning rate", &[("first", "at each step")], &PreEscaped(rate)))
            (card("Sparsity", &[("first", "share of the encoder's weights that is pruned")], &PreEscaped(sparsity)))
        }
    })
}

/// A plot with its heading and the names of its curves, by the page's property for their color.
fn card(heading: &str, legend: &[(&str, &str)], plot: &Markup) -> Markup {
    html! {
        div.card {
            h3 { (heading) }
            p.legend {
                @for (property, name) in legend {
                    span { b style={ "background: var(--" (property) ")" } {} (name) }
                }
            }
            (plot)
        }
    }
}

/// The curve of [`metrics::smoothed`]: its end is the loss that the run ends with.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut before = None;
    let mut next = |step: f64, loss: f64| *before.insert(metrics::smoothed(before, loss, step as usize));
    points.iter().map(|&(step, loss)| (step, next(step, loss))).collect()
}
