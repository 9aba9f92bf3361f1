//! Batches and misfits of files of tensors.

use super::*;
use candle_core::{DType, Device, Tensor};
use rord_lang::dim::{Dim, Symbol};
use rord_lang::types::Kind;

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
    change: Option<(&str, Tensor)>,
    recipe: impl Fn(TensorRecipe) -> TensorRecipe,
) -> (Result<Tensors, TensorsError>, HashMap<u32, i64>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.safetensors");
    let cpu = &Device::Cpu;
    let ramp = Tensor::arange(0f32, 10.0, cpu).unwrap().reshape((10, 1, 1, 1)).unwrap();
    let mut tensors = HashMap::from([
        ("image".to_string(), ramp.broadcast_as((10, 1, 8, 12)).unwrap().contiguous().unwrap()),
        ("label".to_string(), Tensor::ones((10, 1, 2, 3), DType::F64, cpu).unwrap()),
        ("H".to_string(), Tensor::ones((10, 3, 3), DType::F32, cpu).unwrap()),
        ("ignored".to_string(), Tensor::ones(3, DType::F32, cpu).unwrap()),
    ]);
    if let Some((name, tensor)) = change {
        tensors.insert(name.into(), tensor);
    }
    candle_core::safetensors::save(&tensors, &file).unwrap();
    let mut sizes = HashMap::new();
    let plain = TensorRecipe { file, shuffle: false, train: 1.0, batch: 3, seed: 0 };
    (Tensors::load(recipe(plain), &wanted(), &mut sizes), sizes)
}

fn misfits(change: (&str, Tensor)) -> Vec<String> {
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
        assert_eq!(images(&tensors.batch_at(Split::Train, step)), [first, first + 1.0, first + 2.0]);
    }
}

#[test]
fn a_shuffle_is_another_order_in_each_epoch_and_validation_is_apart() {
    let shuffled = |seed| load(None, |r| TensorRecipe { shuffle: true, train: 0.6, seed, ..r }).0.unwrap();
    let (a, b) = (shuffled(1), shuffled(2));
    assert_eq!((a.steps(), a.validation_batches()), (2, 1));
    let epoch = |t: &Tensors, e: u64| [0, 1].map(|s| images(&t.batch_at(Split::Train, 2 * e + s))).concat();
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
    assert_eq!(images(&a.batch_at(Split::Validation, 0)), [6.0, 7.0, 8.0]);
}

#[test]
fn every_misfit_is_said_of_its_field() {
    let cpu = &Device::Cpu;
    let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, cpu).unwrap();
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
    let half = Tensor::full(1.5f32, (10, 1, 2, 3), cpu).unwrap();
    let said = misfits(("label", half));
    assert_eq!(said, ["label: 60 numbers are no Label (0 to 1, from data), the first is 1.5 in sample 0"]);
    let nan = Tensor::cat(&[ones(&[7, 3, 3]), ((ones(&[3, 3, 3]) / 0.0).unwrap() - 1.0).unwrap()], 0).unwrap();
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
        let recipe = TensorRecipe { file, shuffle: false, train: 1.0, batch: 1, seed: 0 };
        Tensors::load(recipe, &wanted(), &mut HashMap::new()).unwrap_err()
    };
    std::fs::write(folder.path().join("broken"), b"\xff\xff\xff\xff\xff\xff\xff\x7f{}").unwrap();
    std::fs::write(folder.path().join("empty"), b"").unwrap();
    assert!(matches!(at("nowhere"), TensorsError::Data(DataError::NotFound { .. })));
    assert!(matches!(at(""), TensorsError::Data(DataError::Unreadable { .. })));
    for name in ["broken", "empty"] {
        assert!(matches!(at(name), TensorsError::Data(DataError::Malformed { .. })), "{name}");
    }
}
