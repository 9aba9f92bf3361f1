//! What is wrong with the section `export`.

use super::Report;
use crate::source::Span;

/// Something that is no tensor.
pub fn no_tensor(span: Span, name: &str, found: &str) -> Report {
    Report::error("R0740", format!("`{name}` of `export` is no tensor"))
        .label(span, format!("found {found}"))
        .help("export what a model makes of an image, as in  export { score = sigmoid(score), desc }")
}

/// A value that one image does not give.
pub fn not_of_one_image(span: Span, name: &str, of: &[&str]) -> Report {
    let label = match of {
        [] => "it is made of no data".to_string(),
        [one] => format!("it is made of `{one}`, which is no image"),
        many => format!("it is made of {}", many.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
    };
    Report::error("R0740", format!("`{name}` of `export` is not made of one image alone"))
        .label(span, label)
        .help("whoever uses the network has one image: export what a model makes of it, and nothing that takes labels, a move or the other view")
}

/// Exports of two images.
pub fn another_image(span: Span, name: &str, image: &str, there: Span, before: &str) -> Report {
    Report::error("R0740", format!("`{name}` of `export` is made of another image than the exports before it"))
        .label(span, format!("made of `{image}`"))
        .label(there, format!("made of `{before}`"))
        .help(format!("export what is made of `{before}`: both views go through the same network"))
}

/// A pipeline without `export` of which it is not clear what it is used for.
pub fn nothing(of: &[&str]) -> Report {
    let report = Report::error("R0741", "it is not clear what this network is used for");
    let found = match of {
        [] => "no model makes a map of descriptors, or of a single channel, of an image of the data".to_string(),
        many => format!("there are {}", many.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
    };
    report.help(format!("{found}; say in the pipeline which are meant:  export {{ score = sigmoid(score), desc }}"))
}

/// An operation that has no form in another system (`ONNX`, `PyTorch`), which `needed` exports are made of.
pub fn no_form(span: Span, system: &str, what: &str, why: &str, needed: &[&str]) -> Report {
    let name = if what == "this number" { what.to_string() } else { format!("`{what}`") };
    let needed: Vec<String> = needed.iter().map(|n| format!("`{n}`")).collect();
    Report::error("R0742", format!("{name} cannot be written in {system}")).label(span, format!("{name} {why}")).help(
        format!(
            "it is needed for {}: export what comes before it, and compute the rest where the network is used",
            needed.join(", ")
        ),
    )
}
