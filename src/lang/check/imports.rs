//! Imports: callables of another file, which is read once, and what stays behind in it.

use super::items::Progress;
use super::scope::{Binding, FileScope, Term};
use super::{Checker, ImportError};
use crate::ast::{Item, ItemKind, Name};
use crate::parse;
use crate::report::{names, params as params_report};
use crate::source::SourceKind;

impl Checker<'_> {
    /// Brings callables of another file into this one.
    pub(super) fn import(&mut self, path: &crate::ast::Text, wanted: &[Name], home: usize) {
        let from = self.sources.get(path.span.file).map(|s| s.name.clone()).unwrap_or_default();
        let (name, text) = match self.importer.import(&path.text, &from) {
            Ok(found) => found,
            Err(ImportError::Unreadable(why)) => {
                self.logs.reports.push(params_report::cannot_import(path.span, &path.text, &why));
                return self.poison_callables(wanted, home);
            }
            Err(ImportError::Outside(root)) => {
                self.logs.reports.push(params_report::import_outside(path.span, &path.text, &root));
                return self.poison_callables(wanted, home);
            }
        };
        let other = match self.loaded.get(&name) {
            Some((file, Some(other))) => {
                self.sources.link(path.span, *file);
                *other
            }
            Some((_, None)) => {
                let start = self.importing.iter().position(|f| *f == name).unwrap_or(self.importing.len());
                let mut chain = self.importing.get(start..).unwrap_or(&[]).to_vec();
                chain.extend([from, name]);
                self.logs.reports.push(params_report::import_cycle(path.span, &chain));
                return self.poison_callables(wanted, home);
            }
            None => {
                let file = self.sources.add(SourceKind::Import, &name, text.as_str());
                self.sources.link(path.span, file);
                self.loaded.insert(name.clone(), (file, None));
                self.importing.push(from);
                let (tree, reports) = parse::parse(&text, file);
                // The lines of a body that could not be read look like items that stay behind.
                let read = reports.is_empty();
                self.logs.reports.extend(reports);
                let other = self.open_file(&tree, brought);
                let left: Vec<&str> = tree.items.iter().filter(|i| !brought(i)).map(|i| left_out(&i.kind)).collect();
                let before = self.logs.reports.len();
                for item in &tree.items {
                    // What stays behind is not part of this pipeline, and neither is what is allowed there.
                    if brought(item) {
                        self.attributes(item);
                    }
                    match &item.kind {
                        ItemKind::Import { path, names } => self.import(path, names, other),
                        ItemKind::Function(f) => self.function(f, other),
                        ItemKind::Model { name, params, body } => {
                            self.model(item, name, params, body, other, &mut Progress::default());
                        }
                        // What could not be read was reported; what uses it is not wrong as well.
                        ItemKind::Broken { defines } => self.poison_new(defines, other),
                        _ => {}
                    }
                }
                // Where one of them is missing, that was reported.
                let reported = self.logs.reports.iter().skip(before).any(|r| r.code == "R0822");
                if !left.is_empty() && !reported && read {
                    self.logs.reports.push(params_report::not_brought(path.span, &path.text, &left));
                }
                self.importing.pop();
                self.loaded.insert(name.clone(), (file, Some(other)));
                other
            }
        };
        for want in wanted {
            let found = self.files.get(other).and_then(|f| f.callable(&want.text)).map(|(_, c)| c.clone());
            let known: Vec<String> = self
                .files
                .get(other)
                .map(|f| f.callables.iter().map(|c| c.head().0.text.clone()).collect())
                .unwrap_or_default();
            match found {
                Some(callable) if self.new_callable(want, home) => {
                    if let Some(file) = self.files.get_mut(home) {
                        file.add(callable);
                    }
                }
                Some(_) => {}
                None => {
                    let unread = |f: &FileScope| {
                        f.unread || f.names.get(&want.text).is_some_and(|b| matches!(b.term, Term::Poison))
                    };
                    if !self.files.get(other).is_some_and(unread) {
                        self.logs.reports.push(names::not_in_file(want.span, &want.text, &path.text, &known));
                    }
                    self.poison_callables(std::slice::from_ref(want), home);
                }
            }
        }
    }

    /// Names of items that could not be read stand for anything.
    pub(super) fn poison_new(&mut self, defines: &[Name], home: usize) {
        let Some(file) = self.files.get_mut(home) else { return };
        file.unread |= defines.is_empty();
        for name in defines {
            let binding = Binding { term: Term::Poison, span: name.span };
            file.names.entry(name.text.clone()).or_insert(binding);
        }
    }

    /// Names that could not be imported are poison, so that their calls are not reported again.
    fn poison_callables(&mut self, wanted: &[Name], home: usize) {
        if let Some(file) = self.files.get_mut(home) {
            for name in wanted {
                file.names.insert(name.text.clone(), Binding { term: Term::Poison, span: name.span });
            }
        }
    }
}

/// What an import brings, and what an imported file needs for it.
fn brought(item: &Item) -> bool {
    let kinds = matches!(item.kind, ItemKind::Import { .. } | ItemKind::Function(_) | ItemKind::Model { .. });
    kinds || matches!(item.kind, ItemKind::Broken { .. })
}

/// What an item is called that an import leaves out.
pub(super) fn left_out(item: &ItemKind) -> &str {
    match item {
        ItemKind::Pipeline { .. } => "pipeline",
        ItemKind::Param { .. } => "param",
        ItemKind::Preset { .. } => "preset",
        ItemKind::Sweep { .. } => "sweep",
        ItemKind::Data { .. } => "data",
        ItemKind::Input { .. } => "input",
        ItemKind::Let(_) => "let",
        ItemKind::Loss { .. } => "loss",
        ItemKind::Metric { .. } => "metric",
        ItemKind::Minimize { .. } => "minimize",
        ItemKind::Section { keyword, .. } => &keyword.text,
        _ => "item",
    }
}
