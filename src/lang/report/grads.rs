//! R06: gradients that reach nothing, or losses that nothing holds.

use super::Report;
use crate::source::Span;

/// An objective without trainable weights.
pub fn nothing_trains(
    span: Span,
    name: &str,
    stops: &[(Span, &'static str)],
    models: &[(Span, String, &'static str)],
) -> Report {
    let mut report = Report::error("R0601", "nothing in this objective can be trained")
        .label(span, format!("no gradient of `{name}` reaches any weight"));
    for (stop, op) in stops {
        report = report.label(*stop, format!("`{op}` stops the gradient"));
    }
    if stops.is_empty() {
        for (place, model, why) in models {
            report = report.label(*place, format!("`{model}` {why}"));
        }
    }
    report.help(match (stops, models) {
        ([(_, "detach")], _) => "remove this `detach`",
        ([(_, op)], _) if *op != "detach" => "use a smooth counterpart in the objective; this is fine as a `metric`",
        ([], []) => "there is no `model`: put one between the data and the losses",
        ([], _) => "let the objective depend on the output of a model that trains",
        _ => "remove one of these, most likely the last",
    })
}

/// A loss that compares a network with itself only; `by` is the function of the library that compares, if one does.
pub fn unanchored(span: Span, loss: &str, model: &str, by: Option<&str>) -> Report {
    // A map of zeros overlaps with nothing and has no direction, so these look for another way out.
    let title = match by {
        Some(_) => format!("`{loss}` is smallest when the detector says the same everywhere"),
        None => format!("`{loss}` is smallest when the detector says nothing at all"),
    };
    Report::warning("R0602", title)
        .label(span, format!("both sides come from `{model}`; no label holds either of them in place"))
        .help(
            "a map that is constant everywhere agrees with itself at no cost. Anchor one side to data, \
             for example\n    bce(corners, det) + …\nor keep it knowingly:  @allow(unanchored, \"as published\")",
        )
}

/// A loss that is not part of the objective.
pub fn unminimized(span: Span, loss: &str, objective: Span) -> Report {
    Report::warning("R0207", format!("the loss `{loss}` is never minimized"))
        .label(span, "computed and logged, but no gradient comes from it")
        .label(objective, "the objective")
        .help(format!(
            "add it to the objective:  minimize … = … + {loss}\nor, if it is only watched, say so:  metric {loss} = …"
        ))
}

/// An `@allow` without an effect.
pub fn allows_nothing(span: Span, lint: &str) -> Report {
    Report::warning("R0605", format!("this `@allow({lint}, …)` allows nothing"))
        .label(span, "the item below gives no cause for it")
        .help("remove it")
}

/// A metric that the objective is made of.
pub fn metric_minimized(span: Span, name: &str, defined: Span) -> Report {
    Report::error("R0606", format!("`{name}` is a metric, and metrics are not minimized"))
        .label(span, "part of the objective here")
        .label(defined, "computed in validation only")
        .help(format!("make it a loss:  loss {name} = …\nor give its value a name with `let`, and use that in both"))
}

/// A term of the objective that nothing learns from.
pub fn idle_term(span: Span, objective: &str, stop: Option<(Span, &str)>) -> Report {
    let report = Report::warning("R0607", format!("a term of `{objective}` has no gradient"));
    let (place, why) = match stop {
        Some((place, op)) => {
            (place, format!("`{op}` stops the gradient: the sum changes with this, and nothing learns from it"))
        }
        None => (span, "the sum changes with this, and nothing learns from it".to_string()),
    };
    report.label(place, why).help("take it out of the objective; to watch it, make it a `metric`")
}
