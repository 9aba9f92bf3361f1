//! Weights of a part that begin with a file of rord or of PyTorch: `part net.trunk { init = "vgg16.pth" under "features" }`.

mod archive;
mod fit;
mod pickle;

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::kept;
use super::weights::{Weights, weight_specs};
use archive::Real;
pub use fit::{By, Misfit};
use fit::{Named, fit, natural};
use rord_files::FileError;
use rord_graph::weight::WeightSpec;
use rord_lang::constant::Constant;
use rord_lang::parts::{Part, within};
use rord_lang::source::Span;
use rord_lang::typed::Pipeline;
use rord_record::fingerprint;

/// What a part began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The part: `net.trunk`.
    pub part: String,
    /// The file, as it is named.
    pub file: String,
    /// The hash of its content.
    pub hash: String,
    /// What the names in the file begin with.
    pub under: Option<String>,
    /// How tensors were found.
    pub by: By,
    /// Weights with the tensors that they took.
    pub took: Vec<(String, String)>,
    /// Tensors that no weight took.
    pub left: Vec<String>,
    /// Weights of the part that are drawn at random.
    pub random: Vec<String>,
}

/// Why a part cannot begin with its file.
#[derive(Debug, thiserror::Error)]
#[error("{part} cannot begin with {}: {why}", path.display())]
pub struct InitError {
    /// The part.
    pub part: String,
    /// Where its file is named.
    pub span: Span,
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub why: Why,
}

/// The reason.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no file of tensors, or it is cut short.
    #[error("{0}")]
    Malformed(String),
    /// No name in it begins as `under` says; where that is written, and what names begin with.
    #[error("no name begins with {under}")]
    Nothing {
        /// The beginning.
        under: String,
        /// Its place.
        span: Span,
        /// The beginnings that there are.
        known: Vec<String>,
    },
    /// It has no layer of a sort that the part has.
    #[error("nothing in it fits")]
    NoneFits,
    /// Shapes differ.
    #[error("{} tensors do not fit", .0.len())]
    Differs(Vec<Misfit>),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// A file of tensors, in its order.
struct Source {
    bytes: Vec<u8>,
    tensors: Vec<Found>,
}

/// One of them.
struct Found {
    named: Named,
    numbers: Numbers,
}

/// Its numbers.
enum Numbers {
    /// In an archive of PyTorch.
    PyTorch(archive::Stored),
    /// In this range of the file.
    Plain(DType, std::ops::Range<usize>),
}

impl Source {
    fn read(path: &Path) -> Result<Self, Why> {
        let bytes = rord_files::whole(path)?;
        let tensors = match archive::is_pytorch(&bytes) {
            true => {
                let one = |stored: archive::Stored| Found {
                    named: Named { name: stored.name.clone(), shape: stored.shape.clone() },
                    numbers: Numbers::PyTorch(stored),
                };
                archive::tensors(&bytes).map_err(Why::Malformed)?.into_iter().map(one).collect()
            }
            false => safe(&bytes).map_err(Why::Malformed)?,
        };
        Ok(Self { bytes, tensors })
    }

    fn tensor(&self, found: &Found, dtype: DType, device: &Device) -> Result<Tensor, Why> {
        let outside = || Why::Malformed(format!("`{}` reaches out of the file", found.named.name));
        let (stored, raw) = match &found.numbers {
            Numbers::PyTorch(stored) => {
                let dtype = match stored.real {
                    Real::F64 => DType::F64,
                    Real::F32 => DType::F32,
                    Real::F16 => DType::F16,
                    Real::Bf16 => DType::BF16,
                };
                (dtype, archive::raw(&self.bytes, stored).ok_or_else(outside)?)
            }
            Numbers::Plain(dtype, place) => (*dtype, self.bytes.get(place.clone()).ok_or_else(outside)?.to_vec()),
        };
        let tensor = Tensor::from_raw_buffer(&raw, stored, &found.named.shape, &Device::Cpu)?;
        // Through f32 or f64 on the host: not every device has every stored type.
        let wide = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
        Ok(tensor.to_dtype(wide)?.to_device(device)?.to_dtype(dtype)?)
    }
}

/// The tensors of real numbers in a safetensors file, which keeps no order of layers: in the order of their names.
fn safe(bytes: &[u8]) -> Result<Vec<Found>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("it is neither safetensors nor PyTorch's: {e}"))?;
    let base = bytes.as_ptr() as usize;
    let mut found = Vec::new();
    for (name, view) in file.tensors() {
        let dtype = match view.dtype() {
            Dtype::F64 => DType::F64,
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            _ => continue,
        };
        // The view is a part of `bytes`, so its place in them is the distance of the two.
        let start = (view.data().as_ptr() as usize).saturating_sub(base);
        let named = Named { name, shape: view.shape().to_vec() };
        found.push(Found { named, numbers: Numbers::Plain(dtype, start..start + view.data().len()) });
    }
    found.sort_by(|a, b| natural(&a.named.name, &b.named.name));
    Ok(found)
}

/// A part with its file, and what it takes from there.
struct Match {
    source: Source,
    taken: Taken,
    /// Indices of weights and of the file's tensors.
    pairs: Vec<(usize, usize)>,
}

/// Whether the files of all parts fit.
pub fn check(pipeline: &Pipeline) -> Result<(), InitError> {
    let specs = weight_specs(pipeline);
    parts(pipeline).try_for_each(|(part, path, span)| matched(pipeline, part, path, span, &specs).map(drop))
}

/// Replaces the weights of every part that names a file; what was taken, part by part. Where parts share weights, those that the
/// text names later have them.
pub fn load(
    pipeline: &Pipeline,
    weights: &mut Weights,
    dtype: DType,
    device: &Device,
) -> Result<Vec<Taken>, InitError> {
    let specs = weight_specs(pipeline);
    let mut all = Vec::new();
    for (part, path, span) in parts(pipeline) {
        let Match { source, taken, pairs } = matched(pipeline, part, path, span, &specs)?;
        for (weight, tensor) in pairs {
            let (Some(slot), Some(found)) = (weights.tensors_mut().get_mut(weight), source.tensors.get(tensor)) else {
                continue;
            };
            let failed = |why| InitError { part: part.name.clone(), span, path: path.into(), why };
            *slot = source.tensor(found, dtype, device).map_err(failed)?;
        }
        all.push(taken);
    }
    Ok(all)
}

/// The parts that name a file.
fn parts(pipeline: &Pipeline) -> impl Iterator<Item = (&Part, &Path, Span)> {
    pipeline.parts.iter().filter_map(|part| match part.field("init") {
        Some(field) => match &field.value {
            Constant::Text(path) => Some((part, Path::new(path.as_str()), field.span)),
            _ => None,
        },
        None => None,
    })
}

fn matched(
    pipeline: &Pipeline,
    part: &Part,
    path: &Path,
    span: Span,
    specs: &[WeightSpec],
) -> Result<Match, InitError> {
    let failed = |why| InitError { part: part.name.clone(), span, path: path.into(), why };
    let source = Source::read(&kept::file(path)).map_err(failed)?;
    let mine: Vec<usize> =
        (0..specs.len()).filter(|i| pipeline.weights.get(*i).is_some_and(|w| part.holds(w))).collect();
    let named = |spec: &WeightSpec| Named { name: spec.name.clone(), shape: spec.shape.clone() };
    let own: Vec<Named> = mine.iter().filter_map(|i| specs.get(*i)).map(named).collect();
    let under = part.under.as_ref().map(|(text, _)| text.trim_end_matches('.'));
    let below: Vec<usize> = (0..source.tensors.len())
        .filter(|i| source.tensors.get(*i).is_some_and(|t| under.is_none_or(|u| within(&t.named.name, u))))
        .collect();
    let theirs: Vec<Named> = below.iter().filter_map(|i| source.tensors.get(*i)).map(|t| t.named.clone()).collect();
    if let (Some((text, place)), true) = (&part.under, theirs.is_empty()) {
        let mut known: Vec<String> = Vec::new();
        for tensor in &source.tensors {
            let first = tensor.named.name.split('.').next().unwrap_or_default().to_string();
            if !known.contains(&first) {
                known.push(first);
            }
        }
        return Err(failed(Why::Nothing { under: text.clone(), span: *place, known }));
    }
    let found = fit(&own, &part.path, &theirs, under);
    if !found.misfits.is_empty() {
        return Err(failed(Why::Differs(found.misfits)));
    }
    if found.pairs.is_empty() {
        return Err(failed(Why::NoneFits));
    }
    let name = |all: &[Named], i: usize| all.get(i).map(|n| n.name.clone()).unwrap_or_default();
    let apart = |all: &[Named], used: &dyn Fn(usize) -> bool| -> Vec<String> {
        (0..all.len()).filter(|i| !used(*i)).map(|i| name(all, i)).collect()
    };
    let taken = Taken {
        part: part.name.clone(),
        file: path.display().to_string(),
        hash: fingerprint(&blake3::hash(&source.bytes), 16),
        under: under.map(str::to_string),
        by: found.by,
        took: found.pairs.iter().map(|(w, t)| (name(&own, *w), name(&theirs, *t))).collect(),
        left: apart(&theirs, &|i| found.pairs.iter().any(|(_, t)| *t == i)),
        random: apart(&own, &|i| found.pairs.iter().any(|(w, _)| *w == i)),
    };
    let pairs = found.pairs.iter().filter_map(|(w, t)| Some((*mine.get(*w)?, *below.get(*t)?))).collect();
    Ok(Match { source, taken, pairs })
}

impl Taken {
    /// What a reader of the run is told.
    pub fn line(&self) -> String {
        const SHOWN: usize = 3;
        let listed = |names: &[String]| -> String {
            let first: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
            match names.len().saturating_sub(SHOWN) {
                0 => first.join(", "),
                more => format!("{} and {more} more", first.join(", ")),
            }
        };
        let all = self.took.len() + self.random.len();
        let under = self.under.as_ref().map(|u| format!(" under {u}")).unwrap_or_default();
        let mut line =
            format!("{}: {} of {all} weights from {}{under}, {}", self.part, self.took.len(), self.file, self.by);
        if !self.random.is_empty() {
            line.push_str(&format!("; drawn at random: {}", listed(&self.random)));
        }
        if !self.left.is_empty() {
            line.push_str(&format!("; left there: {}", listed(&self.left)));
        }
        line
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
