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

/// A comparison that nothing holds.
pub struct Loose<'a> {
    /// Where it is made.
    pub span: Span,
    /// The loss it is part of.
    pub loss: &'a str,
    /// Its two sides.
    pub sides: [Side; 2],
    /// True where a map of zeros agrees with itself as well.
    pub silent: bool,
    /// True where vectors are compared, and not maps.
    pub vectors: bool,
}

/// One side of a comparison.
pub struct Side {
    /// As it was written, or the name it was given.
    pub written: String,
    /// The models whose weights it moves.
    pub models: Vec<String>,
    /// Set where something else holds all of these weights: the loss that does, or nothing where it has no name.
    pub holder: Option<String>,
}

impl Side {
    /// Its models, in words.
    fn from(&self) -> String {
        let models: Vec<String> = self.models.iter().map(|m| format!("`{m}`")).collect();
        super::list(&models)
    }
}

/// A loss that compares a network with itself only, or that moves its target too.
pub fn unanchored(loose: &Loose<'_>) -> Report {
    let Loose { span, loss, sides: [a, b], .. } = loose;
    match (&a.holder, &b.holder) {
        (Some(holder), None) => return pulls_its_target(*span, loss, a, holder, b),
        (None, Some(holder)) => return pulls_its_target(*span, loss, b, holder, a),
        _ => {}
    }
    let (one, other) = (a.from(), b.from());
    // What no gradient reaches belongs to the same network.
    let models = if one.is_empty() { &other } else { &one };
    let same = one.is_empty() || other.is_empty() || one == other;
    let says = if loose.silent { "says nothing at all" } else { "says the same everywhere" };
    let who = if same { models.clone() } else { format!("{one} and {other}") };
    let says = if same { says.to_string() } else { says.replacen("says", "say", 1) };
    let label = match same {
        true => format!("both sides come from {models}; no label holds either of them in place"),
        false => format!("one side comes from {one}, the other from {other}; no label holds either of them in place"),
    };
    let why = match loose.vectors {
        true => {
            "vectors that are the same everywhere agree at no cost. Add what drives those of other places apart, \
             for example\n    triplet(grid(200), hardneg(apart = 8px)) + …"
        }
        false => {
            "a map that is constant everywhere agrees with itself at no cost. Anchor one side to data, \
             for example\n    bce(corners, det) + …"
        }
    };
    Report::warning("R0602", format!("`{loss}` is smallest when {who} {says}"))
        .label(*span, label)
        .help(format!("{why}\nor keep it knowingly:  @allow(unanchored, \"as published\")"))
}

/// A target that something else holds, and that the loss moves toward what learns from it.
fn pulls_its_target(span: Span, loss: &str, target: &Side, holder: &str, learner: &Side) -> Report {
    let plain = |s: &str| s.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    let written = if plain(&target.written) { target.written.as_str() } else { "…" };
    let held = match holder {
        "" => "which the objective holds elsewhere".to_string(),
        holder => format!("which `{holder}` holds"),
    };
    let (target, learner) = (target.from(), learner.from());
    let (other, only) = match target == learner {
        true => ("other layers of it".to_string(), "which nothing else holds"),
        false => (learner.clone(), "which nothing else holds"),
    };
    Report::warning("R0602", format!("the gradient of `{loss}` also reaches its target"))
        .label(span, format!("one side comes from {target}, {held}, the other from {other}, {only}"))
        .help(format!(
            "each of the two gives way to the other. Let the gradient pass one side only:  detach({written})\n\
             or, if {target} is trained already, freeze it:  @frozen\n\
             or keep it knowingly:  @allow(unanchored, \"why\")"
        ))
}

/// A comparison of a value with itself.
pub fn with_itself(span: Span, written: &str) -> Report {
    let what = if written.chars().count() <= 40 { format!("`{written}`") } else { "a value".into() };
    Report::warning("R0608", format!("{what} is compared with itself"))
        .label(span, "both sides are the same value, whatever is trained")
        .help(
            "compare it with the other view, for example  warp(det_r, inv(H)),  or with a label\n\
             or keep it knowingly:  @allow(itself, \"why\")",
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
