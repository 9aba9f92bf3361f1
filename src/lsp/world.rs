//! What the server knows: open documents, the vocabulary, and what was found out about texts since they last changed.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use lsp_types::{Location, Position, Range, Uri};

use super::position::{Encoding, Lines};
use super::uri;
use rord_lang::ast::{Comment, File};
use rord_lang::check::{Importer, NoImports, Outside, check};
use rord_lang::index::Index;
use rord_lang::lex::{Token, lex};
use rord_lang::parse::parse;
use rord_lang::report::Report;
use rord_lang::source::{FileId, SourceKind, Sources, Span};
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use rord_ops as ops;
use rord_project::files::{self, DiskImporter};

/// How many files beside the open ones are looked at.
const MOST_FILES: usize = 500;
/// How many folders are looked into: a project has a few, a home folder has no end.
const MOST_VISITS: usize = 4000;
/// How deep.
const MOST_FOLDERS: usize = 6;

/// A document that the editor has open.
pub struct Document {
    /// Its address, as the editor writes it.
    pub uri: Uri,
    /// Its version.
    pub version: i32,
    /// Its text.
    pub text: String,
    /// Its file, as the editor names it.
    pub path: Option<PathBuf>,
    /// The file that this leads to, links followed.
    pub real: Option<PathBuf>,
    /// True until its reports were sent.
    pub dirty: bool,
}

/// A text with its names: all that can be said without checking it.
pub struct Unit {
    /// Its address.
    pub uri: Uri,
    /// Its file.
    pub path: Option<PathBuf>,
    /// The file that this leads to.
    pub real: Option<PathBuf>,
    /// The text.
    pub text: String,
    /// Its lines.
    pub lines: Lines,
    /// Its tree.
    pub tree: File,
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// Its comments.
    pub comments: Vec<Comment>,
    /// Its names.
    pub index: Index,
    /// What the spans of tree, tokens and index call this text.
    pub file: FileId,
}

/// A text that was checked.
pub struct Analysis {
    /// The text.
    pub unit: Rc<Unit>,
    /// Every text that was read for it.
    pub sources: Sources,
    /// What was understood.
    pub pipeline: Pipeline,
    /// What is to be said.
    pub reports: Vec<Report>,
}

impl Unit {
    /// The text of a span.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// The range of a span.
    pub fn range(&self, span: Span) -> Range {
        self.lines.range(&self.text, span)
    }

    /// The place of a span.
    pub fn location(&self, span: Span) -> Location {
        Location::new(self.uri.clone(), self.range(span))
    }

    /// The byte of a position.
    pub fn offset(&self, position: Position) -> u32 {
        self.lines.offset(&self.text, position) as u32
    }

    /// True for the same file.
    pub fn is(&self, other: &Unit) -> bool {
        match (&self.real, &other.real) {
            (Some(a), Some(b)) => a == b,
            _ => self.uri == other.uri,
        }
    }
}

/// Everything that requests are answered from.
pub struct World {
    /// The operations.
    pub vocabulary: Vocabulary,
    /// The texts these were read from.
    pub base: Sources,
    /// What columns count.
    pub encoding: Encoding,
    /// Folders that the editor works in.
    pub folders: Vec<PathBuf>,
    /// From where and below imports may come, for the files that lie there.
    import_root: Option<PathBuf>,
    /// Open documents by address.
    pub open: BTreeMap<String, Document>,
    /// The id that every main text has: the first behind the texts of the vocabulary.
    main: FileId,
    analyses: RefCell<HashMap<String, Rc<Analysis>>>,
}

impl World {
    /// A world without documents.
    pub fn new(encoding: Encoding, folders: Vec<PathBuf>, import_root: Option<PathBuf>) -> World {
        let (vocabulary, base) = ops::vocabulary();
        let main = base.clone().add(SourceKind::Main, "", "");
        // Files are known by whole paths.
        let import_root = import_root.map(|root| {
            let whole = std::path::absolute(&root).unwrap_or(root);
            // Where the way leads up and down again, what it leads to is shorter.
            let winding = whole.components().any(|c| c == std::path::Component::ParentDir);
            if winding { files::real(&whole).unwrap_or(whole) } else { whole }
        });
        let (open, analyses) = (BTreeMap::new(), RefCell::default());
        World { vocabulary, base, encoding, folders, import_root, open, main, analyses }
    }

    /// Takes a text in, new or changed. Whatever imports it may read differently now.
    pub fn put(&mut self, uri: &Uri, version: i32, text: String) {
        let path = uri::path(uri.as_str());
        let real = path.as_deref().and_then(|p| files::real(p).or_else(|| Some(p.to_path_buf())));
        let document = Document { uri: uri.clone(), version, text, path, real, dirty: true };
        self.open.insert(uri.as_str().to_string(), document);
        self.forget(Some(uri.as_str()));
    }

    /// Lets a document go.
    pub fn close(&mut self, uri: &str) -> Option<Document> {
        let gone = self.open.remove(uri);
        self.forget(Some(uri));
        gone
    }

    /// Forgets what was found out about a text, and about all that import anything; about every text for `None`.
    pub fn forget(&mut self, changed: Option<&str>) {
        let imports =
            |a: &Analysis| a.unit.tree.items.iter().any(|i| matches!(i.kind, rord_lang::ast::ItemKind::Import { .. }));
        let mut gone = Vec::new();
        self.analyses.get_mut().retain(|uri, analysis| {
            let stays = changed.is_some_and(|c| c != uri) && !imports(analysis);
            if !stays {
                gone.push(uri.clone());
            }
            stays
        });
        for uri in gone {
            if let Some(document) = self.open.get_mut(&uri) {
                document.dirty = true;
            }
        }
    }

    /// The open document that a real file is shown in.
    fn open_text(&self, real: &Path) -> Option<String> {
        self.open.values().find(|d| d.real.as_deref() == Some(real)).map(|d| d.text.clone())
    }

    /// What is known of an open document.
    pub fn analysis(&self, uri: &str) -> Option<Rc<Analysis>> {
        if let Some(known) = self.analyses.borrow().get(uri) {
            return Some(Rc::clone(known));
        }
        let document = self.open.get(uri)?;
        let unit = self.unit(document.uri.clone(), document.path.clone(), document.real.clone(), document.text.clone());
        let found = Rc::new(self.check(Rc::new(unit), &|_| None));
        self.analyses.borrow_mut().insert(uri.to_string(), Rc::clone(&found));
        Some(found)
    }

    /// A text with its names.
    pub fn unit(&self, uri: Uri, path: Option<PathBuf>, real: Option<PathBuf>, text: String) -> Unit {
        let file = self.main;
        let (tree, _) = parse(&text, file);
        let (tokens, comments, _) = lex(&text, file);
        let index = Index::new(&tree, &tokens, &self.vocabulary);
        let lines = Lines::new(&text, self.encoding);
        Unit { uri, path, real, text, lines, tree, tokens, comments, index, file }
    }

    /// Checks a text. `other` are texts that stand in for files before the open documents do.
    pub fn check(&self, unit: Rc<Unit>, other: &dyn Fn(&Path) -> Option<String>) -> Analysis {
        let mut sources = self.base.clone();
        let file = sources.add(SourceKind::Main, self.name(&unit), unit.text.as_str());
        let open = |path: &Path| other(path).or_else(|| self.open_text(path));
        let disk = unit.path.as_deref().map(|p| DiskImporter::with_open(p, self.root(&unit), &open));
        let importer: &dyn Importer = match &disk {
            Some(disk) => disk,
            None => &NoImports,
        };
        let (pipeline, reports) = check(&mut sources, file, &self.vocabulary, importer, &Outside::default());
        Analysis { unit, sources, pipeline, reports }
    }

    /// The import root, for a text that lies below it. One that is not there is kept, so that reports say so.
    fn root(&self, unit: &Unit) -> Option<&Path> {
        let root = self.import_root.as_deref()?;
        let holds = |real: PathBuf| unit.real.as_ref().is_none_or(|file| file.starts_with(real));
        root.canonicalize().map_or(true, holds).then_some(root)
    }

    /// From where imports may come beside the folder of the text.
    pub fn import_root(&self) -> Option<&Path> {
        self.import_root.as_deref()
    }

    /// The name under which messages show a text.
    pub fn name(&self, unit: &Unit) -> String {
        unit.path.as_ref().map_or_else(|| unit.uri.as_str().to_string(), |p| p.display().to_string())
    }

    /// The file that an import of a text means.
    pub fn resolve(&self, unit: &Unit, import: &str) -> Option<Rc<Unit>> {
        let path = unit.path.as_deref()?;
        let open = |path: &Path| self.open_text(path);
        // Libraries may import what lies beside the folder of the pipeline that uses them; looking does no harm.
        let importer = DiskImporter::with_open(path, self.root(unit), &open);
        let named = path.display().to_string();
        let (real, name) = match importer.resolve(import, &named) {
            Ok(found) => found,
            Err(_) => {
                let target = path.parent()?.join(import);
                (files::real(&target).filter(|p| p.exists())?, target.display().to_string())
            }
        };
        self.read(&real, Path::new(&name))
    }

    /// A file, from its open document if it has one.
    pub fn read(&self, real: &Path, shown: &Path) -> Option<Rc<Unit>> {
        if let Some((uri, _)) = self.open.iter().find(|(_, d)| d.real.as_deref() == Some(real)) {
            return self.analysis(uri).map(|a| Rc::clone(&a.unit));
        }
        let text = std::fs::read_to_string(real).ok()?;
        let unit = self.unit(uri::of(shown)?, Some(shown.to_path_buf()), Some(real.to_path_buf()), text);
        Some(Rc::new(unit))
    }

    /// Open documents, and pipelines in the editor's folders.
    pub fn all(&self) -> Vec<Rc<Unit>> {
        let (mut paths, mut visits) = (Vec::new(), MOST_VISITS);
        self.folders.iter().for_each(|folder| pipelines(folder, MOST_FOLDERS, &mut paths, &mut visits));
        self.with_open(paths)
    }

    /// Open documents, and these files.
    fn with_open(&self, paths: Vec<PathBuf>) -> Vec<Rc<Unit>> {
        let mut found: Vec<Rc<Unit>> =
            self.open.keys().filter_map(|u| self.analysis(u)).map(|a| Rc::clone(&a.unit)).collect();
        for path in paths {
            let Some(real) = files::real(&path) else { continue };
            if !found.iter().any(|u| u.real.as_ref() == Some(&real)) {
                found.extend(self.read(&real, &path));
            }
        }
        found
    }

    /// Open documents, and pipelines in the editor's folders or beside a file: every file that may use its names.
    pub fn around(&self, unit: &Unit) -> Vec<Rc<Unit>> {
        let (mut paths, mut visits) = (Vec::new(), MOST_VISITS);
        if let Some(path) = &unit.path {
            let own: Vec<&PathBuf> = self.folders.iter().filter(|f| path.starts_with(f)).collect();
            for folder in &own {
                pipelines(folder, MOST_FOLDERS, &mut paths, &mut visits);
            }
            if let (true, Some(folder)) = (own.is_empty(), path.parent()) {
                pipelines(folder, 2, &mut paths, &mut visits);
                folder.parent().iter().for_each(|above| pipelines(above, 1, &mut paths, &mut visits));
            }
        }
        let mut found = self.with_open(paths);
        if !found.iter().any(|u| u.is(unit)) {
            found.extend(unit.real.as_deref().zip(unit.path.as_deref()).and_then(|(real, path)| self.read(real, path)));
        }
        found
    }
}

/// The `.rord` files of a folder and of `depth - 1` levels below it, without hidden folders and those that builds and runs fill.
fn pipelines(folder: &Path, depth: usize, found: &mut Vec<PathBuf>, visits: &mut usize) {
    let Some(left) = visits.checked_sub(1) else { return };
    *visits = left;
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if found.len() >= MOST_FILES {
            return;
        }
        if path.extension().is_some_and(|e| e == "rord") && path.is_file() {
            if !found.contains(&path) {
                found.push(path);
            }
        } else if depth > 1
            && !name.starts_with('.')
            && !matches!(name.as_str(), "target" | "node_modules" | "runs")
            && path.is_dir()
        {
            pipelines(&path, depth - 1, found, visits);
        }
    }
}
