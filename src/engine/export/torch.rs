//! A network as a module of PyTorch that a person can read, with its weights and a check that it computes the same.

use std::collections::HashSet;

use candle_core::{DType, Device, Tensor};

use super::{Written, names};
use crate::predict::{Picture, Predictor};
use crate::refusals::Stop;
use crate::stored;
use rord_graph::node::NodeSource;
use rord_lang::axis::Axis;
use rord_lang::source::{Sources, Span};
use rord_ops::export::torch::{Torch, number, tuple};
use rord_random::Stream;

/// The file of the network.
pub const MODULE: &str = "network.py";
/// The file of its weights, under their names in the run.
pub const WEIGHTS: &str = "weights.safetensors";
/// The file of a picture with what comes of it.
pub const EXAMPLE: &str = "example.safetensors";
/// The file of the test.
pub const TEST: &str = "test_network.py";

/// What Python reads as something else.
const TAKEN: [&str; 49] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield", "self", "torch", "nn", "F", "sobel",
    "abs", "all", "any", "max", "min", "sum", "round", "sorted", "range",
];

/// The longest text of the pipeline that is shown behind a line.
const SHOWN: usize = 70;

/// True for a text that is a line's comment: short, and a whole expression.
fn shown(text: &str) -> bool {
    let depth = text.chars().try_fold(0i32, |depth, c| match c {
        '(' => Some(depth + 1),
        ')' => Some(depth - 1).filter(|d| *d >= 0),
        c if c.is_control() => None,
        _ => Some(depth),
    });
    text.len() <= SHOWN && depth == Some(0)
}

/// A name that Python takes for one.
fn identifier(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    match plain.chars().next() {
        Some(c) if !c.is_ascii_digit() && !TAKEN.contains(&name) => plain,
        _ => format!("{plain}_"),
    }
}

/// The text of the module. `lead` is what its docstring begins with; texts of the pipeline are shown behind lines.
///
/// Refused: what has no form in PyTorch (R0742).
pub fn module(written: &Written<'_>, lead: &str, sources: &Sources) -> Result<String, Stop> {
    let graph = &written.graph;
    let input = identifier(written.input.0);
    let chains = names::chains(graph, &input, identifier);
    let mut out = Torch::default();
    let mut weights: Vec<(String, String)> = Vec::new();
    let mut lines: Vec<(String, Span)> = Vec::new();
    let given = |_: usize, source: &NodeSource| match source {
        NodeSource::Field { .. } => Ok(input.clone()),
        NodeSource::Weight(w) => {
            let name = graph.weights.get(*w).map(|w| w.name.clone()).unwrap_or_default();
            let tensor = written.weights.get(*w).map(|t| tuple(&sizes(t))).unwrap_or_default();
            weights.push((name.clone(), format!("nn.Parameter(torch.empty({tensor}))")));
            Ok(format!("self[{name:?}]"))
        }
        NodeSource::Number(x) => Ok(number(*x)),
        _ => Err("changes while training, and has no one value".into()),
    };
    let values = written.each("PyTorch", given, |index, compute, call| {
        let form = compute.torch(call, &mut out)?;
        // What only hands its argument on is no line.
        if call.inputs.iter().any(|i| i.name == form) {
            return Ok(form);
        }
        let name = chains.get(index).cloned().unwrap_or_default();
        let span = graph.nodes.get(index).map(|n| n.span);
        lines.extend(span.map(|span| (format!("{name} = {form}"), span)));
        Ok(name)
    })?;
    // A weight that is part of a layer comes with it; one that is used by itself is declared.
    for (name, made) in weights {
        if lines.iter().any(|(line, _)| line.contains(&format!("self[{name:?}]"))) {
            out.put(&name, made);
        }
    }
    let axes = written.input.1.axes.iter().map(Axis::name).collect::<Vec<_>>().join(", ");
    let mut text = format!("\"\"\"{}\n\n{}\"\"\"\n\n", plain(lead), told(written, &axes));
    text += "import sys\nfrom pathlib import Path\n\nimport torch\nfrom safetensors.torch import load_file\nfrom torch import nn\nfrom torch.nn import functional as F\n\n";
    text += LAYERS;
    for helper in &out.helpers {
        text += &format!("\n{helper}");
    }
    text += "\n\nclass Network(Layers):\n    def __init__(self):\n        super().__init__({\n";
    for (path, made) in &out.layers {
        text += &format!("            {path:?}: {made},\n");
    }
    text += &format!("        }})\n\n    def forward(self, {input}):\n");
    let width = lines.iter().map(|(line, _)| line.len()).filter(|n| *n < 60).max().unwrap_or(0);
    for (line, span) in &lines {
        match sources.get(span.file).and_then(|s| s.text.get(span.start as usize..span.end as usize)) {
            Some(from) if shown(from) => {
                text += &format!("        {line:width$}  # {from}\n");
            }
            _ => text += &format!("        {line}\n"),
        }
    }
    let outputs: Vec<String> = graph
        .outputs
        .iter()
        .map(|o| format!("{:?}: {}", o.name, values.get(o.node.0 as usize).map_or("", String::as_str)))
        .collect();
    text += &format!("        return {{{}}}\n", outputs.join(", "));
    text += LOAD;
    Ok(text)
}

/// A text as part of a docstring.
fn plain(text: &str) -> String {
    text.replace('"', "'").replace('\\', "/")
}

/// What the docstring says of input, outputs and use.
fn told(written: &Written<'_>, axes: &str) -> String {
    let mut text = String::new();
    for (key, about) in &written.about {
        text += &format!("{key}: {}\n", plain(about));
    }
    let outputs: Vec<&str> = written.graph.outputs.iter().map(|o| o.name.as_str()).collect();
    text +=
        &format!("\nIt takes pictures ({axes}), from 0 to 1, whose sides are multiples of {},\n", written.multiple());
    text += &format!("and returns a dict of {}.\n\n", outputs.join(", "));
    text += "    from network import load\n    outputs = load()(pictures)\n\n";
    text += "python network.py compares it with what rord computed.\n";
    text
}

fn sizes(t: &Tensor) -> Vec<i64> {
    t.dims().iter().map(|n| *n as i64).collect()
}

/// Layers under the names of the run.
const LAYERS: &str = r#"
class Layers(nn.Module):
    """Layers and weights under their names in the run: self["net.trunk.0"] has "net.trunk.0.weight"."""

    def __init__(self, parts):
        super().__init__()
        for path, part in parts.items():
            *outer, last = path.split(".")
            at = self
            for name in outer:
                at = at._modules.setdefault(name, nn.Module())
            (at._parameters if isinstance(part, nn.Parameter) else at._modules)[last] = part

    def __getitem__(self, path):
        at = self
        for name in path.split("."):
            at = at._modules[name] if name in at._modules else at._parameters[name]
        return at
"#;

/// How it is loaded and compared.
const LOAD: &str = r#"

def load(folder=Path(__file__).parent):
    """The network with the weights of the folder, ready to be used."""
    network = Network()
    missing, unexpected = network.load_state_dict(load_file(Path(folder) / "weights.safetensors"), strict=False)
    # What PyTorch counts and rord does not.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"the weights do not fit: missing {missing}, unexpected {unexpected}")
    return network.eval()


def compared(folder=Path(__file__).parent):
    """The largest difference of each output from what rord computed of the same picture, and the output's largest number."""
    example = load_file(Path(folder) / "example.safetensors")
    with torch.no_grad():
        found = load(folder)(example.pop("input"))
    return {name: ((found[name] - x).abs().max().item(), x.abs().max().item()) for name, x in example.items()}


if __name__ == "__main__":
    differs = False
    for name, (error, largest) in compared().items():
        print(f"{name}: differs by {error:.2e} at most, of numbers up to {largest:.3g}")
        differs |= not error <= 1e-4 * max(largest, 1.0)
    sys.exit(1 if differs else 0)
"#;

/// The test that is written beside it.
pub const CHECK: &str = r#""""The network computes what rord computed: python -m unittest, or pytest."""

import unittest

from network import compared


class Same(unittest.TestCase):
    def test_outputs(self):
        for name, (error, largest) in compared().items():
            with self.subTest(name):
                self.assertLessEqual(error, 1e-4 * max(largest, 1.0))


if __name__ == "__main__":
    unittest.main()
"#;

/// The file of the weights that the module has.
pub fn weights(written: &Written<'_>) -> Result<Vec<u8>, Stop> {
    let read: HashSet<usize> = written
        .graph
        .nodes
        .iter()
        .filter_map(|n| if let NodeSource::Weight(w) = n.source { Some(w) } else { None })
        .collect();
    let all = written.graph.weights.iter().zip(written.weights).enumerate().filter(|(at, _)| read.contains(at));
    let named: Vec<(String, Tensor)> = all.map(|(_, (w, t))| (w.name.clone(), t.clone())).collect();
    Ok(stored::bytes(&named, None)?)
}

/// The file of a picture, bars at random in noise, with what comes of it.
pub fn example(predictor: &mut Predictor<'_>, multiple: i64) -> Result<Vec<u8>, Stop> {
    let multiple = usize::try_from(multiple).unwrap_or(1).clamp(1, 1024);
    let channels = predictor.channels().unwrap_or(1);
    let [height, width] = predictor.fixed();
    let side = |fixed: Option<usize>, n: usize| fixed.unwrap_or_else(|| n.next_multiple_of(multiple));
    let (height, width) = (side(height, 64), side(width, 96));
    let mut stream = Stream::new(0, &[]);
    let values: Vec<f32> = (0..channels * height * width)
        .map(|at| {
            let (x, y) = (at % width, at / width % height);
            let drawn = if (x / 9 + y / 7) % 3 == 0 { 0.8 } else { 0.1 };
            (drawn + stream.range(-0.1, 0.1)) as f32
        })
        .collect();
    let input = Tensor::from_slice(&values, (1, channels, height, width), &Device::Cpu)?;
    let found = predictor.run(&Picture { values: &values, channels, height, width })?;
    let mut all = vec![("input".to_string(), input)];
    for (export, value) in predictor.exports().iter().zip(found) {
        all.push((export.name.clone(), value.to_dtype(DType::F32)?));
    }
    Ok(stored::bytes(&all, None)?)
}
