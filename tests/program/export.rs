//! `export`: what there is, a file of ONNX taken apart again, a module of PyTorch as text, and what is refused.

mod evaluate;

use std::collections::HashMap;
use std::path::Path;

use self::evaluate::{Array, Node, evaluated};

use super::find::rord;

const PIPELINE: &str = r#"rord 1
pipeline "little" "A network for these tests."

data pairs = layout_pairs(synth(tiles = 3, seed = 1), patch = 32px, steps = 1, train = 0.5) -> {
  image:   Image[B, 1, H, W]@orig,
  image_r: Image[B, 1, H, W]@moved,
  H:       Homography[B]@orig->moved,
}

model net(x: Image[B, 1, H, W]@f) {
  let t = x |> conv(2, 3, symmetry = c4) |> relu |> max_pool(2) |> invariant
  out score: Logit[B, 1, H/2, W/2]@f = t |> conv(1, 1)
  out desc:  Desc unit[B, 4, H/2, W/2]@f = t |> conv(4, 3, bias = false) |> batch_norm |> l2norm
}

let { score, desc }  = net(pairs.image)
let { desc as desc_r } = net(pairs.image_r)
minimize total = triplet(grid(16), hardneg, by = pairs.H) + 0.1 * mean(square(score))
train { optimizer = adam(lr = 1e-3), batch = 2, epochs = 1 }
"#;

/// A run of a step.
fn trained(more: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.rord"), format!("{PIPELINE}{more}")).unwrap();
    let out = rord(dir.path(), &["a.rord", "--out", "run"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    dir
}

fn done(dir: &Path, args: &[&str]) -> String {
    let out = rord(dir, args);
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A field of a message: its number, and a number or bytes.
enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message of Protocol Buffers.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Content<'_>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut n, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            n |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return n;
            }
        }
    }
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let content = match key & 7 {
            0 => Content::Number(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (content, rest) = bytes.split_at(length);
                bytes = rest;
                Content::Bytes(content)
            }
            5 => {
                let (content, rest) = bytes.split_at(4);
                bytes = rest;
                Content::Bytes(content)
            }
            wire => panic!("wire type {wire}"),
        };
        all.push((key >> 3, content));
    }
    all
}

fn messages(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let one = |(n, content)| match content {
        Content::Bytes(bytes) if n == number => Some(bytes),
        _ => None,
    };
    fields(bytes).into_iter().filter_map(one).collect()
}

fn texts(bytes: &[u8], number: u64) -> Vec<String> {
    messages(bytes, number).into_iter().map(|b| String::from_utf8(b.to_vec()).unwrap()).collect()
}

fn numbers(bytes: &[u8], number: u64) -> Vec<u64> {
    let one = |(n, content)| match content {
        Content::Number(x) if n == number => Some(x),
        _ => None,
    };
    fields(bytes).into_iter().filter_map(one).collect()
}

/// An input or an output: `image [batch, 1, height, width]`.
fn value(bytes: &[u8]) -> String {
    let tensor = messages(messages(bytes, 2)[0], 1)[0];
    let side = |dim: &[u8]| match numbers(dim, 1).first() {
        Some(n) => n.to_string(),
        None => texts(dim, 2).concat(),
    };
    let sides: Vec<String> = messages(messages(tensor, 2)[0], 1).into_iter().map(side).collect();
    format!("{} [{}]", texts(bytes, 1)[0], sides.join(", "))
}

#[test]
fn a_network_is_one_file_of_onnx_that_has_all_of_it() {
    let dir = trained("");
    let said = done(dir.path(), &["export", "run", "--to", "onnx"]);
    assert_eq!(said, "little.onnx  0.0 MB, operator set 18\n");
    let file = std::fs::read(dir.path().join("little.onnx")).unwrap();
    let graph = messages(&file, 7)[0];
    let each = |field: u64| messages(graph, field).into_iter().map(value).collect::<Vec<_>>();
    assert_eq!((numbers(&file, 1), numbers(messages(&file, 8)[0], 2)), (vec![8], vec![18]));
    assert_eq!(each(11), ["image [batch, 1, height, width]"]);
    assert_eq!(each(12), ["score [batch, 1, height/2, width/2]", "desc [batch, 4, height/2, width/2]"]);
    let about = |m: &[u8]| (texts(m, 1).concat(), texts(m, 2).concat());
    let metadata: HashMap<String, String> = messages(&file, 14).into_iter().map(about).collect();
    let known = |key: &str| metadata.get(key).map_or("", String::as_str);
    assert_eq!((known("rord.run"), known("rord.pipeline"), known("rord.multiple")), ("run", "little", "2"));
    assert!(known("rord.text").starts_with("b3:") && known("rord.version") == env!("CARGO_PKG_VERSION"));
    let nodes = messages(graph, 1);
    let ops: Vec<String> = nodes.iter().map(|n| texts(n, 4).concat()).collect();
    assert_eq!(
        ops.join(" "),
        "Conv Relu MaxPool Shape Shape Concat Reshape ReduceMean Conv Conv BatchNormalization ReduceL2 Max Div"
    );
    // Every value that is read is the input, a constant, or made before.
    let tensor = |t: &[u8]| (texts(t, 8).concat(), numbers(t, 1), messages(t, 9)[0].len());
    let tensors: Vec<_> = messages(graph, 5).into_iter().map(tensor).collect();
    let mut made: Vec<String> = tensors.iter().map(|(name, ..)| name.clone()).chain(["image".into()]).collect();
    for node in nodes {
        assert!(texts(node, 1).iter().all(|input| made.contains(input)), "{:?} of {made:?}", texts(node, 1));
        made.extend(texts(node, 2));
    }
    assert!(["score", "desc"].iter().all(|name| made.iter().any(|m| m == name)));
    let shape = |name: &str| tensors.iter().find(|(n, ..)| n == name).map(|(_, shape, _)| shape.clone());
    // Two filters in four turns are eight plain ones.
    assert_eq!(shape("net.t.0.weight.turned"), Some(vec![8, 1, 3, 3]));
    assert_eq!(shape("net.desc.1.running_var"), Some(vec![4]));
    assert!(shape("net.t.0.weight").is_none(), "what is not read is not there");
    assert!(tensors.iter().all(|(_, shape, bytes)| shape.iter().product::<u64>()
        * if shape.len() == 1 && bytes % 8 == 0 { 1 } else { 4 }
        <= *bytes as u64));
    // The same bytes again.
    done(dir.path(), &["export", "run", "--to", "onnx", "--out", "again.onnx"]);
    assert!(std::fs::read(dir.path().join("again.onnx")).unwrap() == file);
}

/// A constant: floats, or whole numbers.
fn constant(bytes: &[u8]) -> (String, Array) {
    let raw = messages(bytes, 9)[0];
    let shape = numbers(bytes, 1).iter().map(|n| *n as usize).collect();
    let numbers = match numbers(bytes, 2)[0] {
        1 => raw.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect(),
        _ => raw.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
    };
    (texts(bytes, 8).concat(), Array { shape, numbers })
}

fn operation(bytes: &[u8]) -> Node {
    let mut node = Node {
        op: texts(bytes, 4).concat(),
        inputs: texts(bytes, 1),
        output: texts(bytes, 2).concat(),
        ints: HashMap::new(),
        floats: HashMap::new(),
    };
    for attribute in messages(bytes, 5) {
        let name = texts(attribute, 1).concat();
        let ints = numbers(attribute, 3).into_iter().chain(numbers(attribute, 8)).map(|n| n as i64);
        node.ints.insert(name.clone(), ints.collect());
        if let Some(float) = messages(attribute, 2).first() {
            node.floats.insert(name, f64::from(f32::from_le_bytes((*float).try_into().unwrap())));
        }
    }
    node
}

#[test]
fn onnx_says_what_rord_computes() {
    let dir = trained("");
    done(dir.path(), &["export", "run", "--to", "onnx"]);
    done(dir.path(), &["export", "run", "--to", "torch"]);
    let bytes = std::fs::read(dir.path().join("little-torch/example.safetensors")).unwrap();
    let example = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let array = |name: &str| {
        let tensor = example.tensor(name).unwrap();
        let float = |b: &[u8]| f64::from(f32::from_le_bytes(b.try_into().unwrap()));
        Array { shape: tensor.shape().to_vec(), numbers: tensor.data().chunks_exact(4).map(float).collect() }
    };
    let file = std::fs::read(dir.path().join("little.onnx")).unwrap();
    let graph = messages(&file, 7)[0];
    let nodes: Vec<Node> = messages(graph, 1).into_iter().map(operation).collect();
    let mut given: HashMap<String, Array> = messages(graph, 5).into_iter().map(constant).collect();
    given.insert("image".into(), array("input"));
    let values = evaluated(&nodes, given);
    for name in ["score", "desc"] {
        let (found, wanted) = (&values[name], array(name));
        assert_eq!(found.shape, wanted.shape, "{name}");
        let differs = found.numbers.iter().zip(&wanted.numbers).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let spread = wanted.numbers.iter().map(|x| x.abs()).fold(0.0, f64::max);
        assert!(differs < 1e-5 && spread > 1e-2, "{name} differs by {differs}, of numbers up to {spread}");
    }
}

const FORWARD: &str = r#"    def forward(self, image):
        t = self["net.t.0"](image)                                  # conv(2, 3, symmetry = c4)
        t = F.relu(t)                                               # relu
        t = F.max_pool2d(t.flatten(1, 2), 2).unflatten(1, (4, -1))  # max_pool(2)
        t = t.mean(dim=1)                                           # invariant
        score = self["net.score.0"](t)                              # conv(1, 1)
        desc = self["net.desc.0"](t)                                # conv(4, 3, bias = false)
        desc = self["net.desc.1"](desc)                             # batch_norm
        desc = F.normalize(desc, dim=1)                             # l2norm
        return {"score": score, "desc": desc}
"#;

const LAYERS: &str = r#"            "net.t.0": TurnedConv2d(1, 2, 3, padding=1, turns=4, of="map"),
            "net.score.0": nn.Conv2d(2, 1, 1),
            "net.desc.0": nn.Conv2d(2, 4, 3, padding=1, bias=False),
            "net.desc.1": nn.BatchNorm2d(4, eps=1e-5),
"#;

#[test]
fn a_network_is_a_module_of_pytorch_that_can_be_read() {
    let dir = trained("");
    let said = done(dir.path(), &["export", "run", "--to", "torch", "--out", "net"]);
    let files = ["network.py", "weights.safetensors", "example.safetensors", "test_network.py"];
    let listed: String = files.map(|f| format!("net/{f}\n")).concat();
    assert_eq!(said, format!("{listed}\nTo compare it with rord:  python net/network.py\n"));
    let text = std::fs::read_to_string(dir.path().join("net/network.py")).unwrap();
    assert!(text.starts_with("\"\"\"little: A network for these tests.\n\nversion: "), "{text}");
    assert!(text.contains(FORWARD) && text.contains(LAYERS), "{text}");
    let bytes = std::fs::read(dir.path().join("net/example.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let shape = |name: &str| file.tensor(name).unwrap().shape().to_vec();
    assert_eq!((shape("input"), shape("score")), (vec![1, 1, 64, 96], vec![1, 1, 32, 48]));
    let run = std::fs::read(dir.path().join("run/best.safetensors")).unwrap();
    let (run, bytes) = (
        safetensors::SafeTensors::deserialize(&run).unwrap(),
        std::fs::read(dir.path().join("net/weights.safetensors")).unwrap(),
    );
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert!(file.len() == run.len() && file.iter().all(|(name, t)| run.tensor(name).unwrap().data() == t.data()));
}

const REFUSED: &str = "\
weights from run/best.safetensors
R0742

  × `cumsum` cannot be written in ONNX
    ╭─[run/pipeline.rord:20:18]
 20 │ export { where = cumsum(score, over = row), score }
    ·                  ────────────┬────────────
    ·                              ╰── `cumsum` has no form there
    ╰────
  help: it is needed for `where`: export what comes before it, and compute the rest where the network is used

";

#[test]
fn what_has_no_form_is_named_with_what_needs_it() {
    let dir = trained("export { where = cumsum(score, over = row), score }\n");
    let out = rord(dir.path(), &["export", "run", "--to", "onnx"]);
    assert_eq!((String::from_utf8_lossy(&out.stderr).as_ref(), out.status.code()), (REFUSED, Some(1)));
    let out = rord(dir.path(), &["export", "run", "--to", "torch"]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("`cumsum` cannot be written in PyTorch"));
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name != "little.onnx" && name != "little-torch"), "{left:?}");
}

/// A node: `h/conv = Conv(h/concat, maps.h.1.weight) kernel_shape=[2, 2] group=1`.
fn node(bytes: &[u8]) -> String {
    let attribute = |a: &[u8]| {
        let all: Vec<String> = numbers(a, 8).iter().map(u64::to_string).collect();
        let value = match numbers(a, 20)[0] {
            1 => f32::from_le_bytes(messages(a, 2)[0].try_into().unwrap()).to_string(),
            2 => numbers(a, 3)[0].to_string(),
            3 => texts(a, 4).concat(),
            _ => format!("[{}]", all.join(", ")),
        };
        format!(" {}={value}", texts(a, 1)[0])
    };
    let attributes: String = messages(bytes, 5).into_iter().map(attribute).collect();
    format!("{} = {}({}){attributes}\n", texts(bytes, 2)[0], texts(bytes, 4)[0], texts(bytes, 1).join(", "))
}

/// Every operation that can be exported, as it is written: `benches/export/check.py` compares these with ONNX Runtime and PyTorch.
#[test]
fn every_layer_is_written_as_it_was_compared() {
    let dir = tempfile::tempdir().unwrap();
    let pipeline = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/export/layers.rord");
    done(dir.path(), &[pipeline.to_str().unwrap(), "--preset", "smoke", "--out", "run"]);
    done(dir.path(), &["export", "run", "--to", "onnx", "--out", "a.onnx"]);
    done(dir.path(), &["export", "run", "--to", "torch", "--out", "torch"]);
    let file = std::fs::read(dir.path().join("a.onnx")).unwrap();
    let nodes: String = messages(messages(&file, 7)[0], 1).into_iter().map(node).collect();
    let module = std::fs::read_to_string(dir.path().join("torch/network.py")).unwrap();
    // What stands before has versions and paths, what follows is the same for every network.
    let (_, network) = module.split_once("class Network(Layers):").unwrap();
    let (network, _) = network.split_once("\n\n\ndef load(").unwrap();
    insta::assert_snapshot!("layers", format!("{nodes}\nclass Network(Layers):{network}"));
}

const LISTED: &str = "\
takes  image  Image[batch, 1, height, width]
gives  score  Prob[batch, 1, height/4, width/4]
gives  desc   Desc unit[batch, 128, height/4, width/4]

  rord-run export --to onnx    one file, for ONNX Runtime, OpenVINO, TensorRT
  rord-run export --to torch   a module of PyTorch, its weights, and a test
";

#[test]
fn without_a_system_what_there_is_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(done(dir.path(), &["export"]), LISTED);
    let out = rord(dir.path(), &["export", "--to", "onnx", "--out", "net.pb"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("net.pb does not end in .onnx") && said.contains("--out network.onnx"), "{said}");
}
