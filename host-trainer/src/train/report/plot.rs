//! Curves over the steps, as SVG that takes its colors from the page.

use core::ops::Range;

use anyhow::{Result, anyhow, ensure};
use plotters::prelude::*;

/// A color as it is drawn, and the page's property that replaces it.
type Ink = (RGBColor, &'static str);

const TEXT: Ink = (RGBColor(1, 1, 1), "muted");
const GRID: Ink = (RGBColor(2, 2, 2), "grid");
/// Of a curve that stands behind another one.
pub(super) const FAINT: Ink = (RGBColor(3, 3, 3), "faint");
pub(super) const FIRST: Ink = (RGBColor(4, 4, 4), "first");
pub(super) const SECOND: Ink = (RGBColor(5, 5, 5), "second");

/// Width and height in units of the drawing; the page scales it.
const SIZE: (u32, u32) = (680, 250);

/// Points of a curve that are drawn at most.
const POINTS: usize = 1000;

/// One curve.
pub(super) struct Curve<'a> {
    pub(super) ink: Ink,
    pub(super) points: &'a [(f64, f64)],
    /// Draws a dot at each point.
    pub(super) dots: bool,
}

/// Draws curves over a range of values; `y_label` writes a value of the vertical axis.
///
/// # Errors
/// A range that is empty or not finite.
pub(super) fn plot(
    name: &str,
    curves: &[Curve<'_>],
    y: Range<f64>,
    y_label: &dyn Fn(&f64) -> String,
) -> Result<String> {
    let last = curves.iter().flat_map(|curve| curve.points).map(|point| point.0).fold(1.0, f64::max);
    ensure!(y.start < y.end && y.end.is_finite() && y.start.is_finite(), "{name}: no range {y:?}");
    let mut svg = String::new();
    draw(&mut svg, curves, last, y, y_label).map_err(|error| anyhow!("{name}: {error}"))?;
    for (color, property) in [TEXT, GRID, FAINT, FIRST, SECOND] {
        let RGBColor(r, g, b) = color;
        svg = svg.replace(&format!("\"#{r:02X}{g:02X}{b:02X}\""), &format!("\"var(--{property})\""));
    }
    // The page gives the width, and those who cannot see the curves a name.
    let (width, height) = SIZE;
    let sized = format!("<svg width=\"{width}\" height=\"{height}\"");
    Ok(svg.replacen(&sized, &format!("<svg role=\"img\" aria-label=\"{name}\""), 1))
}

type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw<'a>(
    svg: &'a mut String,
    curves: &[Curve<'_>],
    last: f64,
    y: Range<f64>,
    y_label: &dyn Fn(&f64) -> String,
) -> Drawn<'a> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let text = ("sans-serif", 21).into_font().color(&TEXT.0);
    let mut chart = ChartBuilder::on(&root)
        .margin_top(12)
        .margin_right(24)
        .x_label_area_size(34)
        .y_label_area_size(74)
        .build_cartesian_2d(0.0..last, y)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.0)
        .axis_style(GRID.0)
        .label_style(text)
        .x_labels(7)
        .y_labels(5)
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_label_formatter(y_label)
        .draw()?;
    for curve in curves {
        let points = thinned(curve.points);
        let width = if curve.ink.1 == FAINT.1 { 1 } else { 2 };
        chart.draw_series(LineSeries::new(points.iter().copied(), curve.ink.0.stroke_width(width)))?;
        if curve.dots {
            let dots = points.iter().map(|&point| Circle::new(point, 4, curve.ink.0.filled()));
            chart.draw_series(dots)?;
        }
    }
    root.present()
}

/// Means of so many neighbors that few enough points remain.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let group = points.len().div_ceil(POINTS).max(1);
    let mean = |group: &[(f64, f64)]| {
        let n = group.len() as f64;
        (group.iter().map(|p| p.0).sum::<f64>() / n, group.iter().map(|p| p.1).sum::<f64>() / n)
    };
    points.chunks(group).map(mean).collect()
}

/// A range that holds all values, with room at both ends.
pub(super) fn range(points: &[(f64, f64)]) -> Range<f64> {
    let values = || points.iter().map(|point| point.1);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return 0.0..1.0;
    }
    let room = 0.06 * (high - low).max(1e-3 * high.abs()).max(1e-12);
    low - room..high + room
}

#[cfg(test)]
mod tests {
    use super::{Curve, FIRST, plot, range, thinned};

    #[test]
    fn many_points_become_means() {
        let points: Vec<_> = (0..2500).map(|i| (f64::from(i), f64::from(i % 3))).collect();
        let thinned = thinned(&points);
        assert_eq!((thinned.len(), thinned[0], thinned[833]), (834, (1.0, 1.0), (2499.0, 0.0)));
    }

    #[test]
    fn a_range_has_room_even_for_one_value() {
        for values in [&[][..], &[(1.0, 0.0)], &[(1.0, 7.0)], &[(1.0, -2.0), (2.0, 5.0)]] {
            let range = range(values);
            assert!(range.start < range.end && values.iter().all(|(_, v)| range.contains(v)), "{range:?}");
        }
    }

    #[test]
    fn colors_are_the_pages_and_sizes_are_left_to_it() -> anyhow::Result<()> {
        let points = [(1.0, 2.0), (2.0, 1.0)];
        let curve = Curve { ink: FIRST, points: &points, dots: true };
        let svg = plot("Loss", &[curve], range(&points), &|y| format!("{y:.1}"))?;
        assert!(svg.contains("\"var(--first)\"") && !svg.contains('#'), "{svg}");
        assert!(svg.starts_with("<svg role=\"img\" aria-label=\"Loss\" viewBox="), "{svg}");
        assert!(plot("Loss", &[], 1.0..1.0, &|y| y.to_string()).is_err());
        Ok(())
    }
}
