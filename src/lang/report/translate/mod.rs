//! Calls of other libraries in the words of this one, with their arguments: `nn.Conv2d(1, 16, 3)` is `conv(16, 3)`.

mod table;

use crate::types::Kind;
use table::{ROWS, Row};

/// A call as it was written.
pub struct Foreign<'a> {
    /// Who is called, with the module: `nn.Conv2d`.
    pub name: &'a str,
    /// What it works on, where that stands before it: in a chain, or before a method.
    pub subject: Option<&'a str>,
    /// The arguments it was made with, where it is called in two steps: `nn.MSELoss(reduction = "sum")(a, b)`.
    pub made_with: Option<Vec<Given<'a>>>,
    /// The arguments.
    pub args: Vec<Given<'a>>,
    /// The kind of its first input.
    pub kind: Option<Kind>,
    /// The kind of its second input.
    pub second: Option<Kind>,
    /// The axes of its first input.
    pub axes: Vec<String>,
    /// The objective's name.
    pub objective: &'a str,
}

/// An argument: its name, where it has one, and its text. A list is one argument.
#[derive(Clone, Debug)]
pub struct Given<'a> {
    /// `dim`, of `dim = 1`.
    pub name: Option<&'a str>,
    /// `1`.
    pub text: &'a str,
}

/// The same call in the words of this language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// The call, where it can be given.
    pub call: Option<String>,
    /// True where that is a stage of the chain that it stands in, and false where it holds what it works on.
    pub stage: bool,
    /// The operation that it is a call of, if it is one.
    pub op: Option<&'static str>,
    /// What else is to be said.
    pub note: &'static str,
}

/// What may be called here.
pub trait Callable {
    /// True where there is an operation or a function of this name.
    fn exists(&self, name: &str) -> bool;
    /// True where it has a parameter of this name.
    fn takes(&self, name: &str, param: &str) -> bool;
}

/// A name without its module, underscores and capitals.
fn plain(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).replace('_', "").to_lowercase()
}

/// What a call of another library is here; `None` of what is not known.
pub fn ours(call: &Foreign<'_>, here: &dyn Callable) -> Option<Ours> {
    let name = plain(call.name);
    let row = ROWS.iter().find(|row| row.names.contains(&name.as_str()))?;
    let bound = bind(row, call);
    let first = row.inputs.first().copied();
    let made = row.ours.iter().filter(|t| possible(t, here)).find_map(|template| {
        let template = chosen(template, call, bound.as_ref())?;
        // Where the first input is all that is missing, it stands before the call.
        let stage = first.filter(|_| call.subject.is_some()).and_then(|first| stage_of(template, first));
        let text = match stage {
            Some((op, rest)) => {
                let rest = rest.strip_prefix(", ").unwrap_or(rest);
                let rest = rest.strip_prefix("[, ").map_or(rest.to_string(), |rest| format!("[{rest}"));
                filled(&format!("{op}({rest}"), bound.as_ref()?, call)?.replace("()", "")
            }
            None => filled(template, bound.as_ref()?, call)?,
        };
        Some((text, stage.is_some()))
    });
    let (call, stage) = made.map_or((None, false), |(text, stage)| (Some(text), stage));
    // What is called here, where the arguments do not say how.
    let op = row.ours.iter().filter(|t| possible(t, here)).find_map(|t| {
        let plain = t.strip_prefix('?').and_then(|t| t.split_once(' ')).map_or(*t, |(_, rest)| rest);
        plain.split_once('(').map(|(op, _)| op).filter(|op| name_only(op))
    });
    Some(Ours { call, stage, op, note: row.note })
}

/// The operation of a template that is one call of it, with `first` as its first argument and nowhere else, and what
/// stands behind that.
fn stage_of<'t>(template: &'t str, first: &str) -> Option<(&'t str, &'t str)> {
    let (op, rest) = template.split_once(&format!("({{{first}}}"))?;
    let again = rest.contains(&format!("{first}}}")) || rest.contains(&format!("{first})"));
    let mut depth = 1;
    let closes = rest.char_indices().find(|(_, c)| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    (name_only(op) && !again && closes.is_some_and(|(at, _)| at + 1 == rest.len())).then_some((op, rest))
}

/// A name of every row.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().filter_map(|row| row.names.first().copied())
}

/// True for a name of another library that has a row.
pub fn known(name: &str) -> bool {
    let name = plain(name);
    ROWS.iter().any(|row| row.names.contains(&name.as_str()))
}

fn name_only(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Arguments by the names of the row's parameters; `None` where one is not known there.
fn bind<'a>(row: &Row, call: &Foreign<'a>) -> Option<Vec<(&'static str, &'a str)>> {
    let mut bound: Vec<(&'static str, &'a str)> = Vec::new();
    let class = call.name.rsplit('.').next().is_some_and(|n| n.starts_with(char::is_uppercase));
    let mut inputs = row.inputs.iter().copied();
    if let Some(subject) = call.subject {
        bound.push((inputs.next()?, subject));
    }
    let settings = row.made_with.iter().copied();
    let positional: Vec<&'static str> = match &call.made_with {
        // The second brackets hold the inputs.
        Some(made_with) => {
            place(made_with, settings.clone().collect(), row, &mut bound)?;
            inputs.collect()
        }
        // `nn.MSELoss(a, b)` is not how it is called there, and what is meant all the same.
        None if row.layer || class && (row.inputs.len() < 2 || call.args.len() < row.inputs.len()) => {
            settings.collect()
        }
        None => inputs.chain(settings).collect(),
    };
    place(&call.args, positional, row, &mut bound)?;
    Some(bound)
}

fn place<'a>(
    args: &[Given<'a>],
    positional: Vec<&'static str>,
    row: &Row,
    bound: &mut Vec<(&'static str, &'a str)>,
) -> Option<()> {
    let mut next = positional.into_iter();
    for arg in args {
        let param = match arg.name {
            Some(name) => {
                let name = if matches!(name, "axis" | "keepdims") { "dim" } else { name };
                let name = if name == "learning_rate" { "lr" } else { name };
                row.inputs.iter().chain(row.made_with).copied().find(|p| *p == name)?
            }
            None => next.next()?,
        };
        bound.push((param, arg.text));
    }
    Some(())
}

/// True where everything that a template calls is here, with the arguments it names.
fn possible(template: &str, here: &dyn Callable) -> bool {
    let bytes: Vec<char> = template.chars().collect();
    let (mut word, mut called) = (String::new(), Vec::new());
    let mut brace = 0;
    for (at, c) in bytes.iter().enumerate() {
        match c {
            '{' => brace += 1,
            '}' => brace -= 1,
            c if (c.is_alphanumeric() || *c == '_') && brace == 0 => {
                word.push(*c);
                continue;
            }
            '(' if !word.is_empty() && brace == 0 => {
                if !here.exists(&word) {
                    return false;
                }
                called.push(word.clone());
            }
            ' ' if !word.is_empty() && bytes.get(at + 1) == Some(&'=') => {
                // `[, stride = {stride}]` may be left out.
                let optional = bytes
                    .iter()
                    .take(at)
                    .collect::<String>()
                    .rsplit('[')
                    .next()
                    .is_some_and(|t| t.starts_with(',') && !t.contains(']'));
                if !optional && !called.iter().any(|op| here.takes(op, &word)) {
                    return false;
                }
            }
            _ => {}
        }
        word.clear();
    }
    true
}

/// The template without its condition, where that holds.
fn chosen<'t>(template: &'t str, call: &Foreign<'_>, bound: Option<&Vec<(&'static str, &str)>>) -> Option<&'t str> {
    let Some((condition, rest)) = template.strip_prefix('?').and_then(|t| t.split_once(' ')) else {
        return Some(template);
    };
    let given = |text: &str| bound.is_some_and(|b| b.iter().any(|(_, t)| *t == text));
    let holds = match condition {
        "Vectors" => call.kind.is_some_and(|k| k.is(Kind::Vectors)),
        "lists" => call.kind.is_some_and(|k| k.is(Kind::Vectors)) && call.axes.len() == 3,
        "rows" => call.kind.is_some_and(|k| k.is(Kind::Vectors)) && call.axes.len() == 2,
        "Map" => call.kind.is_some_and(|k| k.is(Kind::Map)),
        "tables" => call.axes.iter().map(String::as_str).eq(["row", "column"]),
        "Homography" => call.kind == Some(Kind::Homography),
        "moves" => call.second == Some(Kind::Homography),
        "places" => call.second == Some(Kind::Points),
        number => given(number),
    };
    holds.then_some(rest)
}

/// A template with its arguments in place; `None` where one that it needs was not given.
fn filled(template: &str, bound: &[(&'static str, &str)], call: &Foreign<'_>) -> Option<String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '[']) {
        out.push_str(rest.get(..at)?);
        let optional = rest.get(at..)?.starts_with('[');
        let end = at + rest.get(at..)?.find(if optional { ']' } else { '}' })?;
        let inner = rest.get(at + 1..end)?;
        match optional {
            true => out.push_str(&filled(inner, bound, call).unwrap_or_default()),
            false => out.push_str(&argument(inner, bound, call)?),
        }
        rest = rest.get(end + 1..)?;
    }
    out.push_str(rest);
    Some(out.replace("(, ", "("))
}

/// One argument as it is written here.
fn argument(written: &str, bound: &[(&'static str, &str)], call: &Foreign<'_>) -> Option<String> {
    let (name, default) = written.split_once('|').map_or((written, None), |(name, default)| (name, Some(default)));
    let bracketed = name.starts_with('(');
    let name = name.trim_matches(['(', ')']);
    if name == "objective" {
        return Some(call.objective.to_string());
    }
    let Some((_, text)) = bound.iter().find(|(n, _)| *n == name) else { return default.map(str::to_string) };
    let unquoted = text.trim_matches(['"', '\'']);
    let text = match unquoted {
        "True" => "true".to_string(),
        "False" => "false".to_string(),
        "None" => return default.map(str::to_string),
        _ if name == "dim" => axis(text, &call.axes)?.to_string(),
        _ if name == "tensors" => text.trim_matches(['[', ']']).to_string(),
        _ if name == "reduction" && unquoted == "batchmean" => "mean".to_string(),
        _ if matches!(name, "reduction" | "mode" | "approximate" | "padding") => unquoted.to_string(),
        other => other.to_string(),
    };
    let simple = text.chars().all(|c| c.is_alphanumeric() || "_.".contains(c)) || one_call(&text);
    Some(if bracketed && !simple { format!("({text})") } else { text })
}

/// True for a single call: `warp(x, inv(H))`.
fn one_call(text: &str) -> bool {
    let Some((head, rest)) = text.split_once('(') else { return false };
    let mut depth = 1;
    let closes = rest.char_indices().find(|(_, c)| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    name_only(head) && closes.is_some_and(|(at, _)| at + 1 == rest.len())
}

/// The name of an axis that is numbered elsewhere.
fn axis<'a>(number: &str, axes: &'a [String]) -> Option<&'a str> {
    let number: i64 = number.parse().ok()?;
    let at = if number < 0 { number + axes.len() as i64 } else { number };
    axes.get(usize::try_from(at).ok()?).map(String::as_str)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    struct Everything;

    impl Callable for Everything {
        fn exists(&self, _: &str) -> bool {
            true
        }

        fn takes(&self, _: &str, _: &str) -> bool {
            true
        }
    }

    fn translated(name: &str, subject: Option<&str>, args: &[(&str, &str)]) -> Option<String> {
        let given =
            |(name, text): &(&'static str, &'static str)| Given { name: Some(*name).filter(|n| !n.is_empty()), text };
        let args: Vec<Given<'static>> = args
            .iter()
            .map(|(n, t)| {
                given(&(Box::leak(n.to_string().into_boxed_str()), Box::leak(t.to_string().into_boxed_str())))
            })
            .collect();
        let call = Foreign {
            name,
            subject,
            made_with: None,
            args,
            kind: Some(Kind::Feat),
            second: None,
            axes: ["batch", "channel", "row", "column"].map(String::from).to_vec(),
            objective: "total",
        };
        ours(&call, &Everything).unwrap().call
    }

    #[test]
    fn arguments_go_along() {
        let some = |text: &str| Some(text.to_string());
        for (name, subject, args, here) in [
            ("nn.Conv2d", Some("x"), &[("", "1"), ("", "16"), ("", "3")][..], some("conv(16, 3)")),
            (
                "conv2d",
                Some("x"),
                &[("", "1"), ("", "16"), ("kernel_size", "3"), ("padding", "\"same\"")],
                some("conv(16, 3, pad = same)"),
            ),
            ("nn.Conv2d", None, &[("", "1"), ("", "16")], None),
            ("F.max_pool2d", None, &[("", "x"), ("", "2")], some("max_pool(x, 2)")),
            ("nn.MaxPool2d", Some("x"), &[("", "2")], some("max_pool(2)")),
            ("nn.BatchNorm2d", Some("x"), &[("", "16")], some("batch_norm")),
            ("F.mse_loss", None, &[("", "p"), ("", "t"), ("reduction", "\"sum\"")], some("mse(t, p, reduce = sum)")),
            ("F.softmax", None, &[("", "x"), ("dim", "1")], some("softmax(x, over = channel)")),
            ("softmax", Some("x"), &[("dim", "-1")], some("softmax(over = column)")),
            (
                "torch.where",
                None,
                &[("", "m > 0"), ("", "a"), ("", "f(b)")],
                some("(m > 0) * a + (1 - (m > 0)) * f(b)"),
            ),
            ("torch.optim.AdamW", None, &[("", "net.parameters()"), ("lr", "1e-4")], some("adamw(lr = 1e-4)")),
            (
                "ReduceLROnPlateau",
                None,
                &[("", "opt"), ("patience", "3")],
                some("reduce_on_plateau(watch = val.total, patience = 3epochs)"),
            ),
            ("torch.cat", None, &[("", "[a, b]"), ("dim", "1")], some("concat(a, b)")),
            ("torch.pow", None, &[("", "x"), ("", "2")], some("square(x)")),
            ("torch.pow", None, &[("", "x"), ("", "3")], None),
            ("CosineAnnealingLR", None, &[("", "opt"), ("T_max", "10")], some("cosine()")),
            ("x.view", Some("x"), &[("", "1"), ("", "2")], None),
        ] {
            assert_eq!(translated(name, subject, args), here, "{name} {args:?}");
        }
    }

    #[test]
    fn every_name_has_one_row() {
        let mut names: Vec<&str> = ROWS.iter().flat_map(|row| row.names).copied().collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(ROWS.iter().all(|row| !row.note.is_empty() || !row.ours.is_empty()));
    }
}
