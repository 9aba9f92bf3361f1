//! Calls of operations as a pipeline writes them, held against the checker: which type, shape, settings and weights it derives.

use std::collections::HashMap;

use rord_graph::node::Graph;
use rord_lang::ast::{BinaryOp, FnParam};
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::constant::Settings;
use rord_lang::report::{Report, any_error};
use rord_lang::source::{SourceKind, Sources};
use rord_lang::typed::{Apply, Pipeline, ValueSource};
use rord_lang::types::{Kind, Type};
use rord_lang::vocabulary::{Operation, Vocabulary, is_tensor_param};
use rord_ops::compute::samples::{Sample, numbers};
use rord_ops::op::Op;

/// The vocabulary, with the texts it was read from.
pub struct Language {
    /// Every signature, read.
    pub vocabulary: Vocabulary,
    sources: Sources,
}

/// A tensor argument: its parameter, its kind, and its shape in the tensor's axes.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The parameter.
    pub name: String,
    /// The kind it is declared with.
    pub kind: Kind,
    /// Whether its vectors have length 1.
    pub unit: bool,
    /// The tensor's shape.
    pub shape: Vec<usize>,
    /// Its value, where the text gives it as a number: `2 * map`.
    pub number: Option<f64>,
    /// True for a map that is declared without channels and put beside one that has some.
    pub flat: bool,
    /// The names of its axes, where they are not those of its kind.
    pub axes: Option<&'static [&'static str]>,
}

/// What the checker makes of a call.
pub struct Checked {
    /// The type of the value.
    pub ty: Type,
    /// The shape of its tensor, where all of it is known.
    pub shape: Option<Vec<usize>>,
    /// The settings that the operation receives.
    pub settings: Settings,
    /// The weights it makes, by role, and their shapes.
    pub weights: Vec<(&'static str, Vec<usize>)>,
}

impl Language {
    pub fn new() -> Language {
        let (vocabulary, sources) = rord_ops::vocabulary();
        Language { vocabulary, sources }
    }

    /// An operation with its signature read.
    pub fn operation(&self, op: &Op) -> &Operation {
        self.vocabulary.operation(op.name).unwrap_or_else(|| panic!("{}: the signature does not parse", op.name))
    }

    /// What carries out a sampler or miner: `place` takes a `Sampler`, `pick` a `Miner`.
    pub fn carrier(&self, op: &Op) -> Option<&Operation> {
        let kind = self.operation(op).result.as_ref().map(|r| r.kind.text.clone())?;
        let carries = |o: &Operation| {
            let recipe = o.entry.carries_out;
            o.params.iter().any(|p| recipe == Some(p.name.text.as_str()) && p.ty.kind.text == kind)
        };
        rord_ops::all().filter_map(|o| self.vocabulary.operation(o.name)).find(|o| carries(o))
    }

    /// Every parameter of a call that takes a tensor, the carrier's included.
    pub fn tensors(&self, op: &Op) -> Vec<&FnParam> {
        let own = self.operation(op).params.iter();
        own.chain(self.carrier(op).into_iter().flat_map(|c| &c.params)).filter(|p| is_tensor_param(p)).collect()
    }

    /// The parameter behind a sample's input: `warp` receives its `by` inverted, as `back`.
    pub fn parameter(&self, op: &Op, input: &str) -> Option<&FnParam> {
        let name = op.entry.graph.inverted.filter(|(_, to)| *to == input).map_or(input, |(from, _)| from);
        self.tensors(op).into_iter().find(|p| p.name.text == name)
    }

    /// The reports of a text.
    pub fn reports(&self, text: &str) -> (Pipeline, Vec<Report>) {
        let mut sources = self.sources.clone();
        let file = sources.add(SourceKind::Main, "test.rord", text);
        check(&mut sources, file, &self.vocabulary, &NoImports, &Outside::default())
    }

    /// The call that a sample stands for.
    pub fn arguments(&self, op: &Op, sample: &Sample) -> Vec<Argument> {
        let mut out = Vec::new();
        let maps = sample.inputs.iter().any(|(_, t)| t.rank() > 0);
        let channels = sample.inputs.iter().filter(|(_, t)| t.rank() == 4).map(|(_, t)| t.dims()[1]).max();
        for (name, tensor) in &sample.inputs {
            let Some(param) = self.parameter(op, name) else { continue };
            let mut kind = like(param, tensor.rank());
            // Only a map without channels meets maps of many.
            let flat = op.entry.operator && tensor.rank() == 4 && channels.is_some_and(|c| c > tensor.dims()[1]);
            if flat {
                kind = Kind::Prob;
            }
            let axes = sample.axes.iter().find(|(n, _)| n == name).map(|(_, axes)| *axes);
            if axes.is_some() {
                kind = Kind::Values;
            }
            let number = (op.entry.operator && maps && tensor.rank() == 0).then(|| numbers(tensor).unwrap()[0]);
            let (name, unit) = (param.name.text.clone(), param.ty.unit.is_some());
            out.push(Argument { name, kind, unit, shape: tensor.dims().to_vec(), number, flat, axes });
        }
        if let [batch, _, height, width] = *sample.shape.as_slice() {
            for name in op.entry.graph.shape_only {
                let shape = vec![batch, 1, height, width];
                out.push(Argument {
                    name: (*name).into(),
                    kind: Kind::Map,
                    unit: false,
                    shape,
                    number: None,
                    flat: false,
                    axes: None,
                });
            }
        }
        out
    }

    /// Checks `op(arguments, settings)`; operations with weights are put into a model.
    pub fn call(&self, op: &Op, arguments: &[Argument], settings: &Settings) -> Result<Checked, String> {
        let written = arguments.iter().filter(|a| a.number.is_none());
        let inputs: Vec<(String, String)> = written.map(|a| (a.name.clone(), self.declared(op, a))).collect();
        let mut text: String = inputs.iter().map(|(name, ty)| format!("input {name}: {ty}\n")).collect();
        // Pixels are those of an image that lives in the frame.
        if let Some(param) = op.entry.pixels_of
            && let (Some(of), Ok(width), Ok(height)) =
                (arguments.iter().find(|a| a.name == param), settings.count("width"), settings.count("height"))
            && let Some(frame) = self.parameter(op, param).and_then(|p| p.ty.frame.as_ref())
        {
            text = format!("input shown: Image[{}, 1, {height}, {width}]@{}\n{text}", of.shape[0], frame.text);
        }
        let call = self.expression(op, arguments, settings);
        let params = inputs.iter().map(|(name, ty)| format!("{name}: {ty}")).collect::<Vec<_>>().join(", ");
        let names = inputs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let plain = format!("{text}let value = {call}\n");
        let model = format!("{text}model net({params}) {{ out value = {call} }}\nlet made = net({names})\n");
        let mut wrong = String::new();
        for text in [plain, model] {
            let (pipeline, reports) = self.reports(&text);
            if !any_error(&reports) {
                let found = pipeline.values.iter().rev().find_map(|v| match &v.source {
                    ValueSource::Apply(apply) if apply.op == op.name => Some((apply, &v.ty)),
                    _ => None,
                });
                let (apply, ty) = found.ok_or_else(|| format!("{text}no such operation was applied"))?;
                return Ok(checked(&pipeline, apply, ty));
            }
            wrong += &format!("{text}{}\n", reports.iter().map(said).collect::<Vec<_>>().join("\n"));
        }
        Err(wrong)
    }

    /// `Map[2, 3, 5, 7]@f`
    fn declared(&self, op: &Op, a: &Argument) -> String {
        let axes = a.shape.len() - a.kind.beside_axes().len();
        let mut dims: Vec<String> = a.shape.iter().take(axes).map(usize::to_string).collect();
        if a.flat {
            dims = [("batch", 0), ("row", 2), ("column", 3)].map(|(name, i)| format!("{name} {}", a.shape[i])).to_vec();
        }
        if let Some(axes) = a.axes {
            dims = axes.iter().zip(&a.shape).map(|(name, n)| format!("{name} {n}")).collect();
        }
        let dims = if dims.is_empty() { String::new() } else { format!("[{}]", dims.join(", ")) };
        let ty = self.tensors(op).into_iter().find(|p| p.name.text == a.name).map(|p| &p.ty);
        // Places that a recipe holds lie where it is carried out.
        let carried = self.carrier(op).and_then(|c| c.result.as_ref()).filter(|_| a.kind == Kind::Points);
        let frame = match ty.and_then(|t| t.frame.as_ref()).or(carried.and_then(|t| t.frame.as_ref())) {
            Some(frame) => format!("@{}", frame.text),
            None if a.kind.is(Kind::Map) => "@f".into(),
            None => String::new(),
        };
        let to = ty.and_then(|t| t.to.as_ref()).map(|to| format!("->{}", to.text)).unwrap_or_default();
        format!("{}{}{dims}{frame}{to}", a.kind.name(), if a.unit { " unit" } else { "" })
    }

    fn expression(&self, op: &Op, arguments: &[Argument], settings: &Settings) -> String {
        // What an operation is for places is written as the operation.
        let base = rord_ops::all().find(|o| o.entry.of_places == Some(op.name)).map(|o| o.name);
        if op.entry.operator && base.is_none() {
            let of_places = OF_PLACES.iter().find(|(name, _)| *name == op.name).map(|(_, symbol)| *symbol);
            let symbol = OPERATORS.iter().find(|o| o.operation() == op.name).map(|o| o.symbol());
            let symbol = symbol.or(of_places).unwrap_or("*");
            let side = |name: &str| match arguments.iter().find(|a| a.name == name).and_then(|a| a.number) {
                Some(x) => format!("({x})"),
                None => name.to_string(),
            };
            return format!("{} {symbol} {}", side("a"), side("b"));
        }
        let own = self.operation(op);
        let takes = |o: &Operation, name: &str| o.params.iter().any(|p| p.name.text == name);
        let given = |o: &Operation| -> Vec<String> {
            let mine = arguments.iter().filter(|a| takes(o, &a.name));
            mine.map(|a| format!("{0} = {0}", a.name)).collect()
        };
        let mut inner = given(own);
        for (name, value) in settings.0.iter().filter(|(n, _)| takes(own, n)) {
            let pixels = own.params.iter().any(|p| p.name.text == *name && p.ty.kind.text == Kind::Pixels.name());
            inner.push(format!("{name} = {value}{}", if pixels { "px" } else { "" }));
        }
        let call = format!("{}({})", base.unwrap_or(op.name), inner.join(", "));
        match self.carrier(op) {
            None => call,
            Some(carrier) => {
                let recipe = carrier.entry.carries_out.unwrap_or_default();
                format!("{}({recipe} = {call}, {})", carrier.name, given(carrier).join(", "))
            }
        }
    }
}

const OPERATORS: [BinaryOp; 9] = [
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Div,
    BinaryOp::Less,
    BinaryOp::Greater,
    BinaryOp::LessEqual,
    BinaryOp::GreaterEqual,
    BinaryOp::Equal,
];

/// Operators between places and offsets.
const OF_PLACES: [(&str, &str); 4] = [("place_sub", "-"), ("place_add", "+"), ("offset_mul", "*"), ("offset_div", "/")];

fn checked(pipeline: &Pipeline, apply: &Apply, ty: &Type) -> Checked {
    let graph = Graph { sizes: pipeline.sizes.clone(), batch: pipeline.batch, ..Graph::default() };
    let weights = apply.weights.iter().map(|(role, index)| (*role, pipeline.weights[*index].shape.clone()));
    let shape = graph.shape(ty, 0);
    Checked { ty: ty.clone(), shape, settings: apply.settings.clone(), weights: weights.collect() }
}

/// A report on one line.
fn said(report: &Report) -> String {
    let labels: Vec<&str> = report.labels.iter().map(|l| l.text.as_str()).collect();
    format!("  {} {} ({})", report.code, report.title, labels.join("; "))
}

/// The kind to declare a tensor of this rank with, for a parameter.
fn like(param: &FnParam, rank: usize) -> Kind {
    match (Kind::named(&param.ty.kind.text), rank) {
        (Some(Kind::Values), 4) => Kind::Feat,
        (Some(Kind::Values), 0) => Kind::Loss,
        (Some(Kind::Values), _) if param.ty.dims.is_some() => Kind::Values,
        (Some(Kind::Values), 1) => Kind::Dist,
        (Some(Kind::Values), _) => Kind::Vectors,
        (Some(kind), _) => kind,
        (None, _) => panic!("`{}` is no kind", param.ty.kind.text),
    }
}

/// Every kind that a tensor of this rank may be declared with for a parameter, with and without unit vectors.
pub fn kinds(param: &FnParam, rank: usize) -> Vec<(Kind, bool)> {
    if rank == 0 {
        return vec![(Kind::Loss, false)];
    }
    let declared = Kind::named(&param.ty.kind.text).unwrap_or(Kind::Values);
    let axes = rank - declared.beside_axes().len();
    let written: Vec<&str> =
        param.ty.dims.iter().flatten().filter_map(|d| d.axis.as_ref()).map(|a| a.text.as_str()).collect();
    // The axes that the signature names; a batch may stand before them.
    let named = |k: &Kind| {
        let of: Vec<String> = k.axes(axes).iter().map(ToString::to_string).collect();
        written.is_empty() || of.iter().skip(axes - written.len()).eq(written.iter())
    };
    let fits = |k: &Kind| match k.rank() {
        // A single vector is no list of vectors.
        _ if *k == Kind::Vectors && axes == 1 => false,
        Some(n) => n == axes && named(k),
        None => named(k) && (*k != Kind::Values || param.ty.dims.is_some()) && *k != Kind::Loss,
    };
    let all = Kind::names().filter_map(Kind::named).filter(|k| k.is_tensor() && k.is(declared)).filter(fits);
    let with =
        |k: Kind| if matches!(k, Kind::Desc | Kind::Vectors) { vec![(k, false), (k, true)] } else { vec![(k, false)] };
    all.flat_map(with).collect()
}

/// The shape of an argument for a parameter, every size that the signature names drawn by `draw` once.
pub fn sizes(param: &FnParam, known: &mut HashMap<String, usize>, draw: &mut dyn FnMut(&str) -> usize) -> Vec<usize> {
    use rord_lang::ast::DimKind;
    let dims = param.ty.dims.iter().flatten();
    let mut out: Vec<usize> = dims
        .map(|dim| match &dim.kind {
            DimKind::Number(n) => usize::try_from(*n).unwrap(),
            DimKind::Name(name) => *known.entry(name.clone()).or_insert_with(|| draw(name)),
            // One of it, or as many as there are channels.
            _ => match draw("_") {
                0 => known.get("C").copied().unwrap_or(1),
                _ => 1,
            },
        })
        .collect();
    out.extend(Kind::named(&param.ty.kind.text).map_or(&[] as &[_], Kind::beside_axes));
    out
}
