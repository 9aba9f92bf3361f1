//! What names stand for, and where an expression finds them.

use std::collections::HashMap;
use std::rc::Rc;

use crate::ast::{FnParam, Function, ModelLine, Name, TypeExpr};
use crate::constant::Constant;
use crate::dim::Dim;
use crate::source::Span;
use crate::typed::ValueId;
use crate::types::{Frame, Kind};

/// What an expression stands for.
#[derive(Clone, Debug)]
pub enum Term {
    /// A tensor.
    Tensor(ValueId),
    /// Something known before the run.
    Known(Known),
    /// Several named things: what a dataset or a model returns.
    Record(Rc<Record>),
    /// Something that was reported already.
    Poison,
}

/// Something known before the run: at the latest when it starts.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its value; `None` for a parameter that nobody has set, and inside what is checked on its own.
    pub value: Option<Constant>,
    /// Its kind.
    pub kind: Kind,
    /// Its name as a size.
    pub size: Option<Dim>,
    /// Tensors that a recipe holds on to: `hardneg(at = points)`.
    pub tensors: Vec<(&'static str, ValueId)>,
}

impl Known {
    /// A value of a kind.
    pub fn new(value: Constant, kind: Kind) -> Self {
        Known { value: Some(value), kind, size: None, tensors: vec![] }
    }
}

/// Several named things.
#[derive(Debug)]
pub struct Record {
    /// What made it, for messages: `pairs`, `net`.
    pub of: String,
    /// The text that made it.
    pub made: Span,
    /// The things.
    pub fields: Vec<(String, Term)>,
    /// True where a line could not be read, so that there may be more.
    pub open: bool,
}

/// A name with its meaning.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What it stands for.
    pub term: Term,
    /// Where it was defined.
    pub span: Span,
}

/// Something that can be called, in the file it belongs to.
#[derive(Clone)]
pub enum Callable {
    /// A `fn` or a `layer`.
    Function(Rc<FunctionDef>),
    /// A `model`.
    Model(Rc<ModelDef>),
}

/// A `fn` or a `layer` with its home.
pub struct FunctionDef {
    /// Its text.
    pub function: Function,
    /// The file whose names its body sees; `None` for the standard library.
    pub home: Option<usize>,
    /// How many callables of its file came before it: its body sees those, so nothing can call itself.
    pub before: usize,
    /// True where writing it out leads too far, which was reported where it is defined.
    pub too_far: bool,
}

/// A `model` with its home.
pub struct ModelDef {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<FnParam>,
    /// Its lines.
    pub body: Vec<ModelLine>,
    /// The file whose names its body sees.
    pub home: usize,
    /// As for functions.
    pub before: usize,
    /// Its index among the pipeline's models.
    pub index: usize,
}

impl Callable {
    /// Its name and parameters.
    pub fn head(&self) -> (&Name, &[FnParam], Option<&TypeExpr>) {
        match self {
            Callable::Function(f) => (&f.function.name, &f.function.params, f.function.result.as_ref()),
            Callable::Model(m) => (&m.name, &m.params, None),
        }
    }
}

/// The names of one file.
#[derive(Default)]
pub struct FileScope {
    /// Variables.
    pub names: HashMap<String, Binding>,
    /// What can be called, in order.
    pub callables: Vec<Callable>,
    /// The place of each in that list, by its name.
    pub called: HashMap<String, usize>,
    /// Names that are defined somewhere in the file, for a report that says "later".
    pub later: HashMap<String, Span>,
    /// Names of items that an import of the file leaves behind, and what they are.
    pub left: HashMap<String, (Span, String)>,
    /// An item could not be read, and what it defines is not known.
    pub unread: bool,
}

impl FileScope {
    /// Adds what can be called from now on. Its name is new to the file.
    pub fn add(&mut self, callable: Callable) {
        self.called.insert(callable.head().0.text.clone(), self.callables.len());
        self.callables.push(callable);
    }

    /// What is called by a name, and its place in the order of the file.
    pub fn callable(&self, name: &str) -> Option<(usize, &Callable)> {
        let at = *self.called.get(name)?;
        self.callables.get(at).map(|c| (at, c))
    }
}

/// Where an expression finds its names.
#[derive(Clone)]
pub struct Env {
    /// The innermost names: parameters, and the lines of a model so far.
    pub locals: Rc<Vec<(String, Binding)>>,
    /// The file; `None` for the standard library.
    pub home: Option<usize>,
    /// How many of its callables are visible.
    pub visible: usize,
    /// True at the top level, where tensors are visible.
    pub top: bool,
    /// Where new weights hang: `net.det`, then places in the chain. `None` outside of models.
    pub weights: Option<Rc<WeightPath>>,
    /// The call that a standard function was entered by: its own text means nothing to the user.
    pub entered_by: Option<Span>,
    /// Where ambient defaults are looked up.
    pub caller: Option<Rc<Env>>,
    /// What sizes and frames are called here.
    pub subst: Rc<Subst>,
    /// How many calls deep.
    pub depth: u32,
}

/// Where new weights hang.
#[derive(Clone, Debug)]
pub struct WeightPath {
    /// The model.
    pub model: usize,
    /// `net.det.0`
    pub name: String,
}

impl Env {
    /// The same place, with weights one segment further down.
    pub fn under(&self, segment: impl std::fmt::Display) -> Env {
        let weights = self
            .weights
            .as_ref()
            .map(|w| Rc::new(WeightPath { model: w.model, name: format!("{}.{segment}", w.name) }));
        Env { weights, ..self.clone() }
    }
}

/// What the names of sizes and frames in a signature stand for in one call, and which argument said so.
#[derive(Clone, Debug, Default)]
pub struct Subst {
    /// Sizes.
    pub dims: HashMap<String, (Dim, usize)>,
    /// Frames.
    pub frames: HashMap<String, (Frame, usize)>,
    /// The batch that stands before the axes of the signature, where the operation takes one.
    pub batch: Option<(Dim, usize)>,
}
