//! Data that is tensors already: a safetensors file, the first axis of each tensor counting samples.
//!
//! What the pipeline declares is held against the file before anything runs, and sizes that only the file knows are taken from it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::safetensors::SliceSafetensors;
use candle_core::{DType, Device};

use super::DataError;
use super::batches::{Batch, Batches, Field};
use super::pairs::Split;
use rord_lang::types::{Kind, Type};
use rord_random::Stream;

/// How a file of tensors is used.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorRecipe {
    /// The file.
    pub file: PathBuf,
    /// Whether training samples are drawn in another order in each epoch.
    pub shuffle: bool,
    /// The share of samples, the first ones of the file, for training. At 1 nothing is left for validation.
    pub train: f64,
    /// Samples in a batch.
    pub batch: usize,
    /// Seed of the order.
    pub seed: u64,
}

/// What does not fit between a pipeline and a file, as facts; every one but the last is about one field.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)] // each field is what the sentence above its variant names it
pub enum Misfit {
    /// The file has no tensor of that name; `present` are those it has.
    #[error("the file holds {}", present.join(", "))]
    Missing { field: String, present: Vec<String> },
    /// Its numbers are of a type that is not read.
    #[error("{reason}")]
    Unreadable { field: String, reason: String },
    /// It has another number of axes than the declared type.
    #[error("the file has {found:?}, {} axes instead of {wanted}", found.len())]
    Rank { field: String, wanted: usize, found: Vec<usize> },
    /// One of its sizes is not the declared one. `origin` is the field that set the declared size, where one did.
    #[error("the file has {shape:?}, where {declared} is {value}{}", origin.as_ref().map(|o| format!(" as in `{o}`")).unwrap_or_default())]
    Size { field: String, declared: String, value: i64, origin: Option<String>, shape: Vec<usize> },
    /// A declared size is not whole: `numerator` is what would have to divide.
    #[error("{declared} is not a whole number, for {numerator}{}", origin.as_ref().map(|o| format!(" as in `{o}`")).unwrap_or_default())]
    Rest { field: String, declared: String, numerator: i64, origin: Option<String> },
    /// Another number of samples than in the field `first`.
    #[error("{found} samples, but {expected} in `{first}`")]
    Samples { field: String, found: usize, first: String, expected: usize },
    /// Some numbers are not finite; `sample` holds the first of them.
    #[error("{count} numbers are not finite, the first in sample {sample}")]
    NotFinite { field: String, sample: usize, count: usize },
    /// Some numbers are outside what the declared kind holds; `sample` holds the first of them, `value`.
    #[error("{count} numbers are no {} ({}), the first is {value} in sample {sample}", kind.name(), kind.holds())]
    OutOfRange { field: String, kind: Kind, sample: usize, value: f32, count: usize },
    /// A split with fewer samples than a batch.
    #[error("{samples} samples for {split}, and a batch takes {batch}")]
    TooFew { split: &'static str, samples: usize, batch: usize },
}

impl Misfit {
    /// The field it is about.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Missing { field, .. }
            | Self::Unreadable { field, .. }
            | Self::Rank { field, .. }
            | Self::Size { field, .. }
            | Self::Rest { field, .. }
            | Self::Samples { field, .. }
            | Self::NotFinite { field, .. }
            | Self::OutOfRange { field, .. } => Some(field),
            Self::TooFew { .. } => None,
        }
    }
}

/// Why a file of tensors cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TensorsError {
    /// The file itself.
    #[error(transparent)]
    Data(#[from] DataError),
    /// What it holds, against what the pipeline declares: every misfit.
    #[error("the file does not fit the pipeline")]
    Misfits(Vec<Misfit>),
}

/// A field's numbers for all samples.
#[derive(Debug)]
struct Column {
    name: String,
    /// The shape of one sample.
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// The tensors of a file, cut into batches.
#[derive(Debug)]
pub struct Tensors {
    recipe: TensorRecipe,
    columns: Vec<Column>,
    samples: usize,
    trained: usize,
    /// The order of an epoch, kept because every batch of it asks.
    order: Mutex<Option<(u64, Arc<Vec<usize>>)>>,
}

impl Tensors {
    /// Reads the fields of `wanted`. `sizes` holds the sizes that are known; those that only the file knows are added.
    pub fn load(
        recipe: TensorRecipe,
        wanted: &[(String, Type)],
        sizes: &mut HashMap<u32, i64>,
    ) -> Result<Self, TensorsError> {
        if !(recipe.train > 0.0 && recipe.train <= 1.0) {
            let (value, low, high) = (recipe.train, 0.0, 1.0);
            return Err(DataError::BadSetting { setting: "train", value, low, high }.into());
        }
        let bytes = read(&recipe.file)?;
        let malformed = |e: candle_core::Error| {
            let reason = e.to_string().lines().next().unwrap_or_default().to_string();
            TensorsError::Data(DataError::Malformed { path: recipe.file.clone(), reason })
        };
        let file = SliceSafetensors::new(&bytes).map_err(malformed)?;
        let mut present: Vec<String> = file.tensors().iter().map(|(n, t)| format!("{n} {:?}", t.shape())).collect();
        present.sort();
        let mut reader = Reader { file, present, sizes, origins: HashMap::new(), samples: None, misfits: Vec::new() };
        let columns: Vec<Column> = wanted.iter().filter_map(|(name, ty)| reader.column(name, ty)).collect();
        let Reader { samples, mut misfits, .. } = reader;
        let samples = samples.map_or(0, |(n, _)| n);
        let trained = match recipe.train >= 1.0 {
            true => samples,
            false => ((samples as f64 * recipe.train).round() as usize).clamp(samples.min(1), samples),
        };
        if misfits.is_empty() {
            let batch = recipe.batch;
            let splits = [("training", trained, true), ("validation", samples - trained, recipe.train < 1.0)];
            let few = splits.into_iter().filter(|(_, n, used)| *used && *n < batch.max(1));
            misfits.extend(few.map(|(split, samples, _)| Misfit::TooFew { split, samples, batch }));
        }
        if !misfits.is_empty() {
            return Err(TensorsError::Misfits(misfits));
        }
        Ok(Self { recipe, columns, samples, trained, order: Mutex::new(None) })
    }

    /// The order of training samples in an epoch: a shuffle of all of them, drawn from the seed and the epoch.
    fn order(&self, epoch: u64) -> Arc<Vec<usize>> {
        let mut kept = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, order)) = kept.as_ref()
            && *of == epoch
        {
            return Arc::clone(order);
        }
        let mut order: Vec<usize> = (0..self.trained).collect();
        let mut stream = Stream::new(self.recipe.seed, &[2, epoch]);
        for i in (1..order.len()).rev() {
            order.swap(i, stream.below(i + 1));
        }
        let order = Arc::new(order);
        *kept = Some((epoch, Arc::clone(&order)));
        order
    }
}

impl Batches for Tensors {
    fn steps(&self) -> u64 {
        (self.trained / self.recipe.batch.max(1)).max(1) as u64
    }

    fn validation_batches(&self) -> u64 {
        ((self.samples - self.trained) / self.recipe.batch.max(1)) as u64
    }

    fn batch_at(&self, split: Split, step: u64) -> Batch {
        let size = self.recipe.batch.max(1);
        let samples: Vec<usize> = match split {
            Split::Train => {
                let (epoch, within) = (step / self.steps(), (step % self.steps()) as usize);
                let places = within * size..(within + 1) * size;
                match self.recipe.shuffle {
                    true => self.order(epoch).get(places).map(<[usize]>::to_vec).unwrap_or_default(),
                    false => places.collect(),
                }
            }
            Split::Validation => {
                let within = (step % self.validation_batches().max(1)) as usize;
                (within * size..(within + 1) * size).map(|i| self.trained + i).collect()
            }
        };
        let field = |column: &Column| {
            let cells: usize = column.shape.iter().product();
            let mut values = Vec::with_capacity(size * cells);
            for sample in &samples {
                values.extend_from_slice(column.values.get(sample * cells..(sample + 1) * cells).unwrap_or_default());
            }
            let shape = std::iter::once(size).chain(column.shape.iter().copied()).collect();
            Field { name: column.name.clone(), shape, values }
        };
        Batch { size, fields: self.columns.iter().map(field).collect() }
    }

    fn about(&self) -> String {
        format!("{} samples to train on and {} to validate", self.trained, self.samples - self.trained)
    }

    fn noun(&self) -> &'static str {
        "samples"
    }
}

fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    std::fs::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => DataError::NotFound { path: path.to_path_buf() },
        _ if path.is_dir() => DataError::Unreadable { path: path.to_path_buf(), reason: "it is a folder".into() },
        _ => DataError::Unreadable { path: path.to_path_buf(), reason: e.to_string() },
    })
}

/// Reads fields one after the other, each against what those before it said.
struct Reader<'a, 'b> {
    file: SliceSafetensors<'b>,
    present: Vec<String>,
    sizes: &'a mut HashMap<u32, i64>,
    /// Which field set a size.
    origins: HashMap<u32, String>,
    /// The number of samples, and the field that has them.
    samples: Option<(usize, String)>,
    misfits: Vec<Misfit>,
}

impl Reader<'_, '_> {
    /// One field; `None` where something was put on the list.
    fn column(&mut self, name: &str, ty: &Type) -> Option<Column> {
        match self.try_column(name, ty) {
            Ok(column) => Some(column),
            Err(misfit) => {
                self.misfits.push(misfit);
                None
            }
        }
    }

    fn try_column(&mut self, name: &str, ty: &Type) -> Result<Column, Misfit> {
        let field = name.to_string();
        let unreadable = |e: candle_core::Error| Misfit::Unreadable {
            field: name.to_string(),
            reason: e.to_string().lines().next().unwrap_or_default().to_string(),
        };
        let Ok(view) = self.file.get(name) else {
            return Err(Misfit::Missing { field, present: self.present.clone() });
        };
        let shape = view.shape().to_vec();
        self.fit_shape(name, ty, &shape)?;
        let tensor = self.file.load(name, &Device::Cpu).map_err(unreadable)?;
        let tensor = tensor.to_dtype(DType::F32).and_then(|t| t.flatten_all()).map_err(unreadable)?;
        let values: Vec<f32> = tensor.to_vec1().map_err(unreadable)?;
        let (samples, shape) = shape.split_first().map(|(n, rest)| (*n, rest.to_vec())).unwrap_or((0, vec![]));
        let cells = shape.iter().product::<usize>().max(1);
        let holds: fn(f32) -> bool = match ty.kind {
            Kind::Mask => |x| x == 0.0 || x == 1.0,
            kind if kind.is(Kind::Prob) => |x| (0.0..=1.0).contains(&x),
            Kind::Dist => |x| x >= 0.0,
            _ => |_| true,
        };
        let count = values.iter().filter(|x| !x.is_finite()).count();
        if let Some(at) = values.iter().position(|x| !x.is_finite()) {
            return Err(Misfit::NotFinite { field, sample: at / cells, count });
        }
        if let Some((at, value)) = values.iter().enumerate().find(|(_, x)| !holds(**x)) {
            let count = values.iter().filter(|x| !holds(**x)).count();
            return Err(Misfit::OutOfRange { field, kind: ty.kind, sample: at / cells, value: *value, count });
        }
        match &self.samples {
            Some((expected, first)) if *expected != samples => {
                return Err(Misfit::Samples { field, found: samples, first: first.clone(), expected: *expected });
            }
            Some(_) => {}
            None => self.samples = Some((samples, field.clone())),
        }
        Ok(Column { name: field, shape, values })
    }

    /// Holds the axes after the first against the declared ones, and takes sizes that nothing has set yet.
    fn fit_shape(&mut self, name: &str, ty: &Type, shape: &[usize]) -> Result<(), Misfit> {
        let field = name.to_string();
        let more: &[usize] = match ty.kind {
            Kind::Homography => &[3, 3],
            Kind::Points => &[2],
            _ => &[],
        };
        let wanted = ty.dims.len() + more.len();
        if shape.len() != wanted {
            return Err(Misfit::Rank { field, wanted, found: shape.to_vec() });
        }
        for (dim, found) in ty.dims.iter().zip(shape).skip(1) {
            let size = i64::try_from(*found).unwrap_or(i64::MAX);
            let origin = dim.symbols().find_map(|s| self.origins.get(&s.id).cloned());
            match dim.value(self.sizes) {
                Some(Ok(value)) if value == size && value > 0 => {}
                Some(Ok(value)) => {
                    let declared = dim.to_string();
                    return Err(Misfit::Size { field, declared, value, origin, shape: shape.to_vec() });
                }
                Some(Err(numerator)) => {
                    return Err(Misfit::Rest { field, declared: dim.to_string(), numerator, origin });
                }
                None => {
                    // A size is a name of its own where it is seen first; `H/4` comes after an `H`, unless that field is missing.
                    let Some(symbol) = dim.as_symbol() else { continue };
                    if size < 1 {
                        let (declared, shape) = (dim.to_string(), shape.to_vec());
                        return Err(Misfit::Size { field, declared, value: 1, origin: None, shape });
                    }
                    self.sizes.insert(symbol.id, size);
                    self.origins.insert(symbol.id, name.to_string());
                }
            }
        }
        let fixed = shape.get(ty.dims.len()..).unwrap_or_default();
        match fixed.iter().zip(more).find(|(found, wanted)| found != wanted) {
            Some((_, wanted)) => {
                let (declared, value) = (format!("the last size of a {}", ty.kind.name()), *wanted as i64);
                Err(Misfit::Size { field, declared, value, origin: None, shape: shape.to_vec() })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use candle_core::Tensor;
    use rord_lang::dim::{Dim, Symbol};

    fn symbol(id: u32, name: &str) -> Dim {
        Dim::symbol(Symbol { id, name: name.into(), opaque: false })
    }

    fn ty(kind: Kind, dims: &[Dim]) -> Type {
        Type { dims: [&[symbol(0, "B")], dims].concat(), ..Type::plain(kind) }
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
            Err(TensorsError::Misfits(list)) => {
                list.iter().map(|m| format!("{}: {m}", m.field().unwrap_or("-"))).collect()
            }
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
        assert_eq!(
            misfits(("image", ones(&[10, 1, 9, 12]))),
            ["label: H/4 is not a whole number, for 9 as in `image`"]
        );
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
}
