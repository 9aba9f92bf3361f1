//! A checked pipeline: every value with its type, every call with its operation, functions and models written out.
//!
//! This is what `lang` returns. Values are listed so that each comes after what it uses; `let`s and calls have become
//! edges.

use std::collections::{HashMap, HashSet};

use super::constant::{Constant, Recipe, Settings};
use super::dim::Dim;
use super::named::{Meaning, Named};
use super::parts::{Part, WeightClass};
use super::sections;
use super::source::Span;
use super::timed::{Course, Timed};
use super::types::{Frame, Kind, Type};

/// A value's index in [`Pipeline::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub u32);

/// A tensor that exists while running.
#[derive(Clone, Debug)]
pub struct Value {
    /// Where it comes from.
    pub source: ValueSource,
    /// Its type.
    pub ty: Type,
    /// The text that made it.
    pub span: Span,
    /// The line that it is a part of: an index into [`Pipeline::stages`].
    pub stage: usize,
}

/// A line that makes values: an item, or a line of a model in one of its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What it defines: `trunk`, `detection`.
    pub name: String,
    /// The model that it is a line of; `None` for an item.
    pub model: Option<usize>,
    /// Names the call of the model among all; 0 for an item.
    pub call: usize,
    /// The line that the call stands in: an index into [`Pipeline::stages`]; an item's own for an item.
    pub within: usize,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // fields are named for what they hold
pub enum ValueSource {
    /// A field of a dataset, or an `input` (then `data` is `None`).
    Field { data: Option<usize>, name: String },
    /// A number that meets a tensor.
    Number(f64),
    /// The same of one that changes while training.
    Timed(Timed),
    /// A weight that a model declares: an index into [`Pipeline::weights`].
    Weight(usize),
    /// An operation applied to values.
    Apply(Apply),
    /// Another value under a type that the text states for it.
    Alias(ValueId),
    /// A parameter of something that is checked on its own and never run.
    Parameter,
}

/// An operation with its arguments.
#[derive(Clone, Debug)]
pub struct Apply {
    /// The operation's name in the vocabulary.
    pub op: &'static str,
    /// Tensor arguments by parameter name.
    pub inputs: Vec<(&'static str, ValueId)>,
    /// Weights by their role in the operation (`weight`, `bias`): indices into [`Pipeline::weights`].
    pub weights: Vec<(&'static str, usize)>,
    /// All other arguments.
    pub settings: Settings,
    /// Names the random stream of this place in the source; 0 for what draws nothing.
    pub stream: u64,
}

/// How a weight begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// Uniform in ±1/√fan_in, as torch's layers do.
    FanIn(usize),
    /// The same number everywhere.
    Constant(f64),
    /// Normal numbers of mean 0 and this deviation.
    Normal(f64),
    /// The same number everywhere at first, and then what the data make of it: a running statistic, which is kept with
    /// the weights and never trained.
    Statistic(f64),
}

/// A trainable tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightInfo {
    /// `net.det.0.weight`
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How it begins.
    pub initial: Initial,
    /// What it is in its layer.
    pub class: WeightClass,
    /// The model it belongs to.
    pub model: usize,
    /// The call that made it.
    pub span: Span,
    /// The weight that it follows, in a model that follows another: an index into [`Pipeline::weights`].
    pub follows: Option<usize>,
}

/// A model.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub span: Span,
    /// How often it is called.
    pub calls: usize,
    /// Set where its weights do not train: the file they come from, if it names one.
    pub frozen: Option<Option<String>>,
    /// The model whose weights its own follow, if they do.
    pub follows: Option<Follows>,
}

impl ModelInfo {
    /// False where its weights get no gradient.
    pub fn trains(&self) -> bool {
        self.frozen.is_none() && self.follows.is_none()
    }
}

/// A model whose weights are the moving average of another's: `@ema(of = net, decay = 0.99)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Follows {
    /// The other: an index into [`Pipeline::models`].
    pub model: usize,
    /// How much of its own weights stays in a step: a number, which may change.
    pub decay: Constant,
    /// The attribute.
    pub span: Span,
}

/// A dataset.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// How it is made.
    pub recipe: Recipe,
    /// What it hands to the pipeline.
    pub fields: Vec<(String, Type)>,
    /// The expression that makes it.
    pub span: Span,
    /// How much of it is trained on, for a dataset that is split.
    pub share: Option<Share>,
}

/// The share of a dataset that is trained on; the rest is validated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Above 0, to 1.
    pub trained: f64,
    /// The argument that sets it, or the dataset.
    pub span: Span,
}

impl Share {
    /// The argument of a dataset that is its share.
    pub const SETTING: &'static str = "train";
    /// The argument of a dataset, or of its layouts, that names files to validate on.
    pub const APART: &'static str = "validation";
}

/// Something that is computed and reported.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: ValueId,
    /// Where its name stands.
    pub span: Span,
}

/// Something that is minimized, and by whom.
#[derive(Clone, Debug)]
pub struct Objective {
    /// The number.
    pub output: Output,
    /// The models that it trains: indices into [`Pipeline::models`]. `None` for all.
    pub models: Option<Vec<usize>>,
}

impl Objective {
    /// True for a model whose weights it trains, unless nothing does.
    pub fn of(&self, model: usize) -> bool {
        self.models.as_ref().is_none_or(|models| models.contains(&model))
    }
}

/// Which values of a number are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smaller ones: a loss.
    Down,
    /// Larger ones: a share of correct matches.
    Up,
}

impl Direction {
    /// The other one.
    pub fn turned(self) -> Direction {
        match self {
            Direction::Down => Direction::Up,
            Direction::Up => Direction::Down,
        }
    }
}

/// A watched number as settings hold it, `val.total` or `max(val.m)`: the direction that it states, and the number.
pub fn watched(word: &str) -> (Option<Direction>, &str) {
    for (name, direction) in [("max(", Direction::Up), ("min(", Direction::Down)] {
        if let Some(inner) = word.strip_prefix(name).and_then(|w| w.strip_suffix(')')) {
            return (Some(direction), inner);
        }
    }
    (None, word)
}

/// Where a parameter's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its default.
    Default,
    /// A preset of the file.
    Preset(String),
    /// A run, whose parameters are those it was made with.
    Run(String),
    /// A YAML file.
    Params(String),
    /// `--set`.
    Set,
    /// A point of a sweep of the file.
    Sweep(String),
    /// It has none.
    Missing,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Preset(name) => write!(f, "preset {name}"),
            Origin::Run(folder) => write!(f, "run {folder}"),
            Origin::Params(file) => f.write_str(file),
            Origin::Set => f.write_str("--set"),
            Origin::Sweep(name) => write!(f, "sweep {name}"),
            Origin::Missing => f.write_str("missing"),
        }
    }
}

/// Something that can be changed from outside.
#[derive(Clone, Debug)]
pub struct ParamInfo {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Its value.
    pub value: Option<Constant>,
    /// Where that comes from.
    pub origin: Origin,
    /// The values that this one stands before, with where they come from, the last one first.
    pub outdone: Vec<(Constant, Origin)>,
    /// The values it may take, as written.
    pub domain: Option<String>,
    /// What it means.
    pub about: Option<String>,
    /// Where its name stands.
    pub span: Span,
    /// Where its value was given.
    pub value_span: Span,
}

/// A field of `train` or `save` with its place.
#[derive(Clone, Debug)]
pub struct SectionField {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Constant,
    /// Where it stands.
    pub span: Span,
}

/// What the checker found out about the text beside the pipeline itself, for tools that show the text to a person.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Names inside models with their types, as the model was checked on its own.
    pub locals: Vec<Named>,
    /// Parts of the bodies of functions and models with their types, likewise.
    pub parts: Vec<(Span, Type)>,
    /// Arguments that were left out and taken from the scope by name.
    pub ambient: Vec<Ambient>,
}

/// An argument that a call took from its scope by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambient {
    /// The call; where it has no brackets, its name.
    pub call: Span,
    /// The parameter.
    pub param: String,
    /// The name that stood in.
    pub name: String,
}

/// A named grid of parameters: its name, and the values each parameter takes.
pub type Sweep = (String, Vec<(String, Vec<Constant>)>);

/// How many points a grid has.
pub fn points(axes: &[(String, Vec<Constant>)]) -> usize {
    axes.iter().fold(1, |n, (_, values)| n.saturating_mul(values.len()))
}

/// A checked pipeline.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// Its name, or the file's.
    pub name: String,
    /// What it is for.
    pub about: Option<String>,
    /// What can be changed from outside.
    pub params: Vec<ParamInfo>,
    /// The named sets of parameters: name and its `name = value` pairs.
    pub presets: Vec<(String, Vec<(String, Constant)>)>,
    /// The named grids of parameters.
    pub sweeps: Vec<Sweep>,
    /// Where the tensors come from.
    pub datasets: Vec<Dataset>,
    /// The tensors a caller supplies.
    pub inputs: Vec<(String, Type)>,
    /// The models.
    pub models: Vec<ModelInfo>,
    /// The weights, in the order of their first use.
    pub weights: Vec<WeightInfo>,
    /// Every value.
    pub values: Vec<Value>,
    /// The lines that values are made in.
    pub stages: Vec<Stage>,
    /// Every name of the file, in the order of the text, and the outputs of models.
    pub names: Vec<Named>,
    /// The losses.
    pub losses: Vec<Output>,
    /// The metrics.
    pub metrics: Vec<Output>,
    /// Which way metrics are better, where that is known.
    pub directions: Vec<(String, Direction)>,
    /// What is minimized: the first objective.
    pub objective: Option<Output>,
    /// All objectives in the order in which a step takes them.
    pub objectives: Vec<Objective>,
    /// The `train` section.
    pub train: Vec<SectionField>,
    /// The parts of the `train` section.
    pub parts: Vec<Part>,
    /// The `save` section.
    pub save: Vec<SectionField>,
    /// What the trained network is used for: tensors made of one image.
    pub exports: Vec<Output>,
    /// The sizes that are known, by symbol.
    pub sizes: HashMap<u32, i64>,
    /// The symbol of the batch axis, if the data has one.
    pub batch: Option<u32>,
    /// Width and height in pixels of the image that declares a frame.
    pub frames: Vec<(Frame, Dim, Dim)>,
    /// What a reader of the text may want to know.
    pub notes: Notes,
}

impl Pipeline {
    /// A value.
    pub fn value(&self, id: ValueId) -> Option<&Value> {
        self.values.get(id.0 as usize)
    }

    /// False where all data is trained on, so that nothing is validated.
    pub fn validates(&self) -> bool {
        let all = |d: &Dataset| d.share.is_some_and(|s| s.trained >= 1.0);
        self.datasets.is_empty() || !self.datasets.iter().all(all)
    }

    /// A field of a section, or what holds without it.
    pub fn setting(&self, section: &str, name: &str) -> Option<Constant> {
        let given = match section {
            "train" => self.train(name),
            "save" => self.save(name),
            _ => None,
        };
        given.cloned().or_else(|| sections::field(section, name)?.default.constant())
    }

    /// A field of the `train` section.
    pub fn train(&self, name: &str) -> Option<&Constant> {
        self.train.iter().find(|f| f.name == name).map(|f| &f.value)
    }

    /// Everything that a value is computed from, itself included.
    pub fn below(&self, from: ValueId) -> HashSet<ValueId> {
        let (mut seen, mut open) = (HashSet::new(), vec![from]);
        while let Some(id) = open.pop() {
            let Some(value) = self.value(id).filter(|_| seen.insert(id)) else { continue };
            match &value.source {
                ValueSource::Alias(of) => open.push(*of),
                ValueSource::Apply(apply) => open.extend(apply.inputs.iter().map(|(_, id)| *id)),
                _ => {}
            }
        }
        seen
    }

    /// The numbers that change while training, of the data and of formulas, each once with its name: that of its
    /// `let`, or its text.
    pub fn timed(&self) -> Vec<(String, Course)> {
        let settings = self.datasets.iter().flat_map(|d| &d.recipe.settings.0);
        let mut found: Vec<Course> = Vec::new();
        let mut add = |constant: &Constant| {
            for course in constant.courses() {
                if !found.contains(course) {
                    found.push(course.clone());
                }
            }
        };
        settings.for_each(|(_, value)| add(value));
        self.models.iter().filter_map(|m| m.follows.as_ref()).for_each(|f| add(&f.decay));
        for value in &self.values {
            if let ValueSource::Timed(timed) = &value.source {
                add(&Constant::Timed(Box::new(timed.clone())));
            }
        }
        let name = |course: &Course| {
            let known = self.names.iter().find(|named| match &named.is {
                Meaning::Known(_, Some(Constant::Timed(timed))) => matches!(&**timed, Timed::Course(c) if c == course),
                _ => false,
            });
            // One text may stand for several numbers, in a function that is called twice.
            let alone = found.iter().filter(|c| c.text == course.text).count() == 1;
            known.map(|n| n.name.clone()).unwrap_or_else(|| match alone {
                true => course.text.clone(),
                false => course.recipe.to_string(),
            })
        };
        found.iter().map(|course| (name(course), course.clone())).collect()
    }

    /// The reported numbers of training steps that a number that changes listens to: `hit` of `pace(watch = train.hit)`.
    pub fn heard(&self) -> Vec<String> {
        let watch = |course: &Course| course.recipe.settings.text("watch").ok().map(str::to_string);
        let words = self.timed().into_iter().filter_map(|(_, course)| watch(&course));
        words.filter_map(|word| word.strip_prefix("train.").map(str::to_string)).collect()
    }

    /// Which way a reported number is better, where that is known: losses and objectives by falling.
    pub fn direction(&self, name: &str) -> Option<Direction> {
        let objectives = self.objectives.iter().map(|o| &o.output);
        let minimized = self.losses.iter().chain(objectives).any(|o| o.name == name);
        let known = self.directions.iter().find(|(n, _)| n == name).map(|(_, d)| *d);
        known.or(minimized.then_some(Direction::Down))
    }

    /// A field of the `save` section.
    pub fn save(&self, name: &str) -> Option<&Constant> {
        self.save.iter().find(|f| f.name == name).map(|f| &f.value)
    }
}
