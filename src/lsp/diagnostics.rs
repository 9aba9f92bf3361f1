//! Reports as an editor shows them: under the text that they are about, with the other places beside them.

use std::path::Path;

use lsp_types::{
    Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, Location, NumberOrString, Range,
};

use super::position::Lines;
use super::uri;
use super::world::{Analysis, World};
use rord_lang::ast::ItemKind;
use rord_lang::report::{Label, Report, Severity};
use rord_lang::source::{FileId, Span};

/// All reports of a text.
pub fn all(world: &World, doc: &Analysis, related: bool) -> Vec<Diagnostic> {
    doc.reports.iter().map(|r| one(world, doc, r, related)).collect()
}

/// One report. Without `related`, which not all editors show, the other places stand in the message.
pub fn one(world: &World, doc: &Analysis, report: &Report, related: bool) -> Diagnostic {
    let place = report.place();
    let here = place.filter(|p| p.file == doc.unit.file);
    let range = match (here, place) {
        (Some(place), _) => doc.unit.range(place),
        // What is wrong in an imported file is shown where it is imported.
        (None, Some(elsewhere)) => imported_at(doc, elsewhere),
        (None, None) => Range::default(),
    };
    let mut message = report.title.clone();
    let mut others = Vec::new();
    for (i, label) in report.labels.iter().enumerate() {
        if i == 0 && here.is_some() {
            if !label.text.is_empty() {
                message.push_str(&format!("\n{}", label.text));
            }
        } else if let (true, Some(location)) = (related, location(world, doc, label)) {
            others.push(DiagnosticRelatedInformation { location, message: label.text.clone() });
        } else {
            let (line, _) = doc.sources.line_column(label.span);
            let name = doc.sources.get(label.span.file).map_or("", |s| s.name.as_str());
            let file = if label.span.file == doc.unit.file { String::new() } else { format!("{name}, ") };
            message.push_str(&format!("\n{file}line {line}: {}", label.text));
        }
    }
    if let Some(help) = &report.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    let message = seen_from(doc, report.code, message);
    others.iter_mut().for_each(|o: &mut DiagnosticRelatedInformation| {
        o.message = seen_from(doc, report.code, std::mem::take(&mut o.message));
    });
    Diagnostic {
        range,
        severity: Some(match report.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Advice => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(report.code.into())),
        source: Some("rord".into()),
        message,
        related_information: (!others.is_empty()).then_some(others),
        tags: (report.code == "R0232").then(|| vec![DiagnosticTag::UNNECESSARY]),
        ..Diagnostic::default()
    }
}

/// A message with files as they are called in an import of the text: `lib/parts.rord`, not the whole path.
fn seen_from(doc: &Analysis, code: &str, mut message: String) -> String {
    let Some(folder) = doc.unit.path.as_deref().and_then(Path::parent) else { return message };
    let later = (doc.unit.file.0.saturating_add(1)..).map_while(|id| doc.sources.get(FileId(id)));
    let mut names: Vec<&str> = later.map(|s| s.name.as_str()).filter(|n| Path::new(n).is_absolute()).collect();
    // What begins with another name goes first.
    names.sort_by_key(|n| std::cmp::Reverse(n.len()));
    for name in names.into_iter().filter(|n| message.contains(*n)).collect::<Vec<_>>() {
        message = message.replace(name, &between(folder, Path::new(name)));
    }
    // These speak of files that were not read, or of the text itself.
    if matches!(code, "R0803" | "R0806") {
        message = message.replace(&format!("{}{}", folder.display(), std::path::MAIN_SEPARATOR), "");
    }
    message
}

/// The way from a folder to a file, with `/` as imports have it.
fn between(folder: &Path, file: &Path) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (folder.components().collect(), file.components().collect());
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_string(), from.len() - same);
    let down = to.iter().skip(same).map(|c| c.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// The place of a label, in this text or in an imported one.
fn location(world: &World, doc: &Analysis, label: &Label) -> Option<Location> {
    if label.span.file == doc.unit.file {
        return Some(doc.unit.location(label.span));
    }
    let source = doc.sources.get(label.span.file)?;
    let path = Path::new(&source.name);
    // The texts of the vocabulary have names that are no files.
    if !path.is_absolute() {
        return None;
    }
    let real = rord_project::files::real(path);
    let open = world.open.values().find(|d| d.real.is_some() && d.real == real).map(|d| d.uri.clone());
    let range = Lines::new(&source.text, world.encoding).range(&source.text, label.span);
    Some(Location::new(open.or_else(|| uri::of(path))?, range))
}

/// The path in the import that leads to a text; the first line where it is imported by another import.
fn imported_at(doc: &Analysis, place: Span) -> Range {
    let name = doc.sources.get(place.file).map(|s| s.name.clone()).unwrap_or_default();
    let imports: Vec<Span> = doc
        .unit
        .tree
        .items
        .iter()
        .filter_map(|item| match &item.kind {
            ItemKind::Import { path, .. } => Some((path.span, path.text.clone())),
            _ => None,
        })
        .filter(|(_, text)| text.rsplit('/').next().is_some_and(|last| !last.is_empty() && name.ends_with(last)))
        .map(|(span, _)| span)
        .collect();
    imports.first().map_or(Range::default(), |span| doc.unit.range(*span))
}
