use super::*;
use crate::difference::ShapeDiffers;

fn spec(name: &str, shape: &[usize], init: Init) -> WeightSpec {
    WeightSpec { name: name.into(), shape: shape.into(), init }
}

fn specs() -> Vec<WeightSpec> {
    vec![
        spec("net.det.0.weight", &[16, 8, 3, 3], Init::fan_in(72)),
        spec("net.det.0.bias", &[16], Init::fan_in(72)),
        spec("net.norm.weight", &[16], Init::Constant(1.0)),
    ]
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_dtype(DType::F32).unwrap().to_vec1().unwrap()
}

#[test]
fn first_values_fill_torch_s_interval() {
    let weights = Weights::init(&specs(), 0, DType::F32, &Device::Cpu).unwrap();
    let drawn = values(weights.get("net.det.0.weight").unwrap());
    let bound = 1.0 / 72f32.sqrt();
    let largest = drawn.iter().fold(0f32, |m, x| m.max(x.abs()));
    assert!(largest <= bound && largest > 0.99 * bound, "largest {largest}, bound {bound}");
    let variance = drawn.iter().map(|x| x * x).sum::<f32>() / drawn.len() as f32;
    assert!((variance / (bound * bound / 3.0) - 1.0).abs() < 0.1, "variance {variance}");
    assert_eq!(values(weights.get("net.norm.weight").unwrap()), vec![1.0; 16]);
    assert_eq!((weights.len(), weights.elements()), (3, 16 * 72 + 32));
}

#[test]
fn a_weight_depends_on_its_name_and_the_seed_alone() {
    let all = Weights::init(&specs(), 5, DType::F32, &Device::Cpu).unwrap();
    let mut more = specs();
    more.insert(0, spec("net.new.weight", &[4], Init::fan_in(4)));
    more.remove(1);
    let fewer = Weights::init(&more, 5, DType::F32, &Device::Cpu).unwrap();
    let bias = |w: &Weights| values(w.get("net.det.0.bias").unwrap());
    assert_eq!(bias(&all), bias(&fewer));
    assert_ne!(bias(&all), bias(&Weights::init(&specs(), 6, DType::F32, &Device::Cpu).unwrap()));
    assert_ne!(bias(&all)[..8], values(all.get("net.det.0.weight").unwrap())[..8]);
    let double = Weights::init(&specs(), 5, DType::F64, &Device::Cpu).unwrap();
    assert_eq!(bias(&all), bias(&double));
}

#[test]
fn a_saved_file_reads_back_bit_for_bit_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let weights = Weights::init(&specs(), 1, DType::F32, &Device::Cpu).unwrap();
    std::fs::write(&path, "an older file").unwrap();
    weights.save(&path).unwrap();
    let again = Weights::load(&path, &specs(), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(weights.names(), again.names());
    for (a, b) in weights.tensors().iter().zip(again.tensors()) {
        assert_eq!((a.dims(), values(a)), (b.dims(), values(b)));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // The file is what others read: plain safetensors under the same names.
    let theirs = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    assert_eq!(theirs.len(), 3);
    assert_eq!(values(&theirs["net.det.0.bias"]), values(weights.get("net.det.0.bias").unwrap()));
}

#[test]
fn everything_that_differs_is_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let stored: std::collections::HashMap<String, Tensor> = [
        ("net.det.0.weight", Tensor::zeros((16, 8, 5, 5), DType::F32, &Device::Cpu).unwrap()),
        ("net.norm.weight", Tensor::zeros(16, DType::I64, &Device::Cpu).unwrap()),
        ("det.0.bias", Tensor::zeros(16, DType::F32, &Device::Cpu).unwrap()),
    ]
    .map(|(name, tensor)| (name.to_string(), tensor))
    .into();
    candle_core::safetensors::save(&stored, &path).unwrap();
    let error = Weights::load(&path, &specs(), DType::F32, &Device::Cpu).unwrap_err();
    let WeightsError::Differs { difference, .. } = error else { panic!("{error}") };
    let expected = Difference {
        missing: vec![("net.det.0.bias".into(), vec![16])],
        unexpected: vec![("det.0.bias".into(), vec![16])],
        shapes: vec![ShapeDiffers {
            name: "net.det.0.weight".into(),
            expected: vec![16, 8, 3, 3],
            found: vec![16, 8, 5, 5],
        }],
        types: vec![("net.norm.weight".into(), "I64".into())],
    };
    assert_eq!(difference, expected);
}

#[test]
fn half_precision_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let stored = Tensor::new(&[1.5f32, -0.25], &Device::Cpu).unwrap().to_dtype(DType::BF16).unwrap();
    candle_core::safetensors::save(&[("w".to_string(), stored)].into(), &path).unwrap();
    let weights = Weights::load(&path, &[spec("w", &[2], Init::Constant(0.0))], DType::F64, &Device::Cpu).unwrap();
    assert_eq!(weights.tensors()[0].to_vec1::<f64>().unwrap(), [1.5, -0.25]);
}

#[test]
fn files_that_are_missing_cut_short_or_something_else_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let load = || Weights::load(&path, &specs(), DType::F32, &Device::Cpu).unwrap_err();
    assert!(matches!(load(), WeightsError::File(_)));
    Weights::init(&specs(), 1, DType::F32, &Device::Cpu).unwrap().save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for end in [0, 4, 9, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..end]).unwrap();
        assert!(matches!(load(), WeightsError::Malformed { .. }), "cut at {end}");
    }
    std::fs::write(&path, [0xffu8; 64]).unwrap();
    assert!(matches!(load(), WeightsError::Malformed { .. }));
}

#[test]
fn a_name_given_twice_and_an_absurd_shape_are_errors() {
    let two = [spec("a", &[1], Init::Constant(0.0)), spec("a", &[2], Init::Constant(0.0))];
    let make = |specs: &[WeightSpec]| Weights::init(specs, 0, DType::F32, &Device::Cpu);
    assert!(matches!(make(&two), Err(WeightsError::Duplicate { name }) if name == "a"));
    let vast = [spec("a", &[usize::MAX, 3], Init::Constant(0.0))];
    assert!(matches!(make(&vast), Err(WeightsError::TooLarge { .. })));
}
