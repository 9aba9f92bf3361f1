//! R09: what only shows while running: files, data, weights, numbers that stop being numbers.

use super::Report;
use crate::lang::source::Span;

/// Data that cannot be read or used; `title`, `label` and `help` state the facts of one failure.
pub fn data(code: &'static str, span: Span, title: &str, label: &str, help: &str) -> Report {
    Report::error(code, title).label(span, label).help(help)
}

/// A value that is no longer a finite number.
pub fn not_finite(span: Span, name: &str, step: u64, epoch: u64, detail: &str, kept: &str) -> Report {
    Report::error("R0902", format!("`{name}` is no longer a finite number at step {step} (epoch {})", epoch + 1))
        .label(span, detail.to_string())
        .help(format!("{kept}\na smaller learning rate or gradient clipping is the usual remedy"))
}

/// Something that went wrong outside of the pipeline's text: no place to show.
pub fn failed(code: &'static str, title: &str, help: &str) -> Report {
    Report::error(code, title).help(help)
}
