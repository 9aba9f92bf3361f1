//! Parameter files, for `--params` and in the folder of a run: a flat list in YAML, as `lr: 3e-4`, read and written.

use std::collections::HashMap;

use rord_lang::ast::{Expr, ExprKind, Name};
use rord_lang::check::Given as GivenValue;
use rord_lang::constant::Constant;
use rord_lang::parse;
use rord_lang::report::{Report, params};
use rord_lang::source::{FileId, SourceKind, Sources, Span};
use rord_lang::tree;
use rord_lang::typed::{Origin, ParamInfo};

/// The values of a parameter file, and reports on its mistakes. A YAML library reads it, so that it means what YAML defines;
/// places are found in the text.
pub fn read(file: FileId, origin: &Origin, sources: &Sources) -> (Vec<GivenValue>, Vec<Report>) {
    let (mut given, mut reports) = (Vec::new(), Vec::new());
    take(file, origin, sources, &mut given, &mut reports);
    (given, reports)
}

fn take(file: FileId, origin: &Origin, sources: &Sources, given: &mut Vec<GivenValue>, reports: &mut Vec<Report>) {
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
        let mut formula = |text: &str, start: u32| match parse::expression(text, file, start) {
            Ok(e) => Some(e),
            Err(wrong) => {
                reports.extend(wrong);
                None
            }
        };
        let parsed = match &value {
            Value::Bool(b) => expr(ExprKind::Flag(*b)),
            Value::Number(n) => expr(ExprKind::Number { value: n.as_f64().unwrap_or(f64::NAN), unit: None }),
            // Text without quotes is an expression of the language: 128px, synth(tiles = 4). With quotes it is text.
            Value::String(s) if quoted => expr(ExprKind::Text(s.clone())),
            // A block holds what would be a comment or a table in a line: gds("a #1: b.gds").
            Value::String(_) if written.starts_with(['|', '>']) => {
                let block = block(&text, value_span);
                formula(sources.text(block), block.start)
            }
            // What older YAML reads as true or false is text by now.
            Value::String(s) if matches!(s.as_str(), "yes" | "no" | "on" | "off" | "Yes" | "No" | "On" | "Off") => {
                reports.push(params::word_of_yaml(value_span, s));
                None
            }
            Value::String(_) | Value::Sequence(_) if value.is_string() || written.starts_with('[') => {
                formula(&written, value_span.start)
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
            given.push(GivenValue { name: name_of, value, origin: origin.clone(), quoted });
        }
    }
}

/// All parameters as a file that [`read`] takes back, and the names of those whose value no such file can hold. A parameter
/// without a value, or with one that cannot be held, is a comment in it.
pub fn text(params: &[ParamInfo]) -> (String, Vec<&str>) {
    let (mut out, mut left) = (String::new(), Vec::new());
    for param in params {
        let name = &param.name;
        let about: Vec<&str> = param.about.iter().flat_map(|about| about.split_whitespace()).collect();
        let about = if about.is_empty() { String::new() } else { format!("   # {}", about.join(" ")) };
        let Some(value) = &param.value else {
            out.push_str(&format!("# {name}: no value yet{about}\n"));
            continue;
        };
        let line = match value {
            Constant::Text(text) => format!("{name}: {}", string(text)),
            value => format!("{name}: {value}"),
        };
        let block = format!("{name}: |-\n  {value}");
        let form = [line, block].into_iter().find(|form| reads_back(form, name, value));
        out.push_str(&match form.as_deref().map(|form| form.split_once('\n').unwrap_or((form, ""))) {
            Some((line, "")) => format!("{line}{about}\n"),
            Some((head, value)) => format!("{head}{about}\n{value}\n"),
            None => {
                left.push(name.as_str());
                format!("# {name}: {:?}, which no file of parameters holds\n", value.to_string())
            }
        });
    }
    (out, left)
}

/// True where a file with this text alone gives the parameter this value.
fn reads_back(text: &str, name: &str, value: &Constant) -> bool {
    let mut sources = Sources::default();
    let file = sources.add(SourceKind::Params, "", text);
    let (given, reports) = read(file, &Origin::Missing, &sources);
    let [found] = given.as_slice() else { return false };
    let same = match (value, &found.value.kind) {
        (Constant::Text(text), ExprKind::Text(read)) => found.quoted && text == read,
        (Constant::Text(_), _) => false,
        (value, _) => {
            let wanted = parse::expression(&value.to_string(), file, 0).map(|e| tree::expression(&e));
            !found.quoted && wanted.is_ok_and(|wanted| wanted == tree::expression(&found.value))
        }
    };
    same && reports.is_empty() && found.name.text == name
}

/// A string of YAML in double quotes. What is not printed is written by its number.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04X}", c as u32))
            }
            c if c.is_control() => out.push_str(&format!("\\x{:02X}", c as u32)),
            c => out.push(c),
        }
    }
    out + "\""
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

/// The places of a key and its value.
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
        Some(q @ ('"' | '\'')) => value.get(..quoted_length(value, q)).unwrap_or(value),
        _ => value.split(" #").next().unwrap_or(value),
    };
    (span(file, start, key.len()), span(file, start + after + lead, value.trim_end().len()))
}

/// The bytes of a string of YAML, quotes included; a backslash before a double quote makes it a part of the string.
fn quoted_length(value: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in value.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quote == '"',
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    value.len()
}

/// The lines below the mark of a block: up to the next line that begins at its margin.
fn block(text: &str, mark: Span) -> Span {
    let rest = text.get(mark.end as usize..).unwrap_or("");
    let head = rest.find('\n').map_or(rest.len(), |at| at + 1);
    let inside = |line: &&str| line.trim().is_empty() || line.starts_with([' ', '\t']);
    let lines = rest.get(head..).unwrap_or("").split_inclusive('\n').take_while(inside);
    let start = mark.end as usize + head;
    span(mark.file, start, lines.map(str::len).sum())
}
