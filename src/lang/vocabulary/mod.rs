//! The operations a pipeline may use, as the checker sees them: signatures in .rord syntax, and rules for what a
//! signature cannot express.
//!
//! `lang` knows no operation by name. It is given a [`Vocabulary`], which `ops` fills.

mod application;
mod entry;
mod facts;
mod signature;

use std::collections::HashMap;

use crate::ast::{FnParam, Function, ItemKind, TypeExpr};
use crate::parse;
use crate::report::Report;
use crate::source::{FileId, SourceKind, Sources};
use crate::types::Kind;

pub use application::{Application, NewWeight, POSITIONS, RuleArg};
pub use entry::{
    Entry, FilterNames, Finding, FrameName, GraphFacts, InRun, LineNames, Offers, Products, ReadsThrough, Rule, Shapes,
    TakesIn,
};
pub use facts::{Combines, Compares, LintFacts, Ranges};
use signature::signature;
pub use signature::usage;

/// An operation with its signature read.
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// Its parameters.
    pub params: Vec<FnParam>,
    /// The type of its result.
    pub result: Option<TypeExpr>,
    /// Everything else.
    pub entry: Entry,
    /// Types of the fields a dataset offers.
    pub offers: Vec<(&'static str, TypeExpr)>,
}

impl Operation {
    /// True for a dataset whose fields only the pipeline names: it offers whatever is declared.
    pub fn offers_declared(&self) -> bool {
        matches!(self.entry.offers, Offers::Declared)
    }
}

/// A function of the standard library, written in the language itself.
pub struct StandardFunction {
    /// Its text, read.
    pub function: Function,
    /// Its documentation.
    pub doc: Vec<String>,
    /// The file it is in.
    pub file: FileId,
}

/// Every operation and every function of the standard library.
#[derive(Default)]
pub struct Vocabulary {
    operations: HashMap<&'static str, Operation>,
    functions: HashMap<String, StandardFunction>,
    order: Vec<String>,
    parameters: HashMap<String, &'static str>,
}

impl Vocabulary {
    /// Reads all signatures, and the standard library's files. What is wrong with them comes back as reports: a mistake
    /// in the vocabulary is the tool's, and a test makes sure that there is none.
    pub fn new(
        entries: &[(&'static str, Entry)],
        library: &[(&'static str, &'static str)],
        sources: &mut Sources,
    ) -> (Self, Vec<Report>) {
        let (mut vocabulary, mut reports) = (Self::default(), Vec::new());
        for (name, entry) in entries {
            let file = sources.add(SourceKind::Library, format!("<{name}>"), entry.signature);
            match parse::signature(entry.signature, file) {
                Ok((_, params, result)) => {
                    let mut offers = Vec::new();
                    let offered = match entry.offers {
                        Offers::Fields(of) => of(name),
                        Offers::Nothing | Offers::Declared => Vec::new(),
                    };
                    for (field, text) in offered {
                        match parse::signature(&format!("offer() -> {text}"), file) {
                            Ok((_, _, Some(ty))) => offers.push((field, ty)),
                            Ok(_) => {}
                            Err(wrong) => reports.extend(wrong),
                        }
                    }
                    vocabulary.order.push((*name).to_string());
                    for param in &params {
                        if let Some(text) = within(entry.signature, &param.name.text) {
                            vocabulary.parameters.insert(param.name.text.clone(), text);
                        }
                    }
                    let operation = Operation { name, params, result, entry: *entry, offers };
                    vocabulary.operations.insert(name, operation);
                }
                Err(wrong) => reports.extend(wrong),
            }
        }
        for (name, text) in library {
            let file = sources.add(SourceKind::Library, *name, *text);
            let (tree, wrong) = parse::parse(text, file);
            reports.extend(wrong);
            for item in tree.items {
                if let ItemKind::Function(function) = item.kind {
                    vocabulary.order.push(function.name.text.clone());
                    let standard = StandardFunction { doc: item.doc, file, function };
                    vocabulary.functions.insert(standard.function.name.text.clone(), standard);
                }
            }
        }
        (vocabulary, reports)
    }

    /// The kind of a setting that recipes of a kind have.
    pub fn setting_kind(&self, recipe: Kind, setting: &str) -> Option<Kind> {
        let of = |op: &&Operation| op.result.as_ref().is_some_and(|r| r.kind.text == recipe.name());
        let mut params = self.operations.values().filter(of).flat_map(|op| &op.params);
        params.find(|p| p.name.text == setting).and_then(|p| Kind::named(&p.ty.kind.text))
    }

    /// A parameter's name as the signatures hold it, so that calls need not copy it.
    pub fn intern(&self, name: &str) -> &'static str {
        self.parameters.get(name).copied().unwrap_or("")
    }

    /// The operation called `name`.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// The standard function called `name`.
    pub fn function(&self, name: &str) -> Option<&StandardFunction> {
        self.functions.get(name)
    }

    /// Every name, operations first, in the order of their lists.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str).filter(|n| self.callable(n))
    }

    /// True for what can be called by name.
    pub fn callable(&self, name: &str) -> bool {
        self.operations.get(name).map_or(self.functions.contains_key(name), |op| !op.entry.operator)
    }

    /// True for what computes values, and is no recipe.
    pub fn gives_tensors(&self, name: &str) -> bool {
        let result = |op: &Operation| op.result.as_ref().and_then(|r| Kind::named(&r.kind.text));
        self.functions.contains_key(name) || self.operations.get(name).and_then(result).is_some_and(Kind::is_tensor)
    }

    /// True where `name` has a parameter of that name.
    pub fn takes(&self, name: &str, param: &str) -> bool {
        let operation = self.operations.get(name).map(|op| &op.params);
        let params = operation.or_else(|| self.functions.get(name).map(|f| &f.function.params));
        params.is_some_and(|params| params.iter().any(|p| p.name.text == param))
    }

    /// True where `name` can be given so many arguments.
    pub fn takes_so_many(&self, name: &str, count: usize) -> bool {
        let of = |params: &Vec<FnParam>| params.len() >= count;
        let operation = self.operations.get(name).is_some_and(|op| of(&op.params));
        operation || self.functions.get(name).is_some_and(|f| of(&f.function.params))
    }

    /// How `name` is called, as a message shows it: `smoothl1(target: Map, pred: Map, beta: Scalar = 1) -> Loss`.
    pub fn usage(&self, name: &str) -> Option<String> {
        if let Some(op) = self.operations.get(name) {
            return Some(usage(name, &op.params, op.result.as_ref()));
        }
        self.function_usage(name)
    }

    /// How the function `name` of the standard library is called, where an operation has the name too.
    pub fn function_usage(&self, name: &str) -> Option<String> {
        let f = &self.functions.get(name)?.function;
        Some(usage(name, &f.params, f.result.as_ref()))
    }

    /// The page of an operation.
    pub fn operation_page(&self, name: &str) -> Option<Page> {
        let op = self.operations.get(name)?;
        let signature = signature(name, &op.params, op.result.as_ref());
        Some(Page { signature, manual: op.entry.manual.trim_end().to_string() })
    }

    /// The page of a function of the standard library: its documentation, and then its text, which `sources` holds.
    pub fn function_page(&self, name: &str, sources: &Sources) -> Option<Page> {
        let standard = self.functions.get(name)?;
        let function = &standard.function;
        let doc = standard.doc.join("\n");
        let mut manual = format!("{}\n\nIt is written in the language itself:\n\n", doc.trim_end());
        for line in crate::tree::function_lines(function) {
            manual.push_str(&format!("    {line}\n"));
        }
        let body = function.body.span;
        // A body on lines of its own is moved to the left as a whole.
        let column = sources.line_column(body).1 - 1;
        let indent = if column == 2 { column } else { 0 };
        let written = if function.lets.is_empty() { sources.text(body) } else { "" };
        for line in written.lines() {
            let spaces = line.len() - line.trim_start().len();
            manual.push_str(&format!("    {}\n", line.get(spaces.min(indent)..).unwrap_or(line)));
        }
        let signature = signature(name, &function.params, function.result.as_ref());
        Some(Page { signature, manual: manual.trim_end().to_string() })
    }
}

/// The page of the manual of a name.
pub struct Page {
    /// The signature with shapes and frames.
    pub signature: String,
    /// The text, in Markdown.
    pub manual: String,
}

/// The part of a signature that is a parameter's name.
fn within(signature: &'static str, name: &str) -> Option<&'static str> {
    signature.find(name).and_then(|at| signature.get(at..at + name.len()))
}

/// True for a parameter whose argument is a tensor.
pub fn is_tensor_param(param: &FnParam) -> bool {
    Kind::named(&param.ty.kind.text).is_some_and(Kind::is_tensor)
}
