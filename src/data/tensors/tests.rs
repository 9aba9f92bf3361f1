//! Batches and misfits of files of tensors.

use super::*;
use std::path::Path;

use rord_lang::dim::{Dim, Symbol};
use rord_lang::types::Kind;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

fn symbol(id: u32, name: &str) -> Dim {
    Dim::symbol(Symbol { id, name: name.into(), opaque: false })
}

fn ty(kind: Kind, dims: &[Dim]) -> Type {
    Type::shaped(kind, [&[symbol(0, "B")], dims].concat())
}

fn wanted() -> Vec<(String, Type)> {
    let (h, w) = (symbol(1, "H"), symbol(2, "W"));
    vec![
        ("image".into(), ty(Kind::Image, &[Dim::number(1), h.clone(), w.clone()])),
        ("label".into(), ty(Kind::Label, &[Dim::number(1), h.over(4).unwrap(), w.over(4).unwrap()])),
        ("H".into(), ty(Kind::Homography, &[])),
    ]
}

/// A file of ten samples, in which sample i of `image` is i everywhere, with one tensor replaced.
fn load(
    change: Option<(&str, T)>,
    recipe: impl Fn(TensorRecipe) -> TensorRecipe,
) -> (Result<Tensors, TensorsError>, HashMap<u32, i64>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.safetensors");
    let ramp = (0..10).flat_map(|i| [i as f32; 96]).collect();
    let mut tensors = HashMap::from([
        ("image".to_string(), T { shape: vec![10, 1, 8, 12], values: ramp }),
        ("label".to_string(), ones(&[10, 1, 2, 3])),
        ("H".to_string(), identities()),
        ("ignored".to_string(), ones(&[3])),
    ]);
    if let Some((name, tensor)) = change {
        tensors.insert(name.into(), tensor);
    }
    save(&file, &tensors);
    let mut sizes = HashMap::new();
    let plain = recipe_of(&file, 3);
    let tensors = Tensors::load(recipe(plain), &wanted(), &mut sizes);
    // The files are gone at the end of this function; what holds them open still reads them.
    (tensors, sizes)
}

fn recipe_of(file: &Path, batch: usize) -> TensorRecipe {
    let files = vec![file.to_str().unwrap().to_string()];
    TensorRecipe { files, validation: Vec::new(), shuffle: false, train: 1.0, batch, seed: 0 }
}

/// A tensor of a file.
struct T {
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn full(shape: &[usize], value: f32) -> T {
    T { shape: shape.to_vec(), values: vec![value; shape.iter().product()] }
}

fn ones(shape: &[usize]) -> T {
    full(shape, 1.0)
}

/// Ten identities.
fn identities() -> T {
    let one = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    T { shape: vec![10, 3, 3], values: (0..10).flat_map(|_| one).collect() }
}

fn save(file: &Path, tensors: &HashMap<String, T>) {
    let bytes: Vec<(&String, &T, Vec<u8>)> =
        tensors.iter().map(|(n, t)| (n, t, t.values.iter().flat_map(|v| v.to_le_bytes()).collect())).collect();
    let views = bytes.iter().map(|(n, t, b)| (n.as_str(), TensorView::new(Dtype::F32, t.shape.clone(), b).unwrap()));
    std::fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn misfits(change: (&str, T)) -> Vec<String> {
    match load(Some(change), |r| r).0 {
        Err(TensorsError::Misfits(list)) => list.iter().map(|m| format!("{}: {m}", m.field().unwrap_or("-"))).collect(),
        other => panic!("{other:?}"),
    }
}

fn images(batch: &Batch) -> Vec<f32> {
    let image = &batch.fields[0];
    assert_eq!(image.shape, [batch.size, 1, 8, 12]);
    image.values.chunks(96).inspect(|c| assert!(c.iter().all(|x| *x == c[0]))).map(|c| c[0]).collect()
}

#[test]
fn sizes_come_from_the_file_and_batches_are_whole() {
    let (tensors, sizes) = load(None, |r| r);
    let tensors = tensors.unwrap();
    assert_eq!((sizes[&1], sizes[&2]), (8, 12));
    assert_eq!((tensors.steps(), tensors.validation_batches()), (3, 0));
    for step in 0..7 {
        let first = (step % 3 * 3) as f32;
        assert_eq!(images(&tensors.batch_at(Split::Train, step).unwrap()), [first, first + 1.0, first + 2.0]);
    }
}

#[test]
fn a_shuffle_is_another_order_in_each_epoch_and_validation_is_apart() {
    let shuffled = |seed| load(None, |r| TensorRecipe { shuffle: true, train: 0.6, seed, ..r }).0.unwrap();
    let (a, b) = (shuffled(1), shuffled(2));
    assert_eq!((a.steps(), a.validation_batches()), (2, 1));
    let epoch = |t: &Tensors, e: u64| [0, 1].map(|s| images(&t.batch_at(Split::Train, 2 * e + s).unwrap())).concat();
    let mut orders = Vec::new();
    for e in 0..4 {
        let mut order = epoch(&a, e);
        orders.push(order.clone());
        assert_ne!(order, epoch(&b, e), "another seed, another order");
        order.sort_by(f32::total_cmp);
        assert_eq!(order, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
    assert!(orders.windows(2).all(|w| w[0] != w[1]));
    assert_eq!(orders[1], epoch(&a, 1), "a batch depends on its number alone");
    assert_eq!(images(&a.batch_at(Split::Validation, 0).unwrap()), [6.0, 7.0, 8.0]);
}

#[test]
fn every_misfit_is_said_of_its_field() {
    assert_eq!(misfits(("H", ones(&[10, 9]))), ["H: the file has [10, 9], 2 axes instead of 3"]);
    assert_eq!(
        misfits(("H", ones(&[10, 3, 4]))),
        ["H: the file has [10, 3, 4], where the last size of a Homography is 3"]
    );
    assert_eq!(
        misfits(("label", ones(&[10, 1, 4, 3]))),
        ["label: the file has [10, 1, 4, 3], where H/4 is 2 as in `image`"]
    );
    assert_eq!(misfits(("image", ones(&[10, 1, 9, 12]))), ["label: H/4 is not a whole number, for 9 as in `image`"]);
    assert_eq!(misfits(("label", ones(&[4, 1, 2, 3]))), ["label: 4 samples, but 10 in `image`"]);
    let said = misfits(("label", full(&[10, 1, 2, 3], 1.5)));
    assert_eq!(said, ["label: 60 numbers are no Label (0 to 1, from data), the first is 1.5 in sample 0"]);
    let mut nan = identities();
    nan.values[63..].fill(f32::INFINITY);
    assert_eq!(misfits(("H", nan)), ["H: 27 numbers are not finite, the first in sample 7"]);
    for (train, split, samples) in [(1.0, "training", 10), (0.6, "training", 6), (0.6, "validation", 4)] {
        let error = load(None, |r| TensorRecipe { train, batch: 11, ..r }).0.unwrap_err();
        let TensorsError::Misfits(list) = error else { panic!() };
        assert!(list.contains(&Misfit::TooFew { split, samples, batch: 11 }), "{list:?}");
    }
}

#[test]
fn a_file_that_is_none_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let file = folder.path().join(name);
        let recipe = recipe_of(&file, 1);
        Tensors::load(recipe, &wanted(), &mut HashMap::new()).unwrap_err()
    };
    std::fs::write(folder.path().join("broken"), b"\xff\xff\xff\xff\xff\xff\xff\x7f{}").unwrap();
    std::fs::write(folder.path().join("empty"), b"").unwrap();
    assert!(matches!(at("nowhere"), TensorsError::Data(DataError::NotFound { .. })));
    assert!(matches!(at(""), TensorsError::Data(DataError::EmptyFolder { .. })));
    for name in ["broken", "empty"] {
        assert!(matches!(at(name), TensorsError::Data(DataError::Malformed { .. })), "{name}");
    }
}

#[test]
fn channels_that_lie_last_and_homographies_in_pixels_are_refused() {
    let said = misfits(("image", ones(&[10, 8, 12, 1])));
    assert_eq!(said, ["image: the file has [10, 8, 12, 1], which looks like (samples, H, W, C)"]);
    let mut pixels = identities();
    pixels.values[9 * 4 + 2] = 12.5;
    let said = misfits(("H", pixels));
    assert!(
        said.len() == 1 && said[0].contains("the one of sample 4 takes its middle to (12.5000, 0.0000)"),
        "{said:?}"
    );
    assert_eq!(
        misfits(("H", ones(&[10, 3, 3]))),
        ["H: 10 of them cannot be undone (their determinant is 0), the first in sample 0"]
    );
}

#[test]
fn bytes_of_several_files_become_zero_to_one_and_files_may_be_validated() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [("a", 51u8), ("b", 102), ("v", 255)] {
        let bytes = vec![value; 2 * 4];
        let view = TensorView::new(Dtype::U8, vec![2, 1, 2, 2], &bytes).unwrap();
        let file = folder.path().join(format!("{name}.safetensors"));
        std::fs::write(file, safetensors::serialize([("image", view)], None).unwrap()).unwrap();
    }
    let wanted = vec![("image".to_string(), ty(Kind::Image, &[Dim::number(1), symbol(1, "H"), symbol(2, "W")]))];
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let load = |files: &[&str], validation: &[&str]| {
        let of = |names: &[&str]| names.iter().map(|name| at(name)).collect();
        let recipe = recipe_of(Path::new(""), 1);
        let recipe = TensorRecipe { files: of(files), validation: of(validation), ..recipe };
        Tensors::load(recipe, &wanted, &mut HashMap::new())
    };
    let tensors = load(&["b.safetensors", "a.*"], &["v.safetensors"]).unwrap();
    assert_eq!(tensors.notes(), ["`image` is U8: 0 to 255 is taken as 0 to 1"]);
    assert_eq!((tensors.steps(), tensors.validation_batches()), (4, 2));
    let value = |split, step| tensors.batch_at(split, step).unwrap().fields[0].values[0];
    let close = |a: f32, b: f32| (a - b).abs() < 1e-6;
    assert!(close(value(Split::Train, 1), 0.2) && close(value(Split::Train, 2), 0.4));
    assert!(close(value(Split::Validation, 1), 1.0));
    assert!(matches!(load(&[""], &["v.safetensors"]), Err(TensorsError::Data(DataError::BothSides { .. }))));
}
