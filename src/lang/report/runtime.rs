//! R09: what only shows while running: files, data, weights, numbers that stop being numbers.

use super::Report;
use crate::source::Span;

/// Data that cannot be read or used; `title`, `label` and `help` state the facts of one failure.
pub fn data(code: &'static str, span: Span, title: &str, label: &str, help: &str) -> Report {
    Report::error(code, title).label(span, label).help(help)
}

/// How a number that is not finite came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A quotient whose divisor holds a 0.
    Divisor,
    /// An operation on finite numbers: they became too large, or left the range of what it takes.
    Size,
    /// A field of the data.
    Data,
    /// A weight, which only a step can have changed.
    Steps,
    /// A step itself: what it would make of the weights.
    Update,
}

impl Cause {
    /// What to do about it, `steps` after the beginning.
    fn remedy(self, steps: u64) -> &'static str {
        match self {
            Cause::Divisor => {
                "what is divided by is 0 somewhere: take  mean(…, mask = …),  which is 0 where nothing counts,\n\
                 or keep the divisor away from 0:  … / (… + 1e-6)"
            }
            Cause::Data => "look at the data of this batch; what is not a number there is none anywhere behind it",
            Cause::Size if steps == 0 => {
                "no step has been taken, so it is the formula or its data: look at the ranges above.\n\
                 In f32 exp(x) ends at 88 and everything at 3.4e38; sums of exponentials are  log_sum_exp(…)"
            }
            _ => "a smaller learning rate or gradient clipping is the usual remedy",
        }
    }
}

/// A value of training that is no longer a finite number, in an epoch counted from 1; `detail` is where that began.
pub fn not_finite(
    span: Span,
    name: &str,
    (step, epoch): (u64, u64),
    (detail, cause): (&str, Cause),
    kept: &str,
) -> Report {
    let title = match step {
        _ if cause == Cause::Update => format!("step {step} (epoch {epoch}) makes weights that are not finite numbers"),
        0 => format!("`{name}` is not a finite number at step 0 (epoch {epoch})"),
        _ => format!("`{name}` is no longer a finite number at step {step} (epoch {epoch})"),
    };
    Report::error("R0902", title).label(span, detail.to_string()).help(format!("{kept}\n{}", cause.remedy(step)))
}

/// A mean of a validation that is not a finite number, after the epoch of this number, counted from 1, and from the batch of this number
/// on. Only that of a metric lets the run go on, and is a warning.
pub fn validation_not_finite(
    span: Span,
    name: &str,
    (batch, of, epoch): (u64, u64, u64),
    (detail, cause): (&str, Cause),
    kept: Option<&str>,
) -> Report {
    let when = if epoch == 0 { "before the first epoch".to_string() } else { format!("after epoch {epoch}") };
    let title = format!("`val.{name}` is not a finite number {when}, from batch {batch} of {of} on");
    let remedy = cause.remedy(epoch);
    match kept {
        Some(kept) => Report::error("R0902", title).label(span, detail.to_string()).help(format!("{kept}\n{remedy}")),
        None => {
            let help = format!("it counts as no score: it is never the best, and lowers no rate\n{remedy}");
            Report::warning("R0902", title).label(span, detail.to_string()).help(help)
        }
    }
}

/// A value of an evaluation that is not a finite number; `detail` is where that began.
pub fn value_not_finite(span: Span, name: &str, found: f64, detail: &str, cause: Cause) -> Report {
    let found = match found {
        x if x.is_nan() => "not a number (NaN)",
        x if x > 0.0 => "infinite",
        _ => "minus infinity",
    };
    Report::error("R0902", format!("`{name}` is {found}")).label(span, detail.to_string()).help(cause.remedy(0))
}

/// A gradient of an evaluation that is not finite everywhere.
pub fn gradient_not_finite(span: Span, name: &str, input: &str, wrong: usize, of: usize) -> Report {
    Report::error("R0902", format!("the gradient of `{name}` in `{input}` is not finite"))
        .label(span, format!("{wrong} of {of} numbers of the gradient are not finite"))
        .help("a root, a division or a log is at a place where it has no slope; leave out --out for the values alone")
}

/// Weights that an evaluation draws at random, because no file gives them.
pub fn random_weights(span: Span, model: &str) -> Report {
    Report::warning("R0903", format!("the weights of `{model}` are drawn at random"))
        .label(span, "no file gives its weights, so the values mean nothing for a trained network")
        .help("pass the weights of a run:  --init runs/…/best.safetensors")
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
