//! R09: what only shows while running: files, data, weights, numbers that stop being numbers.

use super::Report;
use crate::source::Span;

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

/// An input without its tensor.
pub fn no_tensor(span: Span, name: &str, file: &str, known: &[&str]) -> Report {
    let report =
        Report::error("R0918", format!("{file} has no tensor called `{name}`")).label(span, "this input is missing");
    let mut known = known.to_vec();
    known.sort_unstable();
    let all = match known.as_slice() {
        [] => "the file is empty".to_string(),
        _ => format!("the file holds: {}", known.join(", ")),
    };
    match super::closest(name, known.iter().copied()) {
        Some(near) => report.help(format!("did you mean `{near}`? {all}")),
        None => report.help(all),
    }
}

/// A tensor of another shape than its input.
pub fn tensor_shape(span: Span, name: &str, file: &str, wanted: &str, found: &[usize]) -> Report {
    let found: Vec<String> = found.iter().map(usize::to_string).collect();
    Report::error("R0921", format!("the tensor `{name}` is of another shape"))
        .label(span, format!("expected [{wanted}], found [{}] in {file}", found.join(", ")))
        .help("sizes of one name must be equal in all inputs; homographies end in 3, 3 and points in 2")
}

/// A tensor with values that its kind does not allow, or that are no numbers at all.
pub fn tensor_values(span: Span, name: &str, file: &str, found: &str, kind: &str, finite: bool) -> Report {
    let code = if finite { "R0924" } else { "R0923" };
    Report::error(code, format!("the tensor `{name}` does not hold {kind}"))
        .label(span, format!("{found} in {file}"))
        .help("fix the data, or declare the input as what it is: Map for any real number, Logit before a sigmoid")
}
