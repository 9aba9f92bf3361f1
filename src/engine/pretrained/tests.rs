use super::*;
use crate::begin;
use crate::evaluate::{Supplied, predict};
use rord_lang::check::{NoImports, Outside, check as check_text};
use rord_lang::source::{SourceKind, Sources};
use rord_lang::vocabulary::Vocabulary;
use std::collections::HashMap;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/pretrained");

fn file(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// The tensors of a file by name, as f32.
fn read(name: &str) -> HashMap<String, Vec<f32>> {
    let source = Source::read(&file(name)).unwrap();
    let one = |found: &Found| {
        let tensor = source.tensor(found, DType::F32, &Device::Cpu).unwrap();
        assert_eq!(tensor.dims(), found.named.shape);
        (found.named.name.clone(), tensor.flatten_all().unwrap().to_vec1().unwrap())
    };
    source.tensors.iter().map(one).collect()
}

#[test]
fn files_of_pytorch_hold_what_the_same_safetensors_hold() {
    let expected = read("vgg.safetensors");
    assert_eq!(expected.len(), 12);
    assert_eq!(read("vgg.pth"), expected);
    assert_eq!(read("vgg-legacy.pth"), expected);
    let checkpoint = read("vgg-checkpoint.pt");
    let plain = checkpoint.into_iter().map(|(n, t)| (n.strip_prefix("module.").unwrap().to_string(), t)).collect();
    assert_eq!(expected, plain);
    // Half precision, doubles, a parameter, transposed numbers, and two tensors in one storage.
    assert_eq!(read("odd.pth"), read("odd.safetensors"));
    let order: Vec<String> =
        Source::read(&file("vgg.pth")).unwrap().tensors.into_iter().map(|f| f.named.name).collect();
    assert_eq!(order[..3], ["features.0.weight", "features.0.bias", "features.2.weight"]);
}

#[test]
fn a_file_that_is_cut_or_changed_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pth");
    for name in ["vgg.pth", "vgg-legacy.pth", "vgg.safetensors"] {
        let bytes = std::fs::read(file(name)).unwrap();
        for end in (0..bytes.len()).step_by(97) {
            std::fs::write(&path, &bytes[..end]).unwrap();
            assert!(Source::read(&path).is_err(), "{name} cut at {end}");
        }
        // Whatever byte is another one: an error, or tensors that can be read or not.
        for at in (0..bytes.len()).step_by(31) {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0xff;
            std::fs::write(&path, &wrong).unwrap();
            if let Ok(source) = Source::read(&path) {
                let few = |f: &&Found| {
                    f.named.shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).is_some_and(|n| n < 1 << 20)
                };
                source.tensors.iter().filter(few).for_each(|f| drop(source.tensor(f, DType::F32, &Device::Cpu)));
            }
        }
    }
    std::fs::write(&path, b"PK\x03\x04 and nothing else").unwrap();
    assert!(matches!(Source::read(&path), Err(Why::Malformed(_))));
}

/// Checks a text whose `FILES` stands for the folder of the files.
fn checked(text: &str) -> (Pipeline, Vocabulary, Vec<String>, Sources) {
    checked_with(text, None)
}

/// As [`checked`], with tensors for its inputs.
fn checked_with(
    text: &str,
    tensors: Option<rord_lang::check::Tensors>,
) -> (Pipeline, Vocabulary, Vec<String>, Sources) {
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let text = text.replace("FILES", FOLDER);
    let file = sources.add(SourceKind::Main, "part.rord", text);
    let (pipeline, reports) =
        check_text(&mut sources, file, &vocabulary, &NoImports, &Outside { tensors, ..Outside::default() });
    (pipeline, vocabulary, reports.iter().map(|r| format!("{} {}", r.code, r.title)).collect(), sources)
}

const VGG: &str = "
data d = layout_images(synth(tiles = 4), patch = 32px, steps = 2) -> {
  image: Image[B, 1, H, W]@o, corners: Label[B, 1, H, W]@o,
}
model net(x: Image[B, 1, H, W]@f) {
  let trunk = x |> conv(4, 3) |> relu |> conv(4, 3) |> relu |> max_pool(2) |> conv(8, 3) |> relu |> conv(8, 3) |> relu
  out det   = trunk |> conv(1, 1) |> upsample(2) |> sigmoid
}
minimize total = bce(d.corners, net(d.image).det)
train { optimizer = adam(lr = 1e-3), part net.trunk { init = INIT } }
";

fn vgg(init: &str) -> (Weights, Vec<Taken>) {
    let (pipeline, _, reports, _) = checked(&VGG.replace("INIT", init));
    assert_eq!(reports, [""; 0]);
    begin::weights(&pipeline, None, 1, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn a_part_takes_what_is_under_its_prefix_by_name() {
    let expected = read("vgg.safetensors");
    for name in ["vgg.pth", "vgg-legacy.pth", "vgg.safetensors"] {
        let (weights, taken) = vgg(&format!("\"FILES/{name}\" under \"features\""));
        let [taken] = taken.as_slice() else { panic!() };
        assert_eq!((taken.by, taken.took.len(), taken.left.len(), taken.random.len()), (By::Names, 8, 0, 0));
        for (weight, tensor) in &taken.took {
            let inner = weight.strip_prefix("net.trunk.").unwrap();
            assert_eq!(tensor, &format!("features.{inner}"));
            let found: Vec<f32> = weights.get(weight).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            assert_eq!(found, expected[tensor], "{weight}");
        }
        assert!(taken.line().starts_with("net.trunk: 8 of 8 weights from "), "{}", taken.line());
    }
    let (_, taken) = vgg("\"FILES/vgg-checkpoint.pt\" under \"module.features\"");
    assert_eq!(taken[0].took.len(), 8);
    // Without a prefix no name fits, and layers go in their order; the classifier is left.
    let (weights, taken) = vgg("\"FILES/vgg.pth\"");
    assert_eq!((taken[0].by, taken[0].took.len()), (By::Order, 8));
    assert_eq!(taken[0].left[0], "classifier.0.weight");
    let found: Vec<f32> = weights.get("net.trunk.7.bias").unwrap().to_vec1().unwrap();
    assert_eq!(found, expected["features.7.bias"]);
    assert!(
        taken[0].line().contains("in order; left there: classifier.0.weight, classifier.0.bias, "),
        "{}",
        taken[0].line()
    );
}

#[test]
fn a_residual_network_of_pytorch_computes_the_same_here() {
    let text = "
input x: Image[B, 1, H, W]@v
layer again(x: Feat[B, C, H, W]@f, width: Count) -> Feat[B, C, H, W]@f =
  (x |> conv(width, 3, bias = false) |> batch_norm |> relu |> conv(width, 3, bias = false) |> batch_norm) + x
layer first(x: Feat[B, C, H, W]@f, width: Count) -> Feat[B, width, H/2, W/2]@f =
  (x |> conv(width, 3, stride = 2, bias = false) |> batch_norm |> relu |> conv(width, 3, bias = false) |> batch_norm)
    + (x |> conv(width, 1, stride = 2, pad = 0, bias = false) |> batch_norm)
model net(x: Image[B, 1, H, W]@f) {
  let stem = x |> conv(4, 3, bias = false) |> batch_norm |> relu
  let one  = stem |> again(4) |> relu |> again(4) |> relu
  out y    = one |> first(8) |> relu |> again(8) |> relu
}
let y = net(x).y
minimize total = mean(y)
train { optimizer = adam(lr = 1e-3), part net { init = \"FILES/NAME\" } }
";
    let expected = Supplied::read(&file("resnet-values.safetensors")).unwrap();
    let values: Vec<f32> = expected.tensors["y"].flatten_all().unwrap().to_vec1().unwrap();
    for name in ["resnet.pth", "resnet.safetensors"] {
        let (pipeline, vocabulary, reports, _) = checked_with(&text.replace("NAME", name), Some(expected.shapes()));
        // It has an input and a section `train`, and that is all that is wrong.
        assert_eq!(reports.len(), 1, "{reports:?}");
        let found = predict(&pipeline, &vocabulary, &expected, None, 0, &["y"]).unwrap();
        let found: Vec<f32> = found[0].1.flatten_all().unwrap().to_vec1().unwrap();
        let gap = found.iter().zip(&values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(found.len() == values.len() && gap < 5e-5, "{name}: {gap}");
        let (_, taken) = begin::weights(&pipeline, None, 0, DType::F32, &Device::Cpu).unwrap();
        assert_eq!((taken[0].by, taken[0].random.len()), (By::Order, 0));
        let mut left = taken[0].left.clone();
        left.sort();
        assert_eq!(left, ["fc.bias", "fc.weight"]);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_both_shapes() {
    let why = |init: &str, model: &str| {
        let text = VGG.replace("INIT", init).replace("x |> conv(4, 3) |> relu |> conv(4, 3)", model);
        let (pipeline, ..) = checked(&text);
        check(&pipeline).unwrap_err().why
    };
    let same = "x |> conv(4, 3) |> relu |> conv(4, 3)";
    let Why::Differs(misfits) = why("\"FILES/vgg.pth\" under \"features\"", "x |> conv(6, 3) |> relu |> conv(4, 3)")
    else {
        panic!()
    };
    assert_eq!(misfits[0].weight.shape, [6, 1, 3, 3]);
    assert_eq!(misfits[0].found.as_ref().unwrap().shape, [4, 1, 3, 3]);
    // In order, a layer without a bias does not take one with it.
    let without = "x |> conv(4, 3, bias = false) |> relu |> conv(4, 3)";
    assert!(
        matches!(why("\"FILES/vgg.pth\"", without), Why::Differs(m) if m[0].found.as_ref().unwrap().name == "features.0.bias")
    );
    let Why::Nothing { known, .. } = why("\"FILES/vgg.pth\" under \"feature\"", same) else { panic!() };
    assert_eq!(known, ["features", "classifier"]);
    assert!(matches!(why("\"FILES/absent.pth\"", same), Why::File(_)));
    assert!(matches!(why("\"FILES/vgg.pth\" under \"classifier\"", same), Why::NoneFits));
}
