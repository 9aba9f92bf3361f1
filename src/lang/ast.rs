//! The syntax tree: what was written, with the place of every part.
//!
//! Fields of variants are named for what they hold and not documented one by one.

#![allow(missing_docs)]

use super::constant::Unit;
use super::source::Span;

/// A whole file.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// The version after `rord`, if the file states one.
    pub version: Option<(u64, Span)>,
    /// Everything in it, in order.
    pub items: Vec<Item>,
    /// Comments that document nothing, for the formatter.
    pub comments: Vec<Comment>,
    /// The words in what was not understood: where a name is missing, it may have been meant to come from there.
    pub lost: Vec<String>,
    /// True where an item was not understood for want of its name: any that is missing may be it.
    pub nameless: bool,
}

/// A `#` comment.
#[derive(Clone, Debug)]
pub struct Comment {
    /// With its `#`.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// A name and where it stands.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// A string and where it stands, quotes included.
#[derive(Clone, Debug)]
pub struct Text {
    /// Its characters, escapes resolved.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// One definition or section of a file, with its documentation.
#[derive(Clone, Debug)]
pub struct Item {
    /// The `##` lines before it, without their marks.
    pub doc: Vec<String>,
    /// `@allow(…)`, `@frozen(…)`.
    pub attributes: Vec<Attribute>,
    /// What it is.
    pub kind: ItemKind,
    /// From its keyword to its end.
    pub span: Span,
}

/// `@name(args)`.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: Name,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// From `@` to `)`.
    pub span: Span,
}

/// What an item is.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// `pipeline "name" "about"`
    Pipeline { name: Text, about: Option<Text> },
    /// `import "path" { names }`
    Import { path: Text, names: Vec<Name> },
    /// `param name: type = default in domain "about"`
    Param { name: Name, ty: TypeExpr, default: Option<Expr>, domain: Option<Domain>, about: Option<Text> },
    /// `preset name { … }`
    Preset { name: Name, fields: Vec<Field> },
    /// `sweep name { … }`
    Sweep { name: Name, fields: Vec<Field> },
    /// `input name: type`
    Input { name: Name, ty: TypeExpr },
    /// `data name = expr -> { name: type, … }`
    Data { name: Name, value: Expr, fields: Option<Vec<(Name, TypeExpr)>> },
    /// `model name(params) { lets and outs }`
    Model { name: Name, params: Vec<FnParam>, body: Vec<ModelLine> },
    /// `layer` or `fn` `name(params) -> type = expr`
    Function(Function),
    /// `let pattern: type = expr`
    Let(Let),
    /// `loss name = expr`
    Loss { name: Name, value: Expr },
    /// `metric name = expr`
    Metric { name: Name, value: Expr },
    /// `minimize name of models = expr`; without `of` it trains all models.
    Minimize { name: Name, of: Vec<Name>, value: Expr },
    /// `train { … }`, `save { … }`, `export { … }`
    Section { keyword: Name, fields: Vec<Field>, parts: Vec<Part> },
    /// An item that could not be read; what it would have defined is known, so that one mistake gives one report.
    Broken { defines: Vec<Name> },
}

/// The values a parameter may take.
#[derive(Clone, Debug)]
pub enum Domain {
    /// `[low, high]`, `(low, high)` and the mixed forms.
    Interval { low: Expr, high: Expr, low_open: bool, high_open: bool, span: Span },
    /// `{a, b, c}`
    Choice(Vec<Expr>, Span),
}

/// `word = expr`, or `word` alone for `word = word`.
#[derive(Clone, Debug)]
pub struct Field {
    /// The field's name.
    pub name: Name,
    /// Its value; a field alone takes the value of the same name.
    pub value: Option<Expr>,
    /// `under "…"` behind the value, of a field of a part.
    pub under: Option<Text>,
}

/// `part net.trunk { lr = 0.1x }` of a section.
#[derive(Clone, Debug)]
pub struct Part {
    /// The word `part`.
    pub keyword: Span,
    /// What it names, its segments joined by dots: `net.trunk`.
    pub path: Name,
    /// Its segments one by one; none where the path is a string.
    pub names: Vec<Name>,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// `name: type = default in domain`
#[derive(Clone, Debug)]
pub struct FnParam {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeExpr,
    /// Its default.
    pub default: Option<Expr>,
    /// The values it may take.
    pub domain: Option<Domain>,
}

/// A `fn`, or a `layer`, which may create weights.
#[derive(Clone, Debug)]
pub struct Function {
    /// True for `layer`.
    pub layer: bool,
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<FnParam>,
    /// What it returns, where that is declared.
    pub result: Option<TypeExpr>,
    /// Names of its own, in order.
    pub lets: Vec<Let>,
    /// What it computes.
    pub body: Expr,
}

/// `let pattern: type = expr`
#[derive(Clone, Debug)]
pub struct Let {
    /// What it defines.
    pub pattern: Pattern,
    /// The type it states.
    pub ty: Option<TypeExpr>,
    /// The value.
    pub value: Expr,
}

impl Let {
    /// Where the names stand that it binds.
    pub fn name_span(&self) -> Span {
        match &self.pattern {
            Pattern::Name(name) => name.span,
            Pattern::Record(_, braces) => *braces,
        }
    }
}

/// The left side of a `let`.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// `name`
    Name(Name),
    /// `{ field, field as name }`: pairs of field and name.
    Record(Vec<(Name, Name)>, Span),
}

impl Pattern {
    /// The names it binds.
    pub fn names(&self) -> Vec<&Name> {
        match self {
            Pattern::Name(name) => vec![name],
            Pattern::Record(fields, _) => fields.iter().map(|(_, bound)| bound).collect(),
        }
    }
}

/// A line of a model.
#[derive(Clone, Debug)]
pub enum ModelLine {
    /// `let …`
    Let(Let),
    /// `out name: type = expr`
    Out { name: Name, ty: Option<TypeExpr>, value: Expr },
    /// `weight name: type = expr`
    Weight { name: Name, ty: TypeExpr, value: Expr },
    /// A line that could not be read, and what it would have defined.
    Broken { defines: Vec<Name> },
}

impl ModelLine {
    /// What it defines, the first of it; empty for a pattern without names.
    pub fn name(&self) -> &str {
        match self {
            ModelLine::Let(binding) => binding.pattern.names().first().map_or("", |n| n.text.as_str()),
            ModelLine::Out { name, .. } | ModelLine::Weight { name, .. } => &name.text,
            ModelLine::Broken { defines } => defines.first().map_or("", |n| n.text.as_str()),
        }
    }
}

/// `[word =] expr`
#[derive(Clone, Debug)]
pub struct Arg {
    /// The parameter it names.
    pub name: Option<Name>,
    /// The value.
    pub value: Expr,
}

/// An expression and where it stands.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
    /// How many levels lie below it: bounded by the parser, so that code that walks the tree may recurse.
    pub height: u32,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// `1e-3`, `256px`
    Number { value: f64, unit: Option<Unit> },
    /// `"…"`
    Text(String),
    /// `true`, `false`
    Flag(bool),
    /// `det`
    Name(String),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `f(a, b = c)`
    Call { callee: Box<Expr>, args: Vec<Arg> },
    /// `a.b`
    Member { of: Box<Expr>, name: Name },
    /// `-a`
    Negate(Box<Expr>),
    /// `a + b`
    Binary { op: BinaryOp, op_span: Span, left: Box<Expr>, right: Box<Expr> },
    /// `a..b`
    Range(Box<Expr>, Box<Expr>),
    /// `x |> f |> g`
    Pipe { first: Box<Expr>, stages: Vec<Expr> },
    /// `if a then b else c`
    If { condition: Box<Expr>, then: Box<Expr>, otherwise: Box<Expr> },
}

/// An operator between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `<`
    Less,
    /// `>`
    Greater,
    /// `<=`
    LessEqual,
    /// `>=`
    GreaterEqual,
    /// `==`
    Equal,
}

impl BinaryOp {
    /// The operator as it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Less => "<",
            BinaryOp::Greater => ">",
            BinaryOp::LessEqual => "<=",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::Equal => "==",
        }
    }

    /// The operation that computes it.
    pub fn operation(self) -> &'static str {
        match self {
            BinaryOp::Add => "add",
            BinaryOp::Sub => "sub",
            BinaryOp::Mul => "mul",
            BinaryOp::Div => "div",
            BinaryOp::Less => "less",
            BinaryOp::Greater => "greater",
            BinaryOp::LessEqual => "less_equal",
            BinaryOp::GreaterEqual => "greater_equal",
            BinaryOp::Equal => "equal",
        }
    }

    /// True for the operators that answer yes or no.
    pub fn compares(self) -> bool {
        !matches!(self, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div)
    }
}

/// `kind unit[dims]@frame->frame`
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// The kind.
    pub kind: Name,
    /// The word `unit`, where it stands.
    pub unit: Option<Span>,
    /// The shape.
    pub dims: Option<Vec<DimExpr>>,
    /// The frame.
    pub frame: Option<Name>,
    /// The frame a homography leads to.
    pub to: Option<Name>,
    /// Its place.
    pub span: Span,
}

/// A dim as written.
#[derive(Clone, Debug)]
pub struct DimExpr {
    /// The name of its axis, where it is written: the `row` of `row H`.
    pub axis: Option<Name>,
    /// What it is.
    pub kind: DimKind,
    /// Its place.
    pub span: Span,
}

/// What a written dim is.
#[derive(Clone, Debug)]
pub enum DimKind {
    /// `128`
    Number(i64),
    /// `H`
    Name(String),
    /// `_`
    Any,
    /// `H / 4`
    Binary { op: BinaryOp, left: Box<DimExpr>, right: Box<DimExpr> },
}

impl Expr {
    /// An expression, its height derived from its parts.
    pub fn new(kind: ExprKind, span: Span) -> Self {
        let height = 1 + kind.children().iter().map(|e| e.height).max().unwrap_or(0);
        Self { kind, span, height }
    }
}

impl ExprKind {
    /// The expressions directly below.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            ExprKind::Number { .. } | ExprKind::Text(_) | ExprKind::Flag(_) | ExprKind::Name(_) => vec![],
            ExprKind::List(items) => items.iter().collect(),
            ExprKind::Call { callee, args } => {
                std::iter::once(&**callee).chain(args.iter().map(|a| &a.value)).collect()
            }
            ExprKind::Member { of, .. } => vec![of],
            ExprKind::Negate(e) => vec![e],
            ExprKind::Binary { left, right, .. } | ExprKind::Range(left, right) => vec![left, right],
            ExprKind::Pipe { first, stages } => std::iter::once(&**first).chain(stages).collect(),
            ExprKind::If { condition, then, otherwise } => vec![condition, then, otherwise],
        }
    }
}
