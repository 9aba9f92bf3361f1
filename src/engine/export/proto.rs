//! The bytes of a model in ONNX: the seven messages of `onnx.proto` that it takes, in Protocol Buffers' wire format.
//!
//! There is little to write, so there is no generated code (see `docs/decisions/onnx.md`).

use rord_files::protobuf::Message;
use rord_ops::export::onnx::{Attribute, Node, Numbers};

/// A size of an input or an output: a number, a name, or neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// So many.
    Known(i64),
    /// As many as all others of this name.
    Named(String),
    /// Any.
    Any,
}

/// A model.
pub struct Model<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What it is for.
    pub about: &'a str,
    /// What wrote it, and of which version.
    pub producer: (&'a str, &'a str),
    /// The operator set.
    pub opset: i64,
    /// Inputs and outputs in f32, with their sizes.
    pub inputs: &'a [(String, Vec<Side>)],
    /// See `inputs`.
    pub outputs: &'a [(String, Vec<Side>)],
    /// Its nodes.
    pub nodes: &'a [Node],
    /// Its constants.
    pub tensors: &'a [(String, Numbers)],
    /// What else is known of it.
    pub metadata: &'a [(String, String)],
}

/// The version of the format; 8 came with operator sets 17 and 18.
const IR: i64 = 8;
const FLOAT: i64 = 1;
const INT64: i64 = 7;

fn value((name, sides): &(String, Vec<Side>)) -> Message {
    let shape = Message::default().each(sides, |shape, side| {
        shape.message(
            1,
            match side {
                Side::Known(n) => Message::default().int(1, *n),
                Side::Named(name) => Message::default().text(2, name),
                Side::Any => Message::default(),
            },
        )
    });
    let tensor = Message::default().int(1, FLOAT).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

fn tensor((name, numbers): &(String, Numbers)) -> Message {
    let (shape, kind, raw): (Vec<i64>, i64, Vec<u8>) = match numbers {
        Numbers::Floats(shape, all) => {
            let shape = shape.iter().map(|n| *n as i64).collect();
            (shape, FLOAT, all.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
        Numbers::Ints(all) => (vec![all.len() as i64], INT64, all.iter().flat_map(|x| x.to_le_bytes()).collect()),
    };
    Message::default().each(shape, |m, n| m.int(1, n)).int(2, kind).text(8, name).bytes(9, &raw)
}

fn attribute((name, content): &(&'static str, Attribute)) -> Message {
    let named = Message::default().text(1, name);
    match content {
        Attribute::Float(x) => named.float(2, *x).int(20, 1),
        Attribute::Int(n) => named.int(3, *n).int(20, 2),
        Attribute::Text(text) => named.text(4, text).int(20, 3),
        Attribute::Ints(all) => named.each(all, |m, n| m.int(8, *n)).int(20, 7),
    }
}

fn node(node: &Node) -> Message {
    let message = Message::default().each(&node.inputs, |m, input| m.text(1, input));
    let message = message.text(2, &node.output).text(3, &node.output).text(4, node.op);
    message.each(&node.attributes, |m, a| m.message(5, attribute(a)))
}

/// The bytes of a model's file.
pub fn bytes(model: &Model<'_>) -> Vec<u8> {
    let graph = Message::default()
        .each(model.nodes, |m, n| m.message(1, node(n)))
        .text(2, model.name)
        .each(model.tensors, |m, t| m.message(5, tensor(t)))
        .each(model.inputs, |m, v| m.message(11, value(v)))
        .each(model.outputs, |m, v| m.message(12, value(v)));
    Message::default()
        .int(1, IR)
        .text(2, model.producer.0)
        .text(3, model.producer.1)
        .text(6, model.about)
        .message(7, graph)
        .message(8, Message::default().int(2, model.opset))
        .each(model.metadata, |m, (k, v)| m.message(14, Message::default().text(1, k).text(2, v)))
        .into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_the_bytes_that_the_format_says() {
        let nodes = [Node {
            op: "Relu",
            inputs: vec!["x".into()],
            output: "y".into(),
            attributes: vec![("a", Attribute::Ints(vec![-1, 300])), ("b", Attribute::Float(0.5))],
        }];
        let model = Model {
            name: "n",
            about: "",
            producer: ("rord", "0"),
            opset: 18,
            inputs: &[("x".into(), vec![Side::Named("B".into()), Side::Known(2), Side::Any])],
            outputs: &[],
            nodes: &nodes,
            tensors: &[("c".into(), Numbers::Ints(vec![7]))],
            metadata: &[("k".into(), "v".into())],
        };
        let wanted: Vec<u8> = [
            &[8, 8, 0x12, 4][..],
            b"rord",
            &[0x1a, 1],
            b"0",
            &[0x32, 0],
            // The graph: the node with its two attributes, the name, the constant, the input.
            &[0x3a, 98, 0x0a, 50, 0x0a, 1, b'x', 0x12, 1, b'y', 0x1a, 1, b'y', 0x22, 4],
            b"Relu",
            &[0x2a, 20, 0x0a, 1, b'a', 0x40, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0x40, 0xac, 2],
            &[0xa0, 1, 7],
            &[0x2a, 11, 0x0a, 1, b'b', 0x15, 0, 0, 0, 0x3f, 0xa0, 1, 1],
            &[0x12, 1, b'n'],
            &[0x2a, 17, 8, 1, 16, 7, 0x42, 1, b'c', 0x4a, 8, 7, 0, 0, 0, 0, 0, 0, 0],
            &[0x5a, 22, 0x0a, 1, b'x', 0x12, 17, 0x0a, 15, 8, 1, 0x12, 11],
            &[0x0a, 3, 0x12, 1, b'B', 0x0a, 2, 8, 2, 0x0a, 0],
            &[0x42, 2, 16, 18, 0x72, 6, 0x0a, 1, b'k', 0x12, 1, b'v'],
        ]
        .concat();
        assert_eq!(bytes(&model), wanted);
    }
}
