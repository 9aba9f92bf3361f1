//! What operations are in ONNX (operator set 18): nodes, constants, and a few compositions that several operations share.

use std::collections::HashMap;

use candle_core::{DType, Tensor};

use super::{Form, Use};

/// The operator set that nodes are from.
pub const OPSET: i64 = 18;

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The operator.
    pub op: &'static str,
    /// The values that it reads.
    pub inputs: Vec<String>,
    /// Its value.
    pub output: String,
    /// All other arguments.
    pub attributes: Vec<(&'static str, Attribute)>,
}

/// An argument that is no tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A whole number.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// A number.
    Float(f32),
    /// A word.
    Text(&'static str),
}

/// A constant tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// In f32, with its shape.
    Floats(Vec<usize>, Vec<f32>),
    /// One row of whole numbers.
    Ints(Vec<i64>),
}

impl Numbers {
    /// Those of a tensor.
    pub fn of(t: &Tensor) -> Result<Self, String> {
        let flat = t.to_dtype(DType::F32).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1::<f32>());
        Ok(Self::Floats(t.dims().to_vec(), flat.map_err(|e| e.to_string())?))
    }

    /// A single number.
    pub fn one(x: f64) -> Self {
        Self::Floats(vec![], vec![x as f32])
    }
}

/// A graph that is being written.
#[derive(Debug, Default)]
pub struct Onnx {
    /// Nodes, each after those that it reads.
    pub nodes: Vec<Node>,
    /// Constants by name.
    pub tensors: Vec<(String, Numbers)>,
    /// Fields by their name, as the maps of all channels of all turns that they were made of.
    folded: HashMap<String, String>,
    /// The value that is being written: its name, its first node, and how many values are part of it.
    now: (String, usize, usize),
}

impl Onnx {
    /// Begins what computes the value `name`.
    pub fn begin(&mut self, name: &str) {
        self.now = (name.into(), self.nodes.len(), 0);
    }

    /// Ends it: the value gets the name that was announced, unless it is one of before.
    pub fn end(&mut self, value: String) -> String {
        let (name, from, _) = &self.now;
        let own = self.nodes.get_mut(*from..).unwrap_or_default();
        if !own.iter().any(|n| n.output == value) {
            return value;
        }
        for node in own {
            for place in node.inputs.iter_mut().chain([&mut node.output]).filter(|n| **n == value) {
                place.clone_from(name);
            }
        }
        if let Some(map) = self.folded.remove(&value) {
            self.folded.insert(name.clone(), map);
        }
        self.folded.values_mut().filter(|map| **map == value).for_each(|map| map.clone_from(name));
        name.clone()
    }

    /// A node; returns its value.
    pub fn op(&mut self, op: &'static str, inputs: &[&str], attributes: Vec<(&'static str, Attribute)>) -> String {
        self.now.2 += 1;
        let output = format!("{}/{}", self.now.0, self.now.2);
        let inputs = inputs.iter().map(|i| (*i).to_string()).collect();
        self.nodes.push(Node { op, inputs, output: output.clone(), attributes });
        output
    }

    /// A node without further arguments.
    pub fn plain(&mut self, op: &'static str, inputs: &[&str]) -> String {
        self.op(op, inputs, vec![])
    }

    /// A constant under this name, which is made once.
    pub fn named(&mut self, name: String, numbers: Numbers) -> String {
        if !self.tensors.iter().any(|(n, _)| *n == name) {
            self.tensors.push((name.clone(), numbers));
        }
        name
    }

    /// A constant; one that is there already is used again.
    pub fn constant(&mut self, numbers: Numbers) -> String {
        if let Some((name, _)) = self.tensors.iter().find(|(_, n)| *n == numbers) {
            return name.clone();
        }
        let name = format!("constant/{}", self.tensors.len() + 1);
        self.tensors.push((name.clone(), numbers));
        name
    }

    /// A single number.
    pub fn number(&mut self, x: f64) -> String {
        self.constant(Numbers::one(x))
    }

    /// A row of whole numbers.
    pub fn ints(&mut self, numbers: &[i64]) -> String {
        self.constant(Numbers::Ints(numbers.to_vec()))
    }

    /// A function of every number of `x`; of a field as of the map that it was made of.
    pub fn each(&mut self, x: &str, f: impl FnOnce(&mut Self, &str) -> String) -> String {
        let Some(map) = self.folded.get(x).cloned() else { return f(self, x) };
        let made = f(self, &map);
        // A field of the same sizes: that of `x`, whose shape is read where it is needed.
        let shape = self.plain("Shape", &[x]);
        let field = self.plain("Reshape", &[&made, &shape]);
        self.folded.insert(field.clone(), made);
        field
    }

    /// A reduction over axes.
    pub fn reduce(&mut self, op: &'static str, x: &str, axes: &[i64], keep: bool) -> String {
        let axes = self.ints(axes);
        self.op(op, &[x, &axes], vec![("keepdims", Attribute::Int(i64::from(keep)))])
    }

    /// `x` less its mean, and the mean of its squares, over axes that stay.
    pub fn centered(&mut self, x: &str, axes: &[i64]) -> (String, String) {
        let mean = self.reduce("ReduceMean", x, axes, true);
        let rest = self.plain("Sub", &[x, &mean]);
        let square = self.plain("Mul", &[&rest, &rest]);
        let variance = self.reduce("ReduceMean", &square, axes, true);
        (rest, variance)
    }

    /// What [`Onnx::centered`] found, as (x - mean)/√(variance + eps).
    pub fn normal(&mut self, rest: &str, variance: &str, eps: f64) -> String {
        let eps = self.number(eps);
        let held = self.plain("Add", &[variance, &eps]);
        let deviation = self.plain("Sqrt", &[&held]);
        self.plain("Div", &[rest, &deviation])
    }

    /// `x` in another shape: sizes that are known, or [`Size::Of`] an axis of it.
    pub fn reshaped(&mut self, x: &str, sizes: &[Size]) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut known: Vec<i64> = Vec::new();
        for size in sizes {
            match size {
                Size::Known(n) => known.push(*n),
                Size::Of(from, to) => {
                    if !known.is_empty() {
                        parts.push(self.ints(&std::mem::take(&mut known)));
                    }
                    let range = vec![("start", Attribute::Int(*from)), ("end", Attribute::Int(*to))];
                    parts.push(self.op("Shape", &[x], range));
                }
            }
        }
        if !known.is_empty() {
            parts.push(self.ints(&known));
        }
        let shape = match parts.as_slice() {
            [one] => one.clone(),
            _ => {
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                self.op("Concat", &parts, vec![("axis", Attribute::Int(0))])
            }
        };
        self.plain("Reshape", &[x, &shape])
    }

    /// `x` with its axes in another order.
    pub fn transposed(&mut self, x: &str, order: &[i64]) -> String {
        self.op("Transpose", &[x], vec![("perm", Attribute::Ints(order.to_vec()))])
    }

    /// A field (B, T, C, H, W) as a map (B, T·C, H, W).
    pub fn folded(&mut self, field: &str, channels: i64) -> String {
        if let Some(map) = self.folded.get(field) {
            return map.clone();
        }
        let map = self.reshaped(field, &[Size::Of(0, 1), Size::Known(channels), Size::Of(3, 5)]);
        self.folded.insert(field.into(), map.clone());
        map
    }

    /// A map (B, T·C, H, W) as a field (B, T, C, H, W).
    pub fn unfolded(&mut self, map: &str, turns: i64, channels: i64) -> String {
        let sizes = [Size::Of(0, 1), Size::Known(turns), Size::Known(channels), Size::Of(2, 4)];
        let field = self.reshaped(map, &sizes);
        self.folded.insert(field.clone(), map.into());
        field
    }
}

/// A size of a shape that is written out.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// This number; -1 is what is left.
    Known(i64),
    /// Those of the axes from the first up to the second.
    Of(i64, i64),
}

/// A reduction of the argument `x` as `mean` and its like are called: without a mask, along the axes that are named.
pub fn reduction(call: &Use, out: &mut Onnx, of: &str, op: &'static str) -> Form {
    call.without("mask")?;
    let (axes, x) = (call.along(of)?, call.name(of)?.to_string());
    if axes.is_empty() {
        return Ok(out.plain("Identity", &[&x]));
    }
    Ok(out.reduce(op, &x, &axes, false))
}

/// A scale and a shift for each channel, of a norm's weights, if it has them; `behind` axes come after the channels.
pub fn scaled_by(call: &Use, out: &mut Onnx, value: String, behind: i64) -> Form {
    let (Some(weight), Some(bias)) = (call.maybe("weight"), call.maybe("bias")) else { return Ok(value) };
    let mut along = |name: &str| {
        if behind == 0 {
            return name.to_string();
        }
        let axes = out.ints(&(1..=behind).collect::<Vec<_>>());
        out.plain("Unsqueeze", &[name, &axes])
    };
    let (weight, bias) = (along(&weight.name), along(&bias.name));
    let value = out.plain("Mul", &[&value, &weight]);
    Ok(out.plain("Add", &[&value, &bias]))
}
