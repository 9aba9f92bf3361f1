//! R08: what is changed from outside, and files.

use super::{Report, closest, plural};
use crate::source::Span;
use crate::types::Kind;

fn sorted(known: &[&str]) -> String {
    let mut known = known.to_vec();
    known.sort_unstable();
    known.join(", ")
}

/// A value for a parameter that does not exist.
pub fn no_such_param(span: Span, name: &str, defined: Option<Span>, known: &[&str]) -> Report {
    let mut report = Report::error("R0801", format!("`{name}` is not a parameter of this pipeline"));
    report = report.label(span, "no such parameter");
    if let Some(defined) = defined {
        report = report.label(defined, "this is a `let`, which is computed, not set");
    }
    let all = match known {
        [] => "This pipeline has no parameters.".to_string(),
        _ => format!("Parameters: {}.", sorted(known)),
    };
    let last = "Only a `param` can be set from outside; nothing was ignored and nothing was run.";
    let elsewhere = super::elsewhere::parameter(name).into_iter().flatten().find(|n| known.contains(n)).copied();
    match elsewhere.or_else(|| closest(name, known.iter().copied())) {
        Some(near) => report.help(format!("did you mean `{near}`? {all}\n{last}")).suggest(span, near),
        None => report.help(format!("{all}\n{last}")),
    }
}

/// A quoted number in YAML.
pub fn quoted(span: Span, name: &str, kind: Kind, bare: &str) -> Report {
    Report::error("R0802", format!("`{name}` must be a {}, and this is text", kind.name()))
        .label(span, "a string in YAML because of the quotes")
        .help(format!("write  {name}: {bare}"))
        .fix(span, bare)
}

/// `yes`, `no`, `on` and `off` in YAML.
pub fn word_of_yaml(span: Span, word: &str) -> Report {
    let flag = matches!(word.to_lowercase().as_str(), "yes" | "on");
    Report::error("R0802", format!("`{word}` is not how a Flag is written"))
        .label(span, "true or false elsewhere")
        .help(format!("write  {flag}"))
        .fix(span, flag.to_string())
}

/// Files that import each other: each imports the next.
pub fn import_cycle(span: Span, chain: &[String]) -> Report {
    let itself = chain.len() < 3;
    Report::error("R0803", if itself { "this file imports itself" } else { "these files import each other" })
        .label(span, chain.join(" → "))
        .help(if itself {
            "what is defined in a file is there without an import"
        } else {
            "move what both need into a third file"
        })
}

/// A field of a section, set from outside.
pub fn not_a_param(span: Span, name: &str, section: &str, param: Option<&str>, value: &str) -> Report {
    let report = Report::error("R0804", format!("`{name}` cannot be set from outside"))
        .label(span, format!("a field of the `{section}` block, not a parameter"));
    match param {
        Some(param) => report.help(format!("this pipeline has a parameter for it:  --set {param}={value}")),
        None => report.help("declare a `param` for it and use that in the block"),
    }
}

/// A preset that does not exist.
pub fn no_such_preset(span: Span, name: &str, known: &[&str]) -> Report {
    let report = Report::error("R0805", format!("there is no preset called `{name}`")).label(span, "no such preset");
    match (closest(name, known.iter().copied()), known) {
        (Some(near), _) => report.help(format!("did you mean `{near}`?")).suggest(span, near),
        (None, []) => report.help("this pipeline has no presets"),
        (None, _) => report.help(format!("presets: {}", sorted(known))),
    }
}

/// A file that cannot be imported.
pub fn cannot_import(span: Span, path: &str, why: &str) -> Report {
    Report::error("R0806", format!("cannot import \"{path}\""))
        .label(span, why.to_string())
        .help("the path starts at the folder of the file that imports")
}

/// An import from outside of the pipeline's folder.
pub fn import_outside(span: Span, path: &str, root: &str) -> Report {
    Report::error("R0807", format!("\"{path}\" lies outside of the pipeline's folder"))
        .label(span, format!("imports stay below {root}"))
        .help("move the file there, or allow a folder that holds both:  --import-root DIR")
}

/// A field of a preset without a value.
pub fn field_without_value(span: Span, name: &str) -> Report {
    Report::error("R0808", format!("`{name}` needs a value here"))
        .label(span, "stands alone")
        .help(format!("write  {name} = …"))
}

/// A sweep that does not exist.
pub fn no_such_sweep(span: Span, name: &str, known: &[&str]) -> Report {
    let report = Report::error("R0824", format!("there is no sweep called `{name}`")).label(span, "no such sweep");
    match closest(name, known.iter().copied()) {
        Some(near) => report.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => report.help("the file has none; write one:  sweep rates { lr = [1e-3, 3e-4] }"),
        None => report.help(format!("sweeps of this file: {}", sorted(known))),
    }
}

/// A parameter that a sweep goes over and `--set` gives as well.
pub fn set_and_swept(span: Span, sweep: &str) -> Report {
    Report::error("R0825", "this parameter is what the sweep goes over")
        .label(span, format!("`{sweep}` gives it a value of its own in every run"))
        .help("leave it out here, or take it out of the sweep")
}

/// A sweep of no run, or of too many.
pub fn sweep_size(name: &str, runs: usize, most: usize) -> Report {
    let found =
        if runs == 0 { "has no run: one of its lists is empty".to_string() } else { format!("has {runs} runs") };
    Report::error("R0824", format!("the sweep `{name}` {found}")).help(format!("a sweep has 1 to {most} runs"))
}

/// A sweep over something that is no list.
pub fn sweep_needs_list(span: Span, name: &str) -> Report {
    Report::error("R0809", format!("a sweep goes over a list of values for `{name}`"))
        .label(span, "a single value")
        .help(format!("write  {name} = [a, b, c]"))
}

/// A field alone, without anything of its name.
pub fn nothing_called(span: Span, name: &str) -> Report {
    Report::error("R0810", format!("`{name}` alone means  {name} = {name}, and nothing is called so"))
        .label(span, "no value")
        .help(format!("write  {name} = …,  or declare  param {name}: …"))
}

/// YAML that is not a flat list of parameters.
pub fn not_flat_yaml(span: Span, what: &str) -> Report {
    Report::error("R0811", "parameters are a flat list of  name: value")
        .label(span, what.to_string())
        .help("one line a parameter, as in  lr: 3e-4")
}

/// YAML that cannot be read.
pub fn bad_yaml(span: Span, why: &str) -> Report {
    Report::error("R0812", "this is not YAML")
        .label(span, why.to_string())
        .help("one line a parameter, as in  lr: 3e-4")
}

/// A key twice.
pub fn duplicate_key(span: Span, name: &str) -> Report {
    Report::error("R0813", format!("`{name}` is given twice"))
        .label(span, "given again here")
        .help("keep one of the two")
}

/// `--set` without `=`.
pub fn set_without_value(span: Span, text: &str) -> Report {
    let bare = text.strip_suffix('=');
    let (name, value) = text.split_once([':', ' ']).unwrap_or((bare.unwrap_or(text), "…"));
    Report::error("R0814", "`--set` takes name=value")
        .label(span, if bare.is_some() { "nothing behind the `=`" } else { "no `=` in here" })
        .help(format!("write  {}", assignment(name, value.trim(), true)))
}

/// A parameter that has no value and needs one.
pub fn missing_param(span: Span, name: &str, kind: Kind) -> Report {
    Report::error("R0815", format!("the parameter `{name}` has no value"))
        .label(span, format!("a {} ({}) without a default", kind.name(), kind.holds()))
        .help(match kind {
            Kind::Text | Kind::Path | Kind::Paths => format!("give it one:  --set '{name}=\"…\"'"),
            _ => format!("give it one:  --set {name}=…"),
        })
}

/// Text from outside that is not in quotes, so that it reads as a formula.
pub fn unquoted(span: Span, name: &str, kind: Kind, text: &str, set: bool) -> Report {
    let text = text.trim();
    Report::error("R0820", format!("`{name}` {}, and this is not in quotes", text_of(kind)))
        .label(span, "read as a formula")
        .help(format!("write  {}", assignment(name, &format!("\"{text}\""), set)))
}

/// What takes text is.
fn text_of(kind: Kind) -> String {
    if kind == Kind::Paths { "names files".into() } else { format!("is a {}", kind.name()) }
}

/// Text in a call that is not in quotes.
pub fn unquoted_argument(span: Span, name: &str, kind: Kind, text: &str) -> Report {
    Report::error("R0820", format!("`{name}` {}, and this is not in quotes", text_of(kind)))
        .label(span, "read as a formula")
        .help(format!("write  \"{text}\""))
        .fix(span, format!("\"{text}\""))
}

/// A word or a path from outside where a value of another kind belongs: nothing on a command line has a name, so it
/// is not computed.
pub fn bare_word(span: Span, name: &str, kind: Kind, text: &str, default: Option<&str>, set: bool) -> Report {
    let text = text.trim();
    if kind == Kind::Layouts {
        return path_without_reader(span, name, text, set);
    }
    let report = Report::error("R0305", format!("`{name}` must be {}, and `{text}` is not", super::kinds::named(kind)))
        .label(span, format!("expected {} ({}), found a word", kind.name(), kind.holds()));
    match default {
        Some(default) => report.help(format!("as in  {}", assignment(name, default, set))),
        None => report,
    }
}

/// A path from outside where layouts belong.
pub fn path_without_reader(span: Span, name: &str, path: &str, set: bool) -> Report {
    Report::error("R0820", format!("`{name}` takes layouts, and this is a path without a reader"))
        .label(span, "neither in quotes nor in a call")
        .help(format!("write  {}", assignment(name, &read_by(path), set)))
}

/// True for a path without quotes whose ending is that of layouts or of pictures.
pub fn names_layouts(path: &str) -> bool {
    let path = path.to_lowercase();
    [".gds", ".gds.gz", ".gdsii", ".png", ".jpg", ".jpeg"].iter().any(|end| path.ends_with(end))
}

/// Layouts or pictures at a path, as they are read.
fn read_by(path: &str) -> String {
    let path = path.trim_matches(['"', '\'']);
    let pictures = [".png", ".jpg", ".jpeg"].iter().any(|end| path.to_lowercase().ends_with(end));
    format!("{}(\"{path}\")", if pictures { "images" } else { "gds" })
}

/// A value from outside as it is written: with `--set`, in quotes where the shell needs them, or in a file of
/// parameters.
fn assignment(name: &str, value: &str, set: bool) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '/' | '…');
    match set {
        false => format!("{name}: {value}"),
        true if value.chars().all(plain) => format!("--set {name}={value}"),
        true => format!("--set '{name}={value}'   (the outer quotes are for the shell)"),
    }
}

/// Adds what to write to a report about a value that does not parse and was most likely meant as a path.
pub fn perhaps_a_path(report: Report, name: &str, path: &str) -> Report {
    report.help(format!("a path is text, in quotes:  {}", assignment(name, &format!("\"{path}\""), true)))
}

/// Something an evaluation needs and the pipeline lacks.
pub fn cannot_evaluate(span: Span, lacks: &str, help: &str) -> Report {
    Report::error("R0819", "this pipeline cannot be evaluated on tensors of a file")
        .label(span, lacks.to_string())
        .help(help.to_string())
}

/// Something a training run needs and the pipeline lacks.
pub fn cannot_train(span: Span, lacks: &str, help: &str) -> Report {
    Report::error("R0816", "this pipeline cannot be trained").label(span, lacks.to_string()).help(help.to_string())
}

/// A name of an imported file that the import leaves there.
pub fn left_behind(span: Span, name: &str, defined: Span, what: &str) -> Report {
    Report::error("R0822", format!("`{name}` stays behind when this file is imported"))
        .label(span, "used by what is imported")
        .label(defined, format!("a `{what}`; an import brings fn, layer and model"))
        .help(format!("pass it in: make `{name}` an argument, and pass it where this is called"))
}

/// A bound of a domain that is of another kind than the parameter.
pub fn domain_kind(span: Span, name: &str, kind: Kind, found: &str) -> Report {
    let report = Report::error("R0823", format!("the domain of `{name}` does not hold {}", kind.name()))
        .label(span, format!("found {found}, expected {} ({})", kind.name(), kind.holds()));
    let bare = found.rsplit(' ').next().unwrap_or("");
    let unit = match kind {
        Kind::Pixels => "px",
        Kind::Degrees => "deg",
        Kind::Epochs | Kind::Duration => "epochs",
        Kind::Steps => "steps",
        Kind::Minutes | Kind::Interval => "min",
        Kind::Factor => "x",
        _ => "",
    };
    match bare.parse::<f64>() {
        Ok(_) if !unit.is_empty() => {
            let report = report.help(format!("write the unit:  {bare}{unit}"));
            match super::kinds::only_unit(kind) {
                true => report.fix(span, format!("{bare}{unit}")),
                false => report.suggest(span, format!("{bare}{unit}")),
            }
        }
        _ => report,
    }
}

/// An interval for something that is not ordered.
pub fn no_interval(span: Span, name: &str, kind: Kind) -> Report {
    Report::error("R0823", format!("`{name}` has no least and greatest value"))
        .label(span, format!("an interval, and {} is {}", kind.name(), kind.holds()))
        .help("list the values it may take:  in {a, b, c}")
}

/// Items of an imported file that an import does not bring.
pub fn not_brought(span: Span, file: &str, left: &[&str]) -> Report {
    let mut kinds: Vec<String> = Vec::new();
    for kind in left.iter().map(|k| format!("`{k}`")) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let items = plural(left.len(), "item");
    let stay = if left.len() == 1 { "stays" } else { "stay" };
    let label = format!("{items} of {file} {stay} there: {}", kinds.join(", "));
    Report::warning("R0821", "an import brings fn, layer and model, and nothing else")
        .label(span, label)
        .help("keep what is shared in a file of its own, or write these items here")
}

/// A flag alone, without anything of its name.
pub fn flag_alone(span: Span, name: &str) -> Report {
    Report::error("R0810", format!("`{name}` alone means  {name} = {name}, and nothing is called so"))
        .label(span, "no value")
        .help(format!("write  {name} = true"))
        .fix(span, format!("{name} = true"))
}
