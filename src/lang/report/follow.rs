//! Models that follow others, weights of one's own, and objectives of several models: R024 and R042.

use super::{Report, list};
use crate::source::Span;
use crate::types::Kind;

/// `@ema` before something else.
pub fn needs_model(span: Span) -> Report {
    Report::error("R0241", "only a model can follow another")
        .label(span, "not before a model")
        .help("put it on the line before `model`")
}

/// `@ema` without one of its arguments.
pub fn missing(span: Span, missing: &str) -> Report {
    Report::error("R0241", format!("`@ema` lacks `{missing}`"))
        .label(span, "which model it follows, and how much of its own weights stays in a step")
        .help("write both, as in  @ema(of = net, decay = 0.99)")
}

/// `of` is no model that can be followed.
pub fn cannot_follow(span: Span, name: &str, why: &str, models: &[&str]) -> Report {
    let report = Report::error("R0241", format!("nothing can follow `{name}`")).label(span, why);
    match models {
        [] => report.help("`of` is a model that is defined above and trains, as in  @ema(of = net, decay = 0.99)"),
        models => report.help(format!("`of` is a model that is defined above and trains: {}", list(models))),
    }
}

/// Both `@frozen` and `@ema`.
pub fn frozen_too(span: Span, frozen: Span) -> Report {
    Report::error("R0241", "a frozen model follows nothing")
        .label(span, "changes with every step")
        .label(frozen, "never changes")
        .help("remove one of the two")
}

/// A decay that is none.
pub fn decay(span: Span, found: &str) -> Report {
    Report::error("R0241", "`decay` of `@ema` lies from 0 to 1")
        .label(span, format!("found {found}"))
        .help("0.99 keeps 99 % of the weights in a step, and takes 1 % from the other model; as in  decay = 0.99")
}

/// The weights of a model that follows differ from those of the other; `difference` is the first.
pub fn weights_differ(span: Span, model: &str, followed: Span, of: &str, difference: &str) -> Report {
    Report::error("R0426", format!("`{model}` does not have the weights of `{of}`"))
        .label(span, difference)
        .label(followed, format!("`{of}`, which it follows"))
        .help("write the same layers in both, with the same names of `let` and `out` before them; a `layer` that both call is safest")
}

/// A kind that no weight can be declared as.
pub fn weight_kind(span: Span, name: &str, kind: Kind) -> Report {
    Report::error("R0331", format!("the weight `{name}` cannot be {}", super::kinds::named(kind)))
        .label(span, "a weight is a Scalar, a Rate (which stays positive), or a list of Vectors")
        .help(match kind {
            Kind::Weight | Kind::Count => "take a Rate, which stays positive, or a Scalar",
            _ => "as in  weight prototypes: Vectors[10, 128] = normal(0.01)",
        })
}

/// A weight whose shape is not written, or has other than two axes.
pub fn weight_shape(span: Span, name: &str) -> Report {
    Report::error("R0331", format!("the shape of the weight `{name}` is not known"))
        .label(span, "a list of Vectors has two sizes: how many there are, and how long they are")
        .help(format!("write both:  weight {name}: Vectors[10, 128] = normal(0.01)"))
}

/// A first value that is none.
pub fn weight_begins(span: Span, name: &str, found: &str) -> Report {
    Report::error("R0331", format!("the weight `{name}` cannot begin like this"))
        .label(span, format!("found {found}"))
        .help("a weight begins as a number, as in  = 0.07, or drawn at random:  = normal(0.01), = fan_in")
}

/// An objective of a model that is none.
pub fn no_model(span: Span, name: &str, models: &[&str]) -> Report {
    let report = Report::error("R0242", format!("no model is called `{name}`"))
        .label(span, "an objective is `of` the models that it trains");
    match models {
        [] => report.help("there is no model above"),
        models => report.help(format!("models above: {}", list(models))),
    }
}

/// A model that two objectives train, or that does not train.
pub fn cannot_train(span: Span, name: &str, why: &str, first: Option<Span>) -> Report {
    let report = Report::error("R0242", format!("this objective cannot train `{name}`")).label(span, why);
    let report = first.map_or(report.clone(), |first| report.label(first, "trained by this one"));
    report.help("a model is trained by one objective; to train it for two, minimize their weighted sum")
}

/// A model that no objective trains.
pub fn untrained(model: Span, name: &str, objective: Span) -> Report {
    Report::error("R0242", format!("no objective trains `{name}`"))
        .label(model, "gets no gradient")
        .label(objective, "every objective names its models")
        .help(format!("name it in one of them, as in  minimize … of {name} = …, or put `@frozen()` before it"))
}
