//! What is changed from outside: `--preset`, `--params` and `--set`, as the checker takes it, each with its place.

use std::path::Path;

use rord_lang::ast::Name;
use rord_lang::check::{Given as GivenValue, Outside};
use rord_lang::constant::Constant;
use rord_lang::parse;
use rord_lang::report::{Report, params};
use rord_lang::source::{SourceKind, Sources, Span};
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
        let id = sources.add(SourceKind::CommandLine, "command line", text.as_str());
        let span = Span { file: id, start: 9, end: text.len() as u32 };
        outside.preset = Some(Name { text: preset.to_string(), span });
    }
    if let Some(file) = file {
        match super::files::read(file, SourceKind::Params, sources) {
            Ok(id) => {
                let (given, wrong) = super::params::read(id, &Origin::Params(file.display().to_string()), sources);
                outside.given.extend(given);
                reports.extend(wrong);
            }
            Err(report) => reports.push(report),
        }
    }
    for one in set {
        match set_value(one, sources) {
            Ok(value) => outside.given.push(value),
            Err(wrong) => reports.extend(wrong),
        }
    }
    if let Some((sweep, values)) = point {
        for (name, value) in values {
            let text = format!("{name} = {value}");
            let id = sources.add(SourceKind::Sweep, format!("sweep {sweep}"), text.as_str());
            let start = name.len() as u32 + 3;
            // What a constant is printed as reads back.
            let value = parse::expression(text.get(start as usize..).unwrap_or(""), id, start)?;
            let name = Name { text: name.clone(), span: Span { file: id, start: 0, end: name.len() as u32 } };
            outside.given.push(GivenValue { name, value, origin: Origin::Sweep(sweep.to_string()), quoted: false });
        }
    }
    if reports.is_empty() { Ok(outside) } else { Err(reports) }
}

/// What one `--set` gives: `lr=3e-4`. Blanks around the name and the value do not count.
fn set_value(one: &str, sources: &mut Sources) -> Result<GivenValue, Vec<Report>> {
    const FLAG: &str = "--set ";
    let text = format!("{FLAG}{one}");
    let file = sources.add(SourceKind::CommandLine, "command line", text.as_str());
    let whole = Span { file, start: FLAG.len() as u32, end: text.len() as u32 };
    let Some((left, value)) = one.split_once('=') else { return Err(vec![params::set_without_value(whole, one)]) };
    let name = left.trim();
    if value.trim().is_empty() {
        return Err(vec![params::set_without_value(whole, &format!("{name}="))]);
    }
    let start = whole.start + (left.len() - left.trim_start().len()) as u32;
    let span = Span { file, start, end: start + name.len() as u32 };
    match parse::expression(value, file, whole.start + left.len() as u32 + 1) {
        Ok(value) => {
            let name = Name { text: name.to_string(), span };
            Ok(GivenValue { name, value, origin: Origin::Set, quoted: false })
        }
        // A pattern of files may hold what begins a comment elsewhere.
        Err(_) if params::names_layouts(value) => {
            let span = Span { file, start: whole.start + left.len() as u32 + 1, end: whole.end };
            Err(vec![params::path_without_reader(span, name, value, true)])
        }
        Err(wrong) => {
            let path = value.contains('/') && !value.contains('"');
            let helped = |r| if path { params::perhaps_a_path(r, name, value) } else { r };
            Err(wrong.into_iter().map(helped).collect())
        }
    }
}
