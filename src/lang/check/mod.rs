//! The checker: a syntax tree to a typed pipeline.
//!
//! Functions, layers and models are checked once on their own, with sizes, frames and settings unknown, and written out
//! at every call, with all of them known. An ill-typed name is poison and silent from then on, so one mistake gives one
//! report.

mod anchors;
mod apply;
mod arith;
mod axes;
mod body;
mod call;
mod causes;
mod corners;
mod data;
mod exchanged;
mod exports;
mod expr;
mod fit;
mod follow;
mod foreign;
mod grads;
mod habits;
mod imports;
mod items;
mod lineage;
mod lints;
mod logs;
mod params;
mod parts;
mod places;
mod pulls;
mod range;
mod recursion;
mod scope;
mod sections;
mod sizes;
mod timed;
mod uneven;
mod unused;
mod watches;

use std::collections::HashMap;
use std::rc::Rc;

use super::ast::{Expr, ExprKind, Name};
use super::dim::{Dim, Symbol};
use super::parse;
use super::report::{self, Report};
use super::source::{FileId, Sources, Span};
use super::typed::{Pipeline, Stage, Value, ValueId, ValueSource};
use super::types::{Kind, Type};
use super::vocabulary::Vocabulary;
pub use grads::LINTS;
pub use items::defined_by as names_of;
use logs::Logs;
use scope::{Env, FileScope, FunctionDef, Subst, Term};

/// The most calls that a pipeline may be written out to, and the most that are written out to check it: what each
/// function and model takes on its own counts in the second.
const MOST_CALLED: u32 = 200_000;
const MOST_WORK: u32 = 400_000;
/// Once there are this many reports, no more is looked for what was meant: nobody reads so far.
const MOST_HELPED: usize = 300;

/// Returns imported files, so that the checker itself reads none.
pub trait Importer {
    /// The text of `path`, as written in the file called `from`, and the name under which messages show it.
    fn import(&self, path: &str, from: &str) -> Result<(String, String), ImportError>;
}

/// Why a file could not be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// It is not there, or cannot be read.
    Unreadable(String),
    /// It lies outside of the pipeline's folder.
    Outside(String),
}

/// Imports nothing: for a pipeline that has no files beside it.
pub struct NoImports;

impl Importer for NoImports {
    fn import(&self, path: &str, _from: &str) -> Result<(String, String), ImportError> {
        Err(ImportError::Unreadable(format!("{path}: there are no files here")))
    }
}

/// A value given from outside.
#[derive(Clone, Debug)]
pub struct Given {
    /// The parameter's name.
    pub name: Name,
    /// Its value, as an expression of the language.
    pub value: Expr,
    /// Where it was given.
    pub origin: super::typed::Origin,
    /// True where the text was a quoted string in YAML.
    pub quoted: bool,
}

/// What is changed from outside.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// `--preset`: its name and where it was given.
    pub preset: Option<Name>,
    /// `--params` and `--set`, in the order in which they count.
    pub given: Vec<Given>,
    /// The tensors that a caller supplies for the inputs, where there are any yet.
    pub tensors: Option<Tensors>,
}

/// Tensors of a file, as far as the checker cares: their names and shapes.
#[derive(Clone, Debug, Default)]
pub struct Tensors {
    /// The file's name, for messages.
    pub file: String,
    /// Every tensor's name and shape.
    pub shapes: Vec<(String, Vec<usize>)>,
}

/// Checks the file `main` of `sources`.
///
/// The pipeline is complete where no report is an error; else it holds what was understood.
pub fn check(
    sources: &mut Sources,
    main: FileId,
    vocabulary: &Vocabulary,
    importer: &dyn Importer,
    outside: &Outside,
) -> (Pipeline, Vec<Report>) {
    let text = sources.get(main).map(|s| std::sync::Arc::clone(&s.text)).unwrap_or_else(|| "".into());
    let (tree, reports) = parse::parse(&text, main);
    let loaded = HashMap::from([(sources.get(main).map(|s| s.name.clone()).unwrap_or_default(), (main, None))]);
    let mut checker = Checker {
        vocabulary,
        sources,
        importer,
        out: Pipeline::default(),
        logs: Logs { reports, ..Logs::default() },
        files: vec![],
        standard: HashMap::new(),
        loaded,
        importing: vec![],
        dims: HashMap::new(),
        symbols: 0,
        streams: (0, 0),
        generic: false,
        wanted: None,
        untaken: false,
        budget: MOST_CALLED,
        work: MOST_WORK,
        too_far: false,
        allowed: vec![],
        ambient: Default::default(),
        made: Default::default(),
        paced: Default::default(),
        frames_of_data: HashMap::new(),
        stage: (0, 0),
    };
    checker.run(&tree, outside);
    if tree.items.is_empty() && checker.logs.reports.is_empty() {
        checker.logs.reports.push(report::syntax::nothing_in_it(Span { file: main, start: 0, end: 0 }));
    }
    checker.keep_causes(&tree);
    let Checker { out, logs: Logs { values, frames, reports, .. }, .. } = checker;
    (Pipeline { values, frames, ..out }, report::tidy(reports))
}

/// The state of a check.
pub struct Checker<'a> {
    vocabulary: &'a Vocabulary,
    sources: &'a mut Sources,
    importer: &'a dyn Importer,
    /// What has been understood, but for values and frames.
    out: Pipeline,
    logs: Logs,
    files: Vec<FileScope>,
    standard: HashMap<String, Rc<FunctionDef>>,
    /// Files by name, each with its text; `None` for one that is still being read.
    loaded: HashMap<String, (FileId, Option<usize>)>,
    /// The files that led to the one at hand.
    importing: Vec<String>,
    /// Sizes that the data declares, by name.
    dims: HashMap<String, Dim>,
    symbols: u32,
    /// The stream of the item at hand, and how many it has given to draws.
    streams: (u64, u64),
    /// True while something is checked on its own.
    generic: bool,
    /// The kind that is wanted of the expression at hand, where that is known.
    wanted: Option<Kind>,
    /// True in a branch that is not taken.
    untaken: bool,
    /// Calls that may still be written out into the pipeline.
    budget: u32,
    /// Calls that may still be written out at all, to be checked on their own or to stay.
    work: u32,
    /// True once calls led too far in the item at hand.
    too_far: bool,
    allowed: Vec<grads::Allowed>,
    /// Names that stood in for arguments that were left out.
    ambient: std::collections::HashSet<String>,
    /// Weights made in the model call at hand.
    made: std::collections::HashSet<String>,
    /// Reported numbers that a number that changes listens to: `train.hit`.
    paced: std::collections::HashSet<String>,
    /// The dataset that each frame belongs to.
    frames_of_data: HashMap<super::types::Frame, String>,
    /// The line at hand, and the calls of models so far.
    stage: (usize, usize),
}

impl Checker<'_> {
    /// Lists a value.
    fn push(&mut self, source: ValueSource, ty: Type, span: Span) -> ValueId {
        let bounds = self.bounds(&source, &ty);
        let ty = Self::narrowed(&source, ty, &bounds);
        self.logs.bounds.push(bounds);
        self.logs.values.push(Value { source, ty, span, stage: self.stage.0 });
        ValueId(u32::try_from(self.logs.values.len() - 1).unwrap_or(u32::MAX))
    }

    /// Enters a line that makes values, a model's in the call of this number or an item; the line to go back to.
    fn enter(&mut self, name: &str, line_of: Option<(usize, usize)>) -> usize {
        let outer = self.stage.0;
        // What is checked on its own makes nothing that stays.
        if !self.generic {
            let stages = &mut self.out.stages;
            let within = if line_of.is_some() { outer } else { stages.len() };
            let (model, call) = line_of.map_or((None, 0), |(model, call)| (Some(model), call));
            stages.push(Stage { name: name.into(), model, call, within });
            self.stage.0 = stages.len() - 1;
        }
        outer
    }

    /// A value.
    fn value(&self, id: ValueId) -> Option<&Value> {
        self.logs.values.get(id.0 as usize)
    }

    fn value_type(&self, id: ValueId) -> Option<Type> {
        self.value(id).map(|v| v.ty.clone())
    }

    fn type_of(&self, term: &Term) -> Option<Type> {
        match term {
            Term::Tensor(id) => self.value_type(*id),
            Term::Known(k) => Some(Type::plain(k.kind)),
            _ => None,
        }
    }

    /// Where a tensor was declared or made.
    fn origin(&self, term: &Term) -> Option<Span> {
        match term {
            Term::Tensor(id) => self.value(*id).map(|v| v.span),
            _ => None,
        }
    }

    /// The name of the image that a tensor was computed from, in its own frame.
    fn image_of(&self, term: &Term) -> Option<String> {
        let Term::Tensor(id) = term else { return None };
        let frame = self.value_type(*id)?.frame;
        let mut seen = std::collections::HashSet::new();
        let mut open = vec![*id];
        while let Some(id) = open.pop() {
            let Some(value) = self.value(id).filter(|_| seen.insert(id)) else { continue };
            match &value.source {
                ValueSource::Field { name, .. } if value.ty.kind.is(Kind::Map) && value.ty.frame == frame => {
                    return Some(name.clone());
                }
                ValueSource::Apply(apply) => open.extend(apply.inputs.iter().rev().map(|(_, id)| *id)),
                ValueSource::Alias(of) => open.push(*of),
                _ => {}
            }
        }
        None
    }

    fn new_symbol(&mut self, name: &str, opaque: bool) -> Symbol {
        self.symbols += 1;
        Symbol { id: self.symbols, name: name.into(), opaque }
    }

    fn unknown_dim(&mut self, name: &str) -> Dim {
        let symbol = self.new_symbol(name, true);
        Dim::symbol(symbol)
    }

    /// Names the random stream of the next draw in the item at hand. The name depends on the item's name and the draw's
    /// number in it, so that other items can come and go.
    fn next_stream(&mut self) -> u64 {
        self.streams.1 += 1;
        let mut hash = blake3::Hasher::new();
        hash.update(&self.streams.0.to_le_bytes());
        hash.update(&self.streams.1.to_le_bytes());
        first_eight(hash.finalize().as_bytes())
    }

    fn begin_streams(&mut self, item: &str) {
        self.streams = (first_eight(blake3::hash(item.as_bytes()).as_bytes()), 0);
    }

    /// A parameter's name as the vocabulary holds it.
    fn intern(&self, name: &str) -> &'static str {
        self.vocabulary.intern(name)
    }

    /// The top level of a file.
    fn top(&self, home: usize) -> Env {
        Env {
            locals: Rc::default(),
            home: Some(home),
            visible: usize::MAX,
            top: true,
            weights: None,
            entered_by: None,
            caller: None,
            subst: Rc::new(Subst::default()),
            depth: 0,
            within: None,
        }
    }
}

fn first_eight(bytes: &[u8; 32]) -> u64 {
    bytes.iter().take(8).fold(0, |n, b| (n << 8) | u64::from(*b))
}

/// True for the expression `none`.
pub fn is_none(e: &Expr) -> bool {
    matches!(&e.kind, ExprKind::Name(n) if n == "none")
}
