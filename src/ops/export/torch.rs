//! What operations are in PyTorch: layers with their weights, expressions, and the few functions that it does not have.

use super::{Form, Use};

/// A module that is being written.
#[derive(Debug, Default)]
pub struct Torch {
    /// Layers and weights by their path in the run: `net.trunk.0`, `nn.Conv2d(1, 32, 3, padding=1)`.
    pub layers: Vec<(String, String)>,
    /// Texts of functions and classes that expressions use, each once.
    pub helpers: Vec<&'static str>,
}

impl Torch {
    /// The layer that has the weights of a call; returns the expression that it is called by.
    pub fn layer(&mut self, call: &Use, made: String) -> Form {
        let path = call.inputs.iter().find_map(|i| i.weight?.0.strip_suffix(i.role)?.strip_suffix('.'));
        let path = path.ok_or("has no layer without weights of its own")?;
        self.put(path, made);
        Ok(format!("self[{path:?}]"))
    }

    /// A layer or a weight under this path.
    pub fn put(&mut self, path: &str, made: String) {
        if !self.layers.iter().any(|(p, _)| p == path) {
            self.layers.push((path.into(), made));
        }
    }

    /// The text of a function that is used.
    pub fn helper(&mut self, text: &'static str) {
        if !self.helpers.contains(&text) {
            self.helpers.push(text);
        }
    }
}

/// Numbers as Python writes a tuple of axes: `1`, `(2, 3)`.
pub fn tuple(numbers: &[i64]) -> String {
    match numbers {
        [one] => one.to_string(),
        many => format!("({})", many.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// A number as Python writes it.
pub fn number(x: f64) -> String {
    match x {
        x if x == f64::INFINITY => "float(\"inf\")".into(),
        x if x == f64::NEG_INFINITY => "-float(\"inf\")".into(),
        x if x.is_nan() => "float(\"nan\")".into(),
        x => format!("{x:?}"),
    }
}

/// True or false as Python writes it.
pub fn flag(x: bool) -> &'static str {
    if x { "True" } else { "False" }
}

/// A reduction of an argument: `x.mean(dim=1)`.
pub fn reduction(call: &Use, of: &str, method: &str) -> Form {
    call.without("mask")?;
    let (axes, x) = (call.along(of)?, call.name(of)?);
    Ok(if axes.is_empty() { x.into() } else { format!("{x}.{method}(dim={})", tuple(&axes)) })
}
