//! Reports as an editor shows them: under the text that they are about, with the other places beside them.

use std::path::Path;

use lsp_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, Location,
    NumberOrString, Range,
};

use super::pages;
use super::position::Lines;
use super::uri;
use super::world::{Analysis, World};
use rord_lang::report::{Label, Report, Severity};
use rord_lang::source::{FileId, SourceKind, Sources, Span};
use rord_project::keep::between;

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
        code_description: pages::report(report.code).map(|href| CodeDescription { href }),
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
    let imports = doc.sources.of_kind(SourceKind::Import);
    let mut names: Vec<&str> = imports.map(|(_, source)| source.name.as_str()).collect();
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

/// The place of a label, in this text or in an imported one.
fn location(world: &World, doc: &Analysis, label: &Label) -> Option<Location> {
    if label.span.file == doc.unit.file {
        return Some(doc.unit.location(label.span));
    }
    let source = doc.sources.get(label.span.file)?;
    let path = Path::new(&source.name);
    // Only imports are files.
    if source.kind != SourceKind::Import {
        return None;
    }
    let real = rord_project::files::real(path);
    let open = world.open.values().find(|d| d.real.is_some() && d.real == real).map(|d| d.uri.clone());
    let range = Lines::new(&source.text, world.encoding).range(&source.text, label.span);
    Some(Location::new(open.or_else(|| uri::of(path))?, range))
}

/// The path in the import that leads to a text, directly or by what it imports; the first line where there is none.
fn imported_at(doc: &Analysis, place: Span) -> Range {
    let main = doc.unit.file;
    let here = doc.sources.imports_of(main).find(|(_, to)| reaches(&doc.sources, *to, place.file, &mut vec![main]));
    here.map_or(Range::default(), |(path, _)| doc.unit.range(path))
}

/// True where a text is another, or imports it. Texts that import each other are looked at once.
fn reaches(sources: &Sources, from: FileId, to: FileId, seen: &mut Vec<FileId>) -> bool {
    if from == to {
        return true;
    }
    if seen.contains(&from) {
        return false;
    }
    seen.push(from);
    sources.imports_of(from).any(|(_, next)| reaches(sources, next, to, seen))
}
