//! The trained tensors by name, drawn from the run's seed or read from a file.
//!
//! Each weight draws from a stream named by the seed and its own name, so a layer added to a network leaves the first
//! values of all other layers as they were. A file is safetensors in f32 (`net.det.0.weight`), written as a whole or
//! not at all; reading it returns every weight, or everything that is wrong.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::difference::Difference;
use super::note::Note;
use super::optim::not_finite;
use super::stored;
use rord_files::{FileError, write_atomic};
use rord_graph::weight::{Init, WeightSpec};
use rord_lang::typed::{Initial, Pipeline, WeightInfo};
use rord_random::Stream;

/// Ordered, named tensors.
#[derive(Clone, Debug)]
pub struct Weights {
    names: Vec<String>,
    tensors: Vec<Tensor>,
}

/// Why weights could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// Two weights have one name.
    #[error("two weights are called `{name}`")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A shape with more elements than can be addressed.
    #[error("weight `{name}` of shape {shape:?} is too large")]
    TooLarge {
        /// The weight.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not safetensors, or it is cut short.
    #[error("{} is not a whole safetensors file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The error of the format's reader.
        reason: String,
    },
    /// The file holds other tensors than the pipeline has weights.
    #[error("{} holds other weights: {difference}", path.display())]
    Differs {
        /// The file.
        path: PathBuf,
        /// All that differs.
        difference: Difference,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// The weights that a pipeline has, as they are drawn or read.
pub fn weight_specs(pipeline: &Pipeline) -> Vec<WeightSpec> {
    let init = |initial| match initial {
        Initial::FanIn(n) => Init::fan_in(n),
        Initial::Constant(x) | Initial::Statistic(x) => Init::Constant(x),
        Initial::Normal(deviation) => Init::Normal { deviation },
    };
    let spec = |w: &WeightInfo| WeightSpec { name: w.name.clone(), shape: w.shape.clone(), init: init(w.initial) };
    pipeline.weights.iter().map(spec).collect()
}

impl Weights {
    /// Draws the first values of every weight; `seed` is the run's.
    pub fn init(specs: &[WeightSpec], seed: u64, dtype: DType, device: &Device) -> Result<Self, WeightsError> {
        unique(specs)?;
        let mut tensors = Vec::with_capacity(specs.len());
        for spec in specs {
            let n = elements(spec)?;
            let values: Vec<f64> = match spec.init {
                Init::Constant(value) => vec![value; n],
                Init::Normal { deviation } => {
                    let mut stream = stream(seed, &spec.name);
                    (0..n).map(|_| deviation * stream.normal()).collect()
                }
                Init::Uniform { bound } => {
                    let mut stream = stream(seed, &spec.name);
                    (0..n).map(|_| stream.range(-bound, bound)).collect()
                }
            };
            // Rounded to f32 first: a run in f64 and one in f32 then start from the same numbers.
            let values = values.into_iter().map(|x| x as f32).collect();
            tensors.push(
                Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)?.to_device(device)?.to_dtype(dtype)?,
            );
        }
        Ok(Self { names: specs.iter().map(|spec| spec.name.clone()).collect(), tensors })
    }

    /// Zeros of these shapes that take no memory; weights of a shape that cannot be are left out.
    pub fn blank(specs: &[WeightSpec]) -> Self {
        let zero = |spec: &WeightSpec| {
            Tensor::zeros((), DType::F32, &Device::Cpu).and_then(|t| t.broadcast_as(spec.shape.as_slice())).ok()
        };
        let (names, tensors) = specs.iter().filter_map(|s| Some((s.name.clone(), zero(s)?))).unzip();
        Self { names, tensors }
    }

    /// Reads the weights `specs` names from a safetensors file, each in f64, f32, f16 or bf16.
    ///
    /// Fails with [`WeightsError::Differs`] unless the file holds exactly these names with exactly these shapes.
    pub fn load(path: &Path, specs: &[WeightSpec], dtype: DType, device: &Device) -> Result<Self, WeightsError> {
        Self::read(&rord_files::whole(path)?, path, specs, dtype, device)
    }

    /// As [`Weights::load`], of the bytes of a file; `path` is what errors call it.
    pub fn read(
        bytes: &[u8],
        path: &Path,
        specs: &[WeightSpec],
        dtype: DType,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        unique(specs)?;
        let malformed = |reason: String| WeightsError::Malformed { path: path.into(), reason };
        let file = SafeTensors::deserialize(bytes).map_err(|error| malformed(error.to_string()))?;
        let views: std::collections::HashMap<String, TensorView> = file.tensors().into_iter().collect();

        let expected: Vec<(&str, &[usize])> = specs.iter().map(|s| (s.name.as_str(), s.shape.as_slice())).collect();
        let found: Vec<(&str, &[usize])> = views.iter().map(|(name, view)| (name.as_str(), view.shape())).collect();
        let mut difference = Difference::between(&expected, &found);
        for spec in specs {
            let foreign = views.get(&spec.name).map(TensorView::dtype).filter(|dtype| real(*dtype).is_none());
            difference.types.extend(foreign.map(|dtype| (spec.name.clone(), dtype.to_string())));
        }
        if !difference.is_empty() {
            return Err(WeightsError::Differs { path: path.into(), difference });
        }

        let mut tensors = Vec::with_capacity(specs.len());
        for spec in specs {
            let view = views.get(&spec.name).ok_or_else(|| malformed(format!("no tensor `{}`", spec.name)))?;
            let stored = real(view.dtype()).ok_or_else(|| malformed(format!("type of `{}`", spec.name)))?;
            let tensor = Tensor::from_raw_buffer(view.data(), stored, view.shape(), &Device::Cpu)?;
            // Through f32 or f64 on the host: not every device has every stored type.
            let wide = if stored == DType::F64 { DType::F64 } else { DType::F32 };
            let tensor = if dtype == DType::F64 { tensor.to_dtype(wide)? } else { tensor.to_dtype(DType::F32)? };
            tensors.push(tensor.to_device(device)?.to_dtype(dtype)?);
        }
        Ok(Self { names: specs.iter().map(|spec| spec.name.clone()).collect(), tensors })
    }

    /// Writes all weights as f32. Either the whole file appears under `path` or what was there stays.
    pub fn save(&self, path: &Path) -> Result<(), WeightsError> {
        self.save_noted(path, None)
    }

    /// As [`Weights::save`], with what weights they are ([`Note`]).
    pub fn save_noted(&self, path: &Path, note: Option<&Note>) -> Result<(), WeightsError> {
        let single = |(name, tensor): (&str, &Tensor)| Ok((name.to_string(), tensor.to_dtype(DType::F32)?));
        let tensors = self.iter().map(single).collect::<candle_core::Result<Vec<_>>>()?;
        Ok(write_atomic(path, &stored::bytes(&tensors, note.map(Note::entries))?)?)
    }

    /// The first weight that is not finite everywhere: its name, and how many of its numbers.
    pub fn not_finite(&self) -> candle_core::Result<Option<(&str, usize)>> {
        for (name, tensor) in self.iter() {
            match not_finite(tensor)? {
                0 => {}
                count => return Ok(Some((name, count))),
            }
        }
        Ok(None)
    }

    /// The names, in the order of the pipeline.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The tensors, in the order of [`Weights::names`].
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The tensors, to be replaced by an optimizer's step.
    pub fn tensors_mut(&mut self) -> &mut [Tensor] {
        &mut self.tensors
    }

    /// The weight called `name`.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.iter().find(|(n, _)| *n == name).map(|(_, tensor)| tensor)
    }

    /// Names with their tensors.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.names.iter().map(String::as_str).zip(&self.tensors)
    }

    /// The number of weights (tensors).
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// True for a pipeline that trains nothing.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The number of trained numbers in all tensors.
    pub fn elements(&self) -> usize {
        self.tensors.iter().map(Tensor::elem_count).sum()
    }
}

/// The stream that draws the weight called `name`.
fn stream(seed: u64, name: &str) -> Stream {
    let hash = blake3::hash(name.as_bytes());
    let key = hash.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    // Operations draw from [seed, step, place, part]: a key of two parts can be none of theirs.
    Stream::new(seed, &[u64::from_le_bytes(*b"weights "), key])
}

/// The Candle type of a stored type that can hold a weight.
fn real(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F64 => Some(DType::F64),
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}

fn elements(spec: &WeightSpec) -> Result<usize, WeightsError> {
    let addressable = spec.elements().filter(|n| *n <= isize::MAX as usize / size_of::<f64>());
    addressable.ok_or_else(|| WeightsError::TooLarge { name: spec.name.clone(), shape: spec.shape.clone() })
}

fn unique(specs: &[WeightSpec]) -> Result<(), WeightsError> {
    let mut seen = std::collections::HashSet::new();
    match specs.iter().find(|spec| !seen.insert(spec.name.as_str())) {
        Some(spec) => Err(WeightsError::Duplicate { name: spec.name.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
