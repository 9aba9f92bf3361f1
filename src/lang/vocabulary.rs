//! The operations a pipeline may use, as the checker sees them: signatures in .rord syntax, and rules for what a signature
//! cannot say.
//!
//! `lang` knows no operation by name. It is handed a [`Vocabulary`], which `ops` fills.

use std::collections::HashMap;

use super::ast::{ExprKind, FnParam, Function, Item, ItemKind, TypeExpr};
use super::constant::{Constant, Settings};
use super::dim::Dim;
use super::parse;
use super::report::Report;
use super::source::{FileId, SourceKind, Sources, Span};
use super::typed::Initial;
use super::types::{Kind, Type};

/// An operation that another one takes in from behind it. What is in it stands in its setting `then`, which no user writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TakesIn {
    /// What must be in it already.
    pub so_far: Option<&'static str>,
    /// The operation it takes in,
    pub op: &'static str,
    /// with these settings.
    pub settings: &'static [(&'static str, f64)],
    /// What it is called with both in it.
    pub then: &'static str,
}

/// What `ops` says about one operation.
#[derive(Clone, Copy)]
pub struct Entry {
    /// `warp(x: Map[B, C, h, w]@a, by: Homography[B]@a->b) -> Map[B, C, h, w]@b`
    pub signature: &'static str,
    /// Its page of the manual, in Markdown.
    pub manual: &'static str,
    /// What the signature cannot say.
    pub rule: Rule,
    /// The words that arguments take: `("pad", &["same"])`.
    pub words: &'static [(&'static str, &'static [&'static str])],
    /// True where it draws random numbers.
    pub random: bool,
    /// The argument that holds the recipe this operation carries out: `pick` carries out its `negatives`.
    pub carries_out: Option<&'static str>,
    /// The argument whose frame gives lengths in pixels their meaning.
    pub pixels_of: Option<&'static str>,
    /// Two arguments that a loss draws together.
    pub compares: Option<(&'static str, &'static str)>,
    /// True where the gradient does not pass.
    pub stops_gradient: bool,
    /// A homography that is handed over inverted, and under which name: `warp` reads its source at the inverse of `by`.
    pub inverted: Option<(&'static str, &'static str)>,
    /// The homography by which zeros come in from outside of a view.
    pub pads: Option<&'static str>,
    /// True for what tells the inside of a view from what came in from outside.
    pub shows_border: bool,
    /// True for what takes a view onto itself whole, so that nothing comes in from outside.
    pub onto: bool,
    /// True for a miner with an `apart` that keeps it from finding the positive itself.
    pub keeps_apart: bool,
    /// Tensor arguments that only lend their shape.
    pub shape_only: &'static [&'static str],
    /// True for what only an operator stands for, or only a pass writes: it cannot be called by name.
    pub operator: bool,
    /// True for a score that should grow.
    pub higher_is_better: bool,
    /// A frame that a call makes: the name its signature has for it, and what it is called for given arguments.
    pub new_frame: Option<(&'static str, FrameName)>,
    /// The operations whose values make up a record, with the fields' names; all take the arguments of this one.
    pub record: &'static [(&'static str, &'static str)],
    /// What a dataset has to offer: names and types, in terms of the arguments.
    pub offers: &'static [(&'static str, &'static str)],
    /// True where every sample of a batch is treated alone and alike, so that two batches may be computed as one.
    pub per_sample: bool,
    /// True where the factors of its products may be rounded to bfloat16: where the pipeline says `precision = bf16`, the graph's
    /// builder gives such a node the setting `products = bf16`.
    pub rounds: bool,
    /// What the pass `fuse` may take into this operation, first things first.
    pub takes_in: &'static [TakesIn],
    /// True for a dataset whose fields only the pipeline names: it offers whatever is declared.
    pub offers_declared: bool,
    /// The multiply-adds of what is a convolution or a matrix product.
    pub products: Option<Products>,
}

impl Entry {
    /// An operation of which the signature says all.
    pub const PLAIN: Entry = Entry {
        signature: "",
        manual: "",
        rule: |_| {},
        words: &[],
        random: false,
        carries_out: None,
        pixels_of: None,
        compares: None,
        stops_gradient: false,
        inverted: None,
        pads: None,
        shows_border: false,
        onto: false,
        keeps_apart: false,
        shape_only: &[],
        operator: false,
        higher_is_better: false,
        new_frame: None,
        record: &[],
        offers: &[],
        per_sample: false,
        rounds: false,
        takes_in: &[],
        offers_declared: false,
        products: None,
    };
}

/// The multiply-adds of a convolution or a matrix product.
#[derive(Clone, Copy)]
pub struct Products {
    /// How many its value takes, by definition; `None` where a shape is missing.
    pub count: fn(&Shapes<'_>) -> Option<f64>,
    /// The inputs whose gradient takes as many again.
    pub of: &'static [&'static str],
}

/// The shapes of one use of an operation.
pub struct Shapes<'a> {
    /// Those of its tensors, by parameter name.
    pub inputs: Vec<(&'static str, Vec<usize>)>,
    /// That of its value.
    pub result: Vec<usize>,
    /// All other arguments.
    pub settings: &'a Settings,
}

impl Shapes<'_> {
    /// The shape of a tensor argument.
    pub fn of(&self, name: &str) -> Option<&[usize]> {
        self.inputs.iter().find(|(n, _)| *n == name).map(|(_, shape)| shape.as_slice())
    }

    /// The product of sizes, which may be larger than any tensor.
    pub fn elements(shape: &[usize]) -> f64 {
        shape.iter().map(|n| *n as f64).product()
    }

    /// The numbers of the value.
    pub fn result_elements(&self) -> f64 {
        Self::elements(&self.result)
    }
}

/// What a frame is called that a call with these arguments makes.
pub type FrameName = fn(&[RuleArg]) -> Option<String>;

/// What a signature cannot say: which kind the result keeps, how a size changes, which weights are made.
pub type Rule = fn(&mut Application<'_>);

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

/// A function of the standard library, written in the language itself.
pub struct StandardFunction {
    /// Its text, read.
    pub function: Function,
    /// Its documentation.
    pub doc: Vec<String>,
    /// Two parameters that it draws together as a loss: `@compares(a, b)` in the library.
    pub compares: Option<(String, String)>,
    /// The file it stands in.
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
    /// Reads all signatures, and the standard library's files. What is wrong with them comes back as reports: a mistake in the
    /// vocabulary is the tool's, and a test makes sure that there is none.
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
                    for (field, text) in entry.offers {
                        match parse::signature(&format!("offer() -> {text}"), file) {
                            Ok((_, _, Some(ty))) => offers.push((*field, ty)),
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
                let compares = compared(&item);
                if let ItemKind::Function(function) = item.kind {
                    vocabulary.order.push(function.name.text.clone());
                    let standard = StandardFunction { doc: item.doc, compares, file, function };
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
        for line in super::tree::function_lines(function) {
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

/// What the manual says about a name.
pub struct Page {
    /// The signature with shapes and frames.
    pub signature: String,
    /// The text, in Markdown.
    pub manual: String,
}

/// The arguments of an item's `@compares(a, b)`.
fn compared(item: &Item) -> Option<(String, String)> {
    let attribute = item.attributes.iter().find(|a| a.name.text == "compares")?;
    let mut names = attribute.args.iter().filter_map(|a| match &a.value.kind {
        ExprKind::Name(name) => Some(name.clone()),
        _ => None,
    });
    Some((names.next()?, names.next()?))
}

/// The part of a signature that is a parameter's name.
fn within(signature: &'static str, name: &str) -> Option<&'static str> {
    signature.find(name).and_then(|at| signature.get(at..at + name.len()))
}

/// A signature without shapes, for messages.
pub fn usage(name: &str, params: &[FnParam], result: Option<&TypeExpr>) -> String {
    let params: Vec<String> = params
        .iter()
        .map(|p| {
            let unit = if p.ty.unit.is_some() { " unit" } else { "" };
            let default = p.default.as_ref().map(|d| format!(" = {}", super::tree::expression(d))).unwrap_or_default();
            let domain = p.domain.as_ref().map(|d| format!(" in {}", super::tree::domain_text(d))).unwrap_or_default();
            format!("{}: {}{unit}{default}{domain}", p.name.text, p.ty.kind.text)
        })
        .collect();
    let result = result.map(|r| format!(" -> {}", r.kind.text)).unwrap_or_default();
    let line = format!("{name}({}){result}", params.join(", "));
    if line.chars().count() <= 100 {
        return line;
    }
    // A long one is broken between parameters and goes on under the first.
    let indent = " ".repeat(name.chars().count() + 1);
    let mut out = format!("{name}(");
    let mut column = out.chars().count();
    for (i, param) in params.iter().enumerate() {
        let last = i + 1 == params.len();
        if i > 0 && column + param.chars().count() + 2 > 92 {
            out = format!("{}\n{indent}", out.trim_end());
            column = indent.len();
        }
        let piece = format!("{param}{}", if last { "" } else { ", " });
        column += piece.chars().count();
        out.push_str(&piece);
    }
    format!("{out}){result}")
}

/// A signature with shapes and frames: on one line, or one parameter a line with the types below each other.
fn signature(name: &str, params: &[FnParam], result: Option<&TypeExpr>) -> String {
    let rest: Vec<String> = params
        .iter()
        .map(|p| {
            let default = p.default.as_ref().map(|d| format!(" = {}", super::tree::expression(d))).unwrap_or_default();
            let domain = p.domain.as_ref().map(|d| format!(" in {}", super::tree::domain_text(d))).unwrap_or_default();
            format!("{}{default}{domain}", super::tree::type_expr(&p.ty))
        })
        .collect();
    let result = result.map(|r| format!(" -> {}", super::tree::type_expr(r))).unwrap_or_default();
    let all: Vec<String> = params.iter().zip(&rest).map(|(p, rest)| format!("{}: {rest}", p.name.text)).collect();
    let line = format!("{name}({}){result}", all.join(", "));
    if line.chars().count() <= 100 {
        return line;
    }
    let width = params.iter().map(|p| p.name.text.chars().count() + 1).max().unwrap_or(0);
    let lines =
        params.iter().zip(&rest).map(|(p, rest)| format!("  {:<width$} {rest},\n", format!("{}:", p.name.text)));
    format!("{name}(\n{}){result}", lines.collect::<String>())
}

/// A weight that a call makes.
#[derive(Clone, Debug)]
pub struct NewWeight {
    /// Its role: `weight`, `bias`.
    pub role: &'static str,
    /// Its shape; unknown sizes are `None`.
    pub shape: Vec<Option<i64>>,
    /// How it begins.
    pub initial: Initial,
}

/// One argument as a rule sees it.
pub struct RuleArg {
    /// The parameter.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// Its value, where that is known before the run.
    pub constant: Option<Constant>,
    /// Its value as a size, where it is a count that only a name stands for.
    pub size: Option<Dim>,
    /// Where it was written.
    pub span: Span,
}

/// A call as a rule sees it: its arguments, and its result to be completed.
pub struct Application<'a> {
    /// The operation's name.
    pub name: &'static str,
    /// The call.
    pub span: Span,
    /// The arguments that were given or have a default.
    pub args: &'a [RuleArg],
    /// The result's type, as the signature gives it.
    pub result: Type,
    /// The weights it makes.
    pub weights: Vec<NewWeight>,
    /// Sizes that must divide: what, by how much.
    pub owes: Vec<(Dim, i64)>,
    /// What is wrong.
    pub reports: Vec<Report>,
    /// A fresh size about which nothing is known.
    pub unknown: &'a mut dyn FnMut(&str) -> Dim,
    /// The values of sizes, where they are known.
    pub sizes: &'a HashMap<u32, i64>,
}

impl Application<'_> {
    /// An argument.
    pub fn arg(&self, name: &str) -> Option<&RuleArg> {
        self.args.iter().find(|a| a.name == name)
    }

    /// The type of a tensor argument.
    pub fn ty(&self, name: &str) -> Option<&Type> {
        self.arg(name).map(|a| &a.ty).filter(|t| t.kind.is_tensor())
    }

    /// The number of a constant argument; `None` where it is not known yet.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.arg(name)?.constant.as_ref()?.number()
    }

    /// The whole number of a constant argument; `None` where it is not known yet.
    pub fn count(&self, name: &str) -> Option<i64> {
        self.arg(name)?.constant.as_ref()?.count().and_then(|n| i64::try_from(n).ok())
    }

    /// The word of a constant argument.
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.arg(name)?.constant.as_ref()? {
            Constant::Word(w) | Constant::Text(w) => Some(w),
            _ => None,
        }
    }

    /// A constant argument that is true; one that is not known yet is not.
    pub fn is_true(&self, name: &str) -> bool {
        matches!(self.arg(name).and_then(|a| a.constant.as_ref()), Some(Constant::Flag(true)))
    }

    /// A count as a size: a number, or the name that stands for it.
    pub fn size(&mut self, name: &str) -> Dim {
        if let Some(n) = self.count(name) {
            return Dim::number(n);
        }
        match self.arg(name).and_then(|a| a.size.clone()) {
            Some(dim) => dim,
            None => (self.unknown)(name),
        }
    }

    /// The sizes of a tensor argument.
    pub fn dims(&self, name: &str) -> Vec<Dim> {
        self.ty(name).map(|t| t.dims.clone()).unwrap_or_default()
    }

    /// The result is of the same kind as an argument: a warped probability is a probability.
    pub fn keep_kind(&mut self, name: &str) {
        if let Some((kind, unit)) = self.ty(name).map(|t| (t.kind, t.unit)) {
            self.result.kind = kind;
            self.result.unit = unit;
        }
    }

    /// The result is of an argument's type altogether.
    pub fn keep_type(&mut self, name: &str) {
        if let Some(ty) = self.ty(name).cloned() {
            self.result = ty;
        }
    }

    /// `dim / by`, which is owed to be exact for a size that has a name, and rounded down for a number.
    pub fn divide(&mut self, dim: &Dim, by: i64) -> Dim {
        if let Some(n) = dim.as_number() {
            return Dim::number(if by > 0 { n / by } else { 0 });
        }
        if dim.is_opaque() {
            return (self.unknown)("?");
        }
        self.owes.push((dim.clone(), by));
        dim.over(by).unwrap_or_else(|| (self.unknown)("?"))
    }

    /// Adds a weight.
    pub fn weight(&mut self, role: &'static str, shape: &[Dim], initial: Initial) {
        let shape = shape.iter().map(|d| d.value(self.sizes).and_then(Result::ok)).collect();
        self.weights.push(NewWeight { role, shape, initial });
    }

    /// Sets one size of the result.
    pub fn set_dim(&mut self, axis: usize, dim: Dim) {
        if let Some(slot) = self.result.dims.get_mut(axis) {
            *slot = dim;
        }
    }
}

/// True for a parameter whose argument is a tensor.
pub fn is_tensor_param(param: &FnParam) -> bool {
    Kind::named(&param.ty.kind.text).is_some_and(Kind::is_tensor)
}
