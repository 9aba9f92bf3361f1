//! `rord-run explain FILE.rord:detection`: a formula with the type of every part, and what its gradient reaches.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::load::{Loaded, load_sound};
use rord_lang::ast::{Item, ItemKind};
use rord_lang::check::names_of;
use rord_lang::parse;
use rord_lang::report::{closest, runtime};
use rord_lang::source::{Sources, Span};
use rord_lang::typed::{Initial, Pipeline, ValueId, ValueSource};
use rord_lang::types::Kind;
use rord_project::outside::Given;

/// Prints the formula called `name` of the pipeline at `path`.
pub fn run(path: &Path, name: &str, given: &Given<'_>) -> u8 {
    let Some(loaded) = load_sound(path, given) else { return super::REFUSED };
    match explain(&loaded, name) {
        Ok(text) => {
            super::print(&text);
            super::DONE
        }
        Err(help) => {
            let title = format!("{} has no formula called `{name}`", path.display());
            super::print_reports(&[runtime::failed("R0818", &title, &help)], &Sources::default());
            super::REFUSED
        }
    }
}

/// The page of a formula, or what to write instead.
fn explain(loaded: &Loaded, name: &str) -> Result<String, String> {
    let text = loaded.sources.get(loaded.file).map(|s| s.text.clone()).unwrap_or_else(|| "".into());
    let (tree, _) = parse::parse(&text, loaded.file);
    let formula = |item: &&Item| {
        use ItemKind::{Let, Loss, Metric, Minimize};
        matches!(item.kind, Let(_) | Loss { .. } | Metric { .. } | Minimize { .. })
    };
    let formulas: Vec<&Item> = tree.items.iter().filter(formula).collect();
    let Some(item) = formulas.iter().find(|i| names_of(i).iter().any(|n| n.text == name)) else {
        let all: Vec<&str> = formulas.iter().flat_map(|i| names_of(i)).map(|n| n.text.as_str()).collect();
        return Err(match closest(name, all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("formulas: {}", all.join(", ")),
        });
    };
    let mut out = format!("{}\n\n", loaded.sources.text(item.span));
    let pipeline = &loaded.pipeline;
    let all = (0..).zip(&pipeline.values).map(|(id, _)| ValueId(id));
    out.push_str(&parts(loaded, item.span, all.collect(), &[]));
    for named in pipeline.names.iter().filter(|n| item.span.holds(n.span)) {
        out.push_str(&format!("{} is {}\n", named.name, pipeline.shown(named)));
    }
    let outputs = pipeline.losses.iter().chain(&pipeline.metrics).chain(pipeline.objectives.iter().map(|o| &o.output));
    if let Some(output) = outputs.into_iter().find(|o| o.name == name) {
        // Functions of the file that it calls, with the types that they have here.
        let below = below(pipeline, output.value);
        for called in &tree.items {
            let ItemKind::Function(f) = &called.kind else { continue };
            let lets: Vec<(Span, &str)> =
                f.lets.iter().map(|l| (l.value.span, loaded.sources.text(l.name_span()))).collect();
            let rows = parts(loaded, called.span, below.clone(), &lets);
            if !rows.is_empty() {
                out.push_str(&format!("\nin {}\n{rows}", f.name.text));
            }
        }
        out.push_str(&format!("\n{}", gradient(loaded, output.value)));
    }
    Ok(out)
}

/// The parts of a text that are among `of`, each with its type, in the order of the text.
fn parts(loaded: &Loaded, within: Span, of: Vec<ValueId>, lets: &[(Span, &str)]) -> String {
    let rows = typed_parts(loaded, within, of, lets);
    let width = rows.iter().map(|(a, _)| a.chars().count()).filter(|n| *n <= 60).max().unwrap_or(0);
    rows.iter().map(|(part, ty)| format!("  {part:<width$}  {ty}\n")).collect()
}

/// The same as pairs of a part and its type.
pub fn typed_parts(loaded: &Loaded, within: Span, of: Vec<ValueId>, lets: &[(Span, &str)]) -> Vec<(String, String)> {
    let mut parts = BTreeMap::new();
    for value in of.into_iter().filter_map(|id| loaded.pipeline.value(id)) {
        // Of two values of one place the last one is the part itself.
        if within.holds(value.span) && value.ty.kind != Kind::Scalar {
            parts.insert((value.span.start, std::cmp::Reverse(value.span.end)), value);
        }
    }
    let text = |span| {
        let text = loaded.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ");
        match lets.iter().find(|(value, _)| *value == span) {
            Some((_, name)) => format!("{name} = {text}"),
            None => text,
        }
    };
    let mut rows: Vec<(String, String)> = Vec::new();
    for row in parts.values().map(|v| (text(v.span), v.ty.to_string())) {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

/// Everything that a value is computed from, itself included, in the order of computing.
fn below(pipeline: &Pipeline, from: ValueId) -> Vec<ValueId> {
    let mut all: Vec<ValueId> = pipeline.below(from).into_iter().collect();
    all.sort();
    all
}

/// Which weights the gradient of a value reaches, model by model, and where it stops.
fn gradient(loaded: &Loaded, from: ValueId) -> String {
    let pipeline = &loaded.pipeline;
    let (mut seen, mut open) = (HashSet::new(), vec![from]);
    let (mut weights, mut stops, mut inputs) = (HashSet::new(), BTreeMap::new(), Vec::new());
    while let Some(id) = open.pop() {
        let Some(value) = pipeline.value(id).filter(|_| seen.insert(id)) else { continue };
        match &value.source {
            ValueSource::Alias(of) => open.push(*of),
            ValueSource::Apply(apply) => {
                if loaded.vocabulary.operation(apply.op).is_some_and(|o| o.entry.graph.stops_gradient) {
                    // The choice of places carries none in any case, and nobody expects it of it.
                    if value.ty.kind != Kind::Points && depends_on_weights(loaded, id) {
                        stops.insert(value.span, apply.op);
                    }
                    continue;
                }
                weights.extend(apply.weights.iter().map(|(_, w)| *w));
                open.extend(apply.inputs.iter().map(|(_, id)| *id));
            }
            ValueSource::Weight(w) => _ = weights.insert(*w),
            ValueSource::Field { data: None, name }
                if !matches!(value.ty.kind, Kind::Label | Kind::Mask | Kind::Homography) =>
            {
                inputs.push(name.clone());
            }
            _ => {}
        }
    }
    let mut out = String::new();
    for (index, model) in pipeline.models.iter().enumerate() {
        let own = pipeline.weights.iter().enumerate().filter(|(_, w)| w.model == index);
        let trained: Vec<(usize, usize)> = own
            .filter(|(_, w)| !matches!(w.initial, Initial::Statistic(_)))
            .map(|(i, w)| (i, w.shape.iter().product()))
            .collect();
        let reached: Vec<usize> = trained.iter().filter(|(i, _)| weights.contains(i)).map(|(_, n)| *n).collect();
        let total: usize = reached.iter().sum();
        out.push_str(&match (reached.len(), &model.frozen) {
            (0, _) => format!("the gradient reaches no weight of {}\n", model.name),
            (_, Some(_)) => format!("the gradient passes through {}, which is frozen\n", model.name),
            _ if model.follows.is_some() => {
                format!("the gradient passes through {}, which follows another model\n", model.name)
            }
            (n, None) => {
                format!("the gradient reaches {n} of {} weights of {}: {total} numbers\n", trained.len(), model.name)
            }
        });
    }
    inputs.sort();
    if !inputs.is_empty() {
        out.push_str(&format!("the gradient reaches the inputs {}\n", inputs.join(", ")));
    }
    for (span, op) in stops {
        let (line, column) = loaded.sources.line_column(span);
        // By the name that is written there, which may be that of a function.
        let written =
            loaded.sources.text(span).split('(').next().filter(|w| w.chars().all(|c| c.is_alphanumeric() || c == '_'));
        out.push_str(&format!("it stops at `{}`, {line}:{column}\n", written.unwrap_or(op)));
    }
    out
}

/// True where a weight lies below a value: only there is a gradient to be stopped.
fn depends_on_weights(loaded: &Loaded, from: ValueId) -> bool {
    let (pipeline, vocabulary) = (&loaded.pipeline, &loaded.vocabulary);
    let (mut seen, mut open) = (HashSet::new(), vec![from]);
    while let Some(id) = open.pop() {
        let Some(value) = pipeline.value(id).filter(|_| seen.insert(id)) else { continue };
        match &value.source {
            ValueSource::Alias(of) => open.push(*of),
            ValueSource::Apply(apply) if !apply.weights.is_empty() => return true,
            ValueSource::Weight(_) => return true,
            ValueSource::Apply(apply) => {
                // An input of which only the shape is used passes no numbers on.
                let shapes = vocabulary.operation(apply.op).map_or(&[] as &[_], |o| o.entry.graph.shape_only);
                open.extend(apply.inputs.iter().filter(|(name, _)| !shapes.contains(name)).map(|(_, id)| *id));
            }
            _ => {}
        }
    }
    false
}
