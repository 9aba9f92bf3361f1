//! What a training run needs of a pipeline and does not find: what `train` refuses, and `check` where the file has a section `train`.

use super::constant::Constant;
use super::report::{Report, params};
use super::source::Span;
use super::typed::Pipeline;

/// Everything that keeps a pipeline from being trained; `end` is the end of its text.
pub fn lacks(pipeline: &Pipeline, end: Span) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut lacks = |span, what: &str, help: &str| reports.push(params::cannot_train(span, what, help));
    if pipeline.objective.is_none() {
        let help = "add an objective:  minimize total = …";
        lacks(end, "nothing is minimized by the end of the file", help);
    }
    if let Some((name, _)) = pipeline.inputs.first() {
        lacks(
            end,
            &format!("`{name}` is an `input`, which a caller supplies"),
            "a training run takes its tensors from `data`; inputs are for evaluating losses on tensors of your own",
        );
    }
    if !matches!(pipeline.train("optimizer"), Some(Constant::Recipe(_))) {
        let help = "say how the weights change:  train { optimizer = adam(lr = 1e-3), batch = 8, epochs = 20 }";
        lacks(end, "no optimizer is given by the end of the file", help);
    }
    if pipeline.datasets.is_empty() && pipeline.inputs.is_empty() {
        lacks(end, "there is no `data`", "say where the tensors come from:  data pairs = layout_pairs(synth())");
    }
    reports
}
