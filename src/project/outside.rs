//! What is changed from outside: `--preset`, `--params` and `--set`, as the checker takes it, each with its place.

use std::collections::HashMap;
use std::path::Path;

use rord_lang::ast::{Expr, ExprKind, Name};
use rord_lang::check::{Given as GivenValue, Outside};
use rord_lang::constant::Constant;
use rord_lang::parse;
use rord_lang::report::{Report, params};
use rord_lang::source::{FileId, Sources, Span};
use rord_lang::typed::Origin;

/// What a command line gives.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    /// `--preset`
    pub preset: Option<&'a str>,
    /// `--params`
    pub params: Option<&'a Path>,
    /// `--set`, each
    pub set: &'a [String],
    /// The point of a sweep that is run: the sweep's name, and what it sets.
    pub point: Option<(&'a str, &'a [(String, Constant)])>,
    /// `--import-root`
    pub import_root: Option<&'a Path>,
}

/// Reads them all. Reports are complete: every wrong line of a file, every wrong `--set`.
pub fn read(given: &Given<'_>, sources: &mut Sources) -> Result<Outside, Vec<Report>> {
    let Given { preset, params: file, set, point, .. } = *given;
    let (mut outside, mut reports) = (Outside::default(), Vec::new());
    if let Some(preset) = preset {
        let text = format!("--preset {preset}");
        let id = sources.add("command line", text.as_str());
        let span = Span { file: id, start: 9, end: text.len() as u32 };
        outside.preset = Some(Name { text: preset.to_string(), span });
    }
    if let Some(file) = file {
        match super::files::read(file, sources) {
            Ok(id) => yaml(id, &file.display().to_string(), sources, &mut outside.given, &mut reports),
            Err(report) => reports.push(report),
        }
    }
    for one in set {
        let text = format!("--set {one}");
        let id = sources.add("command line", text.as_str());
        match one.split_once('=') {
            None => reports.push(params::set_without_value(Span { file: id, start: 6, end: text.len() as u32 }, one)),
            Some((name, value)) if value.trim().is_empty() => {
                let span = Span { file: id, start: 6, end: text.len() as u32 };
                reports.push(params::set_without_value(span, &format!("{name}=")));
            }
            Some((name, value)) => {
                let start = 6 + name.len() as u32;
                let span = Span { file: id, start: 6, end: start };
                let before = |g: &GivenValue| g.origin == Origin::Set && g.name.text == name.trim();
                if outside.given.iter().any(before) {
                    reports.push(params::duplicate_key(span, name.trim()));
                    continue;
                }
                match parse::expression(value, id, start + 1) {
                    Ok(value) => outside.given.push(GivenValue {
                        name: Name { text: name.trim().to_string(), span },
                        value,
                        origin: Origin::Set,
                        quoted: false,
                    }),
                    // A pattern of files may hold what begins a comment elsewhere.
                    Err(_) if params::names_layouts(value) => {
                        let (start, end) = (start + 1, text.len() as u32);
                        reports.push(params::path_without_reader(
                            Span { file: id, start, end },
                            name.trim(),
                            value,
                            true,
                        ));
                    }
                    Err(wrong) => {
                        let path = value.contains('/') && !value.contains('"');
                        let helped = |r| if path { params::perhaps_a_path(r, name.trim(), value) } else { r };
                        reports.extend(wrong.into_iter().map(helped));
                    }
                }
            }
        }
    }
    if let Some((sweep, values)) = point {
        for (name, value) in values {
            let text = format!("{name} = {value}");
            let id = sources.add(format!("sweep {sweep}"), text.as_str());
            let start = name.len() as u32 + 3;
            // What a constant is printed as reads back.
            let value = parse::expression(text.get(start as usize..).unwrap_or(""), id, start)?;
            let name = Name { text: name.clone(), span: Span { file: id, start: 0, end: name.len() as u32 } };
            outside.given.push(GivenValue { name, value, origin: Origin::Sweep(sweep.to_string()), quoted: false });
        }
    }
    if reports.is_empty() { Ok(outside) } else { Err(reports) }
}

/// A flat YAML file. YAML is read by its own library, so that what it means is what YAML says; places are found in the text.
pub fn yaml(file: FileId, name: &str, sources: &Sources, given: &mut Vec<GivenValue>, reports: &mut Vec<Report>) {
    use serde_yaml::Value;
    let Some(text) = sources.get(file).map(|s| s.text.clone()) else { return };
    // The library takes the square of the depth and of the length.
    if let Some((place, what)) = unlike_parameters(&text, file) {
        reports.push(params::not_flat_yaml(place, what));
        return;
    }
    let value: Value = match serde_yaml::from_str(&text) {
        Ok(value) => value,
        Err(e) => {
            // The library counts characters, and does not count a byte order mark.
            let mark = usize::from(text.starts_with('\u{feff}'));
            let at = e.location().map_or(0, |l| l.index() + mark);
            let (start, c) = text.char_indices().nth(at).unwrap_or((text.len(), '\0'));
            let end = (start + c.len_utf8()).min(text.len());
            let why = e.to_string();
            let why = why.split(" at line").next().unwrap_or(&why).to_string();
            let span = Span { file, start: start as u32, end: end as u32 };
            reports.push(match duplicate(&why) {
                Some(key) => params::duplicate_key(last_key(&text, file, key).unwrap_or(span), key),
                None => params::bad_yaml(span, &why),
            });
            return;
        }
    };
    let map = match value {
        Value::Null => return,
        Value::Mapping(map) => map,
        _ => {
            let end = text.lines().next().map_or(0, str::len) as u32;
            reports.push(params::not_flat_yaml(Span { file, start: 0, end }, "not a list of names with values"));
            return;
        }
    };
    let mut index: HashMap<&str, usize> = HashMap::new();
    keys(&text).for_each(|(key, start)| {
        index.entry(key).or_insert(start);
    });
    for (key, value) in map {
        let shown = match &key {
            Value::String(s) => s.clone(),
            other => serde_yaml::to_string(other).unwrap_or_default().trim().to_string(),
        };
        let (key_span, value_span) = place(&text, file, &shown, index.get(shown.as_str()).copied());
        let written = text.get(value_span.start as usize..value_span.end as usize).unwrap_or("").to_string();
        let quoted = written.starts_with(['"', '\'']);
        if written.starts_with(['&', '*']) {
            reports.push(params::not_flat_yaml(value_span, "an anchor of YAML, where a value belongs"));
            continue;
        }
        let expr = |kind: ExprKind| Some(Expr::new(kind, value_span));
        let parsed = match &value {
            Value::Bool(b) => expr(ExprKind::Flag(*b)),
            Value::Number(n) => expr(ExprKind::Number { value: n.as_f64().unwrap_or(f64::NAN), unit: None }),
            // Text without quotes is an expression of the language: 128px, synth(tiles = 4). With quotes it is text.
            Value::String(s) if quoted => expr(ExprKind::Text(s.clone())),
            // What older YAML reads as true or false is text by now.
            Value::String(s) if matches!(s.as_str(), "yes" | "no" | "on" | "off" | "Yes" | "No" | "On" | "Off") => {
                reports.push(params::word_of_yaml(value_span, s));
                None
            }
            Value::String(_) | Value::Sequence(_) if value.is_string() || written.starts_with('[') => {
                match parse::expression(&written, file, value_span.start) {
                    Ok(e) => Some(e),
                    Err(wrong) => {
                        reports.extend(wrong);
                        None
                    }
                }
            }
            Value::Null => {
                reports.push(params::not_flat_yaml(key_span, "has no value"));
                None
            }
            Value::String(_) | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
                let what = match &value {
                    Value::Sequence(_) => "a list, where a single value belongs",
                    Value::Mapping(_) => "a table, where a single value belongs",
                    _ => "a tag of YAML, where a single value belongs",
                };
                let at = if value_span.start < value_span.end { value_span } else { key_span };
                reports.push(params::not_flat_yaml(at, what));
                None
            }
        };
        if let Some(value) = parsed {
            let name_of = Name { text: shown, span: key_span };
            given.push(GivenValue { name: name_of, value, origin: Origin::Params(name.to_string()), quoted });
        }
    }
}

fn duplicate(why: &str) -> Option<&str> {
    why.contains("duplicate").then(|| why.split('"').nth(1)).flatten()
}

fn last_key(text: &str, file: FileId, key: &str) -> Option<Span> {
    keys(text).filter(|(k, _)| *k == key).last().map(|(k, start)| span(file, start, k.len()))
}

fn span(file: FileId, start: usize, len: usize) -> Span {
    Span { file, start: start as u32, end: (start + len) as u32 }
}

/// The most bytes of a parameter file, and the most brackets that may be open in it.
const MOST_BYTES: usize = 64 * 1024;
const MOST_OPEN: usize = 32;

/// Where a text is no parameter file at first sight, and why.
fn unlike_parameters(text: &str, file: FileId) -> Option<(Span, &'static str)> {
    if text.len() > MOST_BYTES {
        let end = text.lines().next().map_or(0, str::len);
        return Some((span(file, 0, end.min(80)), "the first of more than 64 KB"));
    }
    let mut open = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' | '{' => open += 1,
            ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MOST_OPEN {
            return Some((span(file, at, 1), "lists within lists, where a single value belongs"));
        }
    }
    None
}

/// Every `key:` at the start of a line, with its place.
fn keys(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut start = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let at = start;
        start += line.len();
        let (key, _) = line.split_once(':')?;
        let key = key.trim_end().trim_matches(['"', '\'']);
        Some((key, at + line.find(key)?))
    })
}

/// Where a key and its value stand.
fn place(text: &str, file: FileId, key: &str, start: Option<usize>) -> (Span, Span) {
    let Some(start) = start else { return (span(file, 0, 0), span(file, 0, 0)) };
    let rest = text.get(start..).unwrap_or("");
    let line = rest.split('\n').next().unwrap_or("");
    let after = line.find(':').map_or(line.len(), |c| c + 1);
    let value = line.get(after..).unwrap_or("");
    let lead = value.len() - value.trim_start().len();
    let value = value.trim_start();
    // A comment ends a value that is not quoted.
    let value = match value.chars().next() {
        Some(q @ ('"' | '\'')) => {
            value.get(1..).and_then(|v| v.find(q)).and_then(|e| value.get(..e + 2)).unwrap_or(value)
        }
        _ => value.split(" #").next().unwrap_or(value),
    };
    (span(file, start, key.len()), span(file, start + after + lead, value.trim_end().len()))
}
