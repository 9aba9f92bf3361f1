//! A trained network, fed one picture at a time: what `export` names, or what its one detector and descriptor make.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::made::with_made;
use super::program::{Feed, Program, Watch};
use super::refusals::Stop;
use super::weights::{Weights, weight_specs};
use super::{begin, graphs};
use rord_graph::build::Wanted;
use rord_graph::node::{Graph, Made, Role};
use rord_graph::samples::each_alone;
use rord_lang::constant::Constant;
use rord_lang::named::Meaning;
use rord_lang::report::exports;
use rord_lang::typed::{Output, Pipeline, ValueId, ValueSource};
use rord_lang::types::{Kind, Type};
use rord_lang::vocabulary::Vocabulary;
use rord_ops::compute::layout;

/// A value that a network is used for.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// True for maps: (1, channels, rows, columns).
    pub map: bool,
    /// Of descriptors, how many turns of a field its channels hold; 1 where it is no field's.
    pub turns: usize,
}

/// A picture as a network takes it: (channels, height, width), values in 0..=1.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// All numbers.
    pub values: &'a [f32],
    /// Channels.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
}

/// As many programs are held, one for each size of picture.
const PROGRAMS: usize = 32;

/// A network with its weights.
pub struct Predictor<'v> {
    pipeline: Pipeline,
    vocabulary: &'v Vocabulary,
    weights: Weights,
    image: Image,
    wanted: Vec<Wanted>,
    exports: Vec<Export>,
    /// By pictures at once, height and width.
    programs: HashMap<[usize; 3], Program>,
    /// Weights that are made of others once, and those behind them in a graph that has them.
    made: (Vec<Made>, Vec<Tensor>),
}

/// The field that pictures are fed to.
struct Image {
    name: String,
    ty: Type,
}

impl<'v> Predictor<'v> {
    /// Makes a network ready, with the weights of a file; without one those that training would begin with.
    ///
    /// Refused: a pipeline of which it is not clear what to export (R0741), and what [`begin::weights`] refuses.
    pub fn new(
        pipeline: &Pipeline,
        vocabulary: &'v Vocabulary,
        weights: Option<&Path>,
        seed: u64,
    ) -> Result<Self, Stop> {
        let (weights, _) = begin::weights(pipeline, weights, seed, DType::F32, &Device::Cpu)?;
        Self::of(pipeline, vocabulary, weights)
    }

    /// Makes a network ready, with the weights that are in the bytes of a file; `path` is what reports call it.
    ///
    /// Refused: as by [`Predictor::new`].
    pub fn from_bytes(
        pipeline: &Pipeline,
        vocabulary: &'v Vocabulary,
        bytes: &[u8],
        path: &Path,
    ) -> Result<Self, Stop> {
        let weights = Weights::read(bytes, path, &weight_specs(pipeline), DType::F32, &Device::Cpu)?;
        Self::of(pipeline, vocabulary, weights)
    }

    fn of(pipeline: &Pipeline, vocabulary: &'v Vocabulary, weights: Weights) -> Result<Self, Stop> {
        let outputs = match pipeline.exports.is_empty() {
            false => pipeline.exports.clone(),
            true => by_kind(pipeline).map_err(|report| Stop::Refused(vec![report]))?,
        };
        let image = outputs.first().and_then(|o| image_of(pipeline, o.value));
        let Some(image) = image else { return Err(Stop::Refused(vec![exports::nothing(&[])])) };
        let exports = outputs.iter().map(|o| export(pipeline, o)).collect();
        let wanted = outputs
            .into_iter()
            .map(|o| Wanted { value: o.value, name: o.name, role: Role::Value, span: o.span })
            .collect();
        let pipeline = pipeline.clone();
        let made = (Vec::new(), weights.tensors().to_vec());
        Ok(Self { pipeline, vocabulary, weights, image, wanted, exports, programs: HashMap::new(), made })
    }

    /// What it computes.
    pub fn exports(&self) -> &[Export] {
        &self.exports
    }

    /// Channels of the pictures that it takes, where that is known.
    pub fn channels(&self) -> Option<usize> {
        let channels = self.image.ty.dims.get(1)?.value(&self.pipeline.sizes)?.ok()?;
        usize::try_from(channels).ok()
    }

    /// Height and width of the pictures that it takes, where it takes no others.
    pub fn fixed(&self) -> [Option<usize>; 2] {
        [2, 3].map(|axis| {
            let dim = self.image.ty.dims.get(axis)?;
            dim.as_number().and_then(|n| usize::try_from(n).ok())
        })
    }

    /// The field that pictures are fed to, and its type.
    pub fn image(&self) -> (&str, &Type) {
        (&self.image.name, &self.image.ty)
    }

    /// Its weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// What it computes, as a graph for pictures of any size and any number: nothing is joined or fused.
    pub fn open(&self) -> Result<Graph, Stop> {
        let mut pipeline = self.pipeline.clone();
        for axis in [0, 2, 3] {
            if let Some(symbol) = self.image.ty.dims.get(axis).and_then(|dim| dim.as_symbol()) {
                pipeline.sizes.remove(&symbol.id);
            }
        }
        self.unsettle(&mut pipeline);
        graphs::up_to(&pipeline, self.vocabulary, &self.wanted, &HashMap::new(), Some("dead"))
    }

    /// Computes every export of a picture, in their order: tensors of one sample, (1, channels, height, width) for maps.
    ///
    /// Refused: a size that the network cannot have, as one that its strides do not divide.
    pub fn run(&mut self, picture: &Picture<'_>) -> Result<Vec<Tensor>, Stop> {
        self.run_several(1, picture)
    }

    /// As [`Predictor::run`], but maps lie as they were made, perhaps channels last, see [`by_cells`]; with a watch that is called after
    /// each operation of [`Predictor::graph`].
    pub fn run_watched(&mut self, picture: &Picture<'_>, watch: &mut impl Watch) -> Result<Vec<Tensor>, Stop> {
        self.run_count(1, picture, watch)
    }

    /// As [`Predictor::run`], of so many pictures of one size whose numbers follow each other: tensors of as many samples. They are fed at
    /// once, which is faster where they are small; where [`Predictor::takes_several`] is false they must not be.
    pub fn run_several(&mut self, count: usize, pictures: &Picture<'_>) -> Result<Vec<Tensor>, Stop> {
        let values = self.run_count(count, pictures, &mut ())?;
        Ok(values.iter().map(layout::first).collect::<candle_core::Result<_>>()?)
    }

    /// True where the network takes any number of pictures and makes of each what it makes of it alone.
    pub fn takes_several(&self) -> bool {
        let batch = self.image.ty.dims.first().and_then(|dim| dim.as_symbol());
        batch.is_some_and(|symbol| self.open().is_ok_and(|graph| each_alone(&graph, self.vocabulary, symbol.id)))
    }

    fn run_count(&mut self, count: usize, picture: &Picture<'_>, watch: &mut impl Watch) -> Result<Vec<Tensor>, Stop> {
        self.make_ready(count, picture)?;
        let shape = (count, picture.channels, picture.height, picture.width);
        let tensor = Tensor::from_slice(picture.values, shape, &Device::Cpu)?;
        let fields = HashMap::from([(self.image.name.clone(), tensor)]);
        let feed = Feed::of(count, &fields, &self.made.1);
        match self.programs.get(&[count, picture.height, picture.width]) {
            Some(program) => Ok(program.values(&feed, watch)?),
            None => Ok(Vec::new()),
        }
    }

    /// The graph that pictures of this size are run through, as it runs.
    pub fn graph(&mut self, picture: &Picture<'_>) -> Result<Option<&Graph>, Stop> {
        self.make_ready(1, picture)?;
        Ok(self.programs.get(&[1, picture.height, picture.width]).map(Program::graph))
    }

    fn make_ready(&mut self, count: usize, picture: &Picture<'_>) -> Result<(), Stop> {
        let size = [count, picture.height, picture.width];
        if !self.programs.contains_key(&size) {
            let program = self.program(count, picture)?;
            let made = &program.graph().made;
            if *made != self.made.0 {
                // Every size of picture has the same, so this is once.
                self.made = (made.clone(), with_made(self.weights.tensors(), made)?);
            }
            // Of a folder of pictures each may have a size of its own.
            if self.programs.len() >= PROGRAMS {
                self.programs.clear();
            }
            self.programs.insert(size, program);
        }
        Ok(())
    }

    fn program(&self, count: usize, picture: &Picture<'_>) -> Result<Program, Stop> {
        let mut pipeline = self.pipeline.clone();
        let mut known = HashMap::new();
        for (axis, size) in [(0, count), (1, picture.channels), (2, picture.height), (3, picture.width)] {
            let dim = self.image.ty.dims.get(axis);
            if let Some(symbol) = dim.and_then(|dim| dim.as_symbol()) {
                known.insert(symbol.id, i64::try_from(size).unwrap_or(i64::MAX));
            }
        }
        pipeline.sizes.extend(&known);
        if let Some(batch) = pipeline.batch {
            pipeline.sizes.insert(batch, i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.unsettle(&mut pipeline);
        let graph = graphs::used(&pipeline, self.vocabulary, &self.wanted, &known)?;
        Ok(Program::new(graph, |_| false, DType::F32, &Device::Cpu)?)
    }

    /// Operations that measure in pixels know the size of the image that was trained on; they are to learn this one's.
    fn unsettle(&self, pipeline: &mut Pipeline) {
        for value in &mut pipeline.values {
            let ValueSource::Apply(apply) = &mut value.source else { continue };
            if self.vocabulary.operation(apply.op).is_none_or(|o| o.entry.pixels_of.is_none()) {
                continue;
            }
            for (name, setting) in &mut apply.settings.0 {
                if matches!(name.as_str(), "width" | "height") {
                    *setting = Constant::None;
                }
            }
        }
    }
}

/// The numbers of a map (1, channels, rows, columns) cell by cell: those of a cell side by side.
pub fn by_cells(map: &Tensor) -> candle_core::Result<Vec<f32>> {
    layout::last(&map.to_dtype(DType::F32)?)?.flatten_all()?.to_vec1()
}

/// The image field that a value is made of, where it is made of that alone.
fn image_of(pipeline: &Pipeline, value: ValueId) -> Option<Image> {
    let mut fields = pipeline.below(value).into_iter().filter_map(|id| {
        let value = pipeline.value(id)?;
        match &value.source {
            ValueSource::Field { name, .. } => Some((name.clone(), value.ty.clone())),
            _ => None,
        }
    });
    let (name, ty) = fields.next()?;
    let alone = fields.all(|(other, _)| other == name);
    (alone && ty.kind == Kind::Image).then_some(Image { name, ty })
}

/// The one map of descriptors and the one map of a single channel that are made of the first image.
fn by_kind(pipeline: &Pipeline) -> Result<Vec<Output>, rord_lang::report::Report> {
    let mut first: Option<String> = None;
    let (mut descriptors, mut scores): (Vec<Output>, Vec<Output>) = (Vec::new(), Vec::new());
    for named in &pipeline.names {
        let Meaning::Tensor(value) = named.is else { continue };
        let Some(ty) = pipeline.value(value).map(|v| &v.ty) else { continue };
        let Some(image) = image_of(pipeline, value) else { continue };
        if ty.dims.len() != 4 || *first.get_or_insert_with(|| image.name.clone()) != image.name {
            continue;
        }
        let single = ty.dims.get(1).and_then(|d| d.value(&pipeline.sizes)) == Some(Ok(1));
        let list = match ty.kind {
            Kind::Desc => &mut descriptors,
            Kind::Prob | Kind::Logit if single => &mut scores,
            _ => continue,
        };
        let root = root(pipeline, value);
        if list.iter().all(|other| self::root(pipeline, other.value) != root) {
            list.push(Output { name: named.name.clone(), value, span: named.span });
        }
    }
    match (descriptors.as_slice(), scores.as_slice()) {
        ([_], [_] | []) | ([], [_]) => Ok(scores.into_iter().chain(descriptors).collect()),
        _ => {
            let all: Vec<&str> = scores.iter().chain(&descriptors).map(|o| o.name.as_str()).collect();
            Err(exports::nothing(&all))
        }
    }
}

/// What a value is another name of.
fn root(pipeline: &Pipeline, value: ValueId) -> ValueId {
    match pipeline.value(value).map(|v| &v.source) {
        Some(ValueSource::Alias(of)) => root(pipeline, *of),
        _ => value,
    }
}

/// What an export is. Descriptors that come from a field, by whatever keeps the order of channels, have its turns.
fn export(pipeline: &Pipeline, output: &Output) -> Export {
    let kind = pipeline.value(output.value).map_or(Kind::Values, |v| v.ty.kind);
    let map = pipeline.value(output.value).is_some_and(|v| v.ty.dims.len() == 4);
    let mut at = output.value;
    let turns = loop {
        match pipeline.value(at).map(|v| (&v.source, &v.ty)) {
            Some((ValueSource::Alias(of), _)) => at = *of,
            Some((ValueSource::Apply(apply), _)) => {
                let Some((_, of)) = apply.inputs.first() else { break 1 };
                if apply.op == "turns_to_channel" {
                    let turns = pipeline.value(*of).and_then(|v| v.ty.dims.get(1)?.value(&pipeline.sizes)?.ok());
                    break turns.and_then(|t| usize::try_from(t).ok()).unwrap_or(1);
                }
                if !matches!(apply.op, "l2norm" | "standardize") {
                    break 1;
                }
                at = *of;
            }
            _ => break 1,
        }
    };
    Export { name: output.name.clone(), kind, map, turns }
}
