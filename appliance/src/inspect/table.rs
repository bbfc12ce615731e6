//! A report for people.

use core::fmt::Arguments;
use core::fmt::Write;

use super::report::{Report, Section};
use crate::card;
use crate::output::printable;

/// The report as text.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let mut line = |text: Arguments<'_>| {
        // A String takes everything.
        let _ = writeln!(out, "{text}");
    };
    let (header, totals) = (&report.header, &report.totals);
    line(format_args!("{}", printable(&report.model)));
    line(format_args!("  format version {}, {}", report.format_version, bytes(report.file_bytes)));
    line(format_args!(
        "  {} layers, hidden {}, {} heads of {}, intermediate {}",
        header.layers, header.hidden, header.heads, header.head_dim, header.intermediate
    ));
    line(format_args!(
        "  {} word pieces ({}), {} positions, {} segments, layer_norm_eps {:e}",
        header.vocab, header.word_dtype, header.max_positions, header.token_types, header.layer_norm_eps
    ));
    let special = &header.special_ids;
    line(format_args!(
        "  special ids: unk {}, cls {}, sep {}, pad {}, mask {}",
        special.unk, special.cls, special.sep, special.pad, special.mask
    ));
    line(format_args!("  default max_seq_len {}, doc_stride {}", header.max_seq_len, header.doc_stride));

    line(format_args!("\ncard"));
    if report.metadata.is_empty() {
        line(format_args!("  empty: the file does not tell where the model comes from"));
    }
    for entry in card::lines(&report.metadata) {
        line(format_args!("  {entry}"));
    }

    line(format_args!("\nsections, every checksum verified"));
    line(format_args!(
        "  {:<30} {:>10} {:>10}  {:<16}  {:>13}  {:>8}",
        "name", "offset", "bytes", "xxh64", "rows x cols", "density"
    ));
    for section in &report.sections {
        line(format_args!("{}", row(section)));
    }

    line(format_args!("\ntotals"));
    line(format_args!(
        "  encoder: {} of {} weights in kept {} blocks, density {:.1} %",
        totals.kept_weights,
        totals.encoder_weights,
        header.pattern,
        100.0 * totals.density
    ));
    line(format_args!(
        "  dense f32 model: {} parameters, {}; this file is {:.1} times smaller",
        totals.parameters,
        bytes(totals.dense_f32_bytes),
        totals.dense_f32_ratio
    ));
    line(format_args!(
        "  workspace at {} tokens: {} for one thread, {} for each further one",
        header.max_seq_len,
        bytes(totals.workspace_bytes),
        bytes(totals.workspace_bytes_per_thread)
    ));
    let workspace = &report.workspace;
    if (workspace.max_seq_len, workspace.threads) != (header.max_seq_len, 1) {
        line(format_args!(
            "  workspace at {} tokens for {} {}: {}",
            workspace.max_seq_len,
            workspace.threads,
            if workspace.threads == 1 { "thread" } else { "threads" },
            bytes(workspace.bytes)
        ));
    }
    out
}

fn row(section: &Section) -> String {
    let Section { name, offset, bytes, xxh64, matrix } = section;
    let matrix = matrix.as_ref().map_or(String::new(), |matrix| {
        let shape = format!("{} x {}", matrix.rows, matrix.cols);
        format!("  {shape:>13}  {:>6.1} %", 100.0 * matrix.density)
    });
    format!("  {name:<30} {offset:>10} {bytes:>10}  {xxh64}{matrix}")
}

/// A size, with its unit.
fn bytes(count: usize) -> String {
    let mebibytes = count as f64 / (1 << 20) as f64;
    if mebibytes >= 1.0 { format!("{count} bytes ({mebibytes:.1} MiB)") } else { format!("{count} bytes") }
}
