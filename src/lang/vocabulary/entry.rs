//! What an operation states of itself, for each of its readers: the checker, its lints, the graph and the engine,
//! datasets.

use super::application::{Application, RuleArg};
use super::facts::LintFacts;
use crate::constant::{Constant, Settings, Unit, number};
use crate::timed::ReachOf;
use crate::typed::Initial;

/// One operation: what the checker reads of a call, and the facts that other readers want.
#[derive(Clone, Copy)]
pub struct Entry {
    /// `warp(x: Map[B, C, h, w]@a, by: Homography[B]@a->b) -> Map[B, C, h, w]@b`
    pub signature: &'static str,
    /// Its page of the manual, in Markdown.
    pub manual: &'static str,
    /// What the signature cannot express.
    pub rule: Rule,
    /// The words that arguments take: `("pad", &["same"])`.
    pub words: &'static [(&'static str, &'static [&'static str])],
    /// True where a field may be given for a map: each of its turns is one to the signature and the rule, and the result is a field.
    pub fields: bool,
    /// True for what only an operator or a pass writes: it cannot be called by name.
    pub operator: bool,
    /// Tensors that may be one number instead, which meets everything: `max(x, 0.2)`.
    pub numbers: &'static [&'static str],
    /// True where all tensors may have a batch before the axes that the signature gives them, and the result then has it.
    pub batched: bool,
    /// The argument that holds the recipe this operation carries out: `pick` carries out its `negatives`.
    pub carries_out: Option<&'static str>,
    /// The argument whose frame gives lengths in pixels their meaning.
    pub pixels_of: Option<&'static str>,
    /// True where the value itself is in pixels, so that the frame needs an image whatever the arguments are.
    pub in_pixels: bool,
    /// The operation that this one is where its first argument is places: `distance(p, q)`. It has the same parameters.
    pub of_places: Option<&'static str>,
    /// A frame that a call makes: its name in the signature, and its name for given arguments.
    pub new_frame: Option<(&'static str, FrameName)>,
    /// The operations whose values make up a record, with the fields' names; all take the arguments of this one.
    pub record: &'static [(&'static str, &'static str)],
    /// The fields of a dataset.
    pub offers: Offers,
    /// Where the number lies that it describes, for a number that changes while training.
    pub course: Option<ReachOf>,
    /// The arguments that may be such numbers, or ranges of them.
    pub timed: &'static [&'static str],
    /// How a weight of a shape begins, for a way to begin one.
    pub initial: Option<InitialOf>,
    /// What lints read.
    pub lints: LintFacts,
    /// What can be said of a recipe of `train` once the length of the run is known.
    pub in_run: fn(&mut InRun<'_>),
    /// What the graph and the engine read.
    pub graph: GraphFacts,
}

/// A recipe of `train` beside the run that it is for.
pub struct InRun<'a> {
    /// Its settings.
    pub settings: &'a Settings,
    /// Epochs of the run.
    pub epochs: f64,
    /// Steps of an epoch, where the pipeline sets them.
    pub steps: Option<f64>,
    /// The optimizer's learning rate.
    pub lr: Option<f64>,
    /// What was found: the setting, a title, what is so, and what to do.
    pub found: Vec<Finding>,
}

/// Something that is most likely not meant.
pub struct Finding {
    /// The setting.
    pub setting: &'static str,
    /// What is wrong.
    pub title: String,
    /// What is so.
    pub label: String,
    /// What to do.
    pub help: String,
}

impl InRun<'_> {
    /// A duration of the recipe in epochs; `None` where it is in steps and these are not known.
    pub fn in_epochs(&self, name: &str) -> Option<f64> {
        match self.settings.get(name)? {
            Constant::Quantity(x, Unit::Steps) => Some(x / self.steps?),
            Constant::Quantity(x, Unit::Epochs) => Some(*x),
            _ => None,
        }
    }

    /// The length of the run in the unit of a setting: `4epochs`, `8steps`.
    pub fn length_like(&self, name: &str) -> String {
        match (self.settings.get(name), self.steps) {
            (Some(Constant::Quantity(_, Unit::Steps)), Some(steps)) => format!("{}steps", number(steps * self.epochs)),
            _ => format!("{}epochs", number(self.epochs)),
        }
    }

    /// Notes a finding.
    pub fn find(&mut self, setting: &'static str, title: String, label: String, help: String) {
        self.found.push(Finding { setting, title, label, help });
    }
}

/// What a node of the graph is: for its builder and its passes, and for the engine.
#[derive(Clone, Copy)]
pub struct GraphFacts {
    /// True for a layer that normalizes: its weights are those of norms.
    pub normalizes: bool,
    /// True where it draws random numbers.
    pub random: bool,
    /// True where the gradient does not pass.
    pub stops_gradient: bool,
    /// A homography that the operation reads inverted, and its name then: `warp` reads its source at the inverse of
    /// `by`.
    pub inverted: Option<(&'static str, &'static str)>,
    /// Tensor arguments that only lend their shape.
    pub shape_only: &'static [&'static str],
    /// True where every sample of a batch is treated alone and alike, so that two batches may be computed as one.
    pub per_sample: bool,
    /// True where a sample of the value is made of the same sample of every argument that has samples, and is drawn by its number: of a
    /// batch that several processes share, each can then compute its own. What is `per_sample` can be, too.
    pub apart: bool,
    /// True where samples are mixed in sums alone, which the operation itself adds up over processes.
    pub sums_up: bool,
    /// True where the factors of its products may be rounded to bfloat16: where the pipeline asks for
    /// `precision = bf16`, the graph's builder gives such a node the setting `products = bf16`.
    pub rounds: bool,
    /// What the pass `fuse` may take into this operation, first things first.
    pub takes_in: &'static [TakesIn],
    /// What the pass `through` may take into this operation from before it.
    pub reads_through: Option<ReadsThrough>,
    /// True where its value is its argument `x` unless a step of training is taken: the pass `freeze` drops it.
    pub hands_on: bool,
    /// Of a normalization by running statistics, how its tensors are called: the pass `freeze` knows it as a line for each channel.
    pub lines: Option<LineNames>,
    /// Of a layer whose first axis of weights is that of its outputs, how its tensors are called: lines of the outputs can be in them.
    pub filters: Option<FilterNames>,
    /// The multiply-adds of what is a convolution or a matrix product.
    pub products: Option<Products>,
}

/// The fields of a dataset.
#[derive(Clone, Copy)]
pub enum Offers {
    /// It is no dataset.
    Nothing,
    /// Names and types, in terms of the arguments, of the dataset of a name.
    Fields(fn(&str) -> Vec<(&'static str, &'static str)>),
    /// Whatever the pipeline declares.
    Declared,
}

impl Entry {
    /// An operation whose signature is all there is to it.
    pub const PLAIN: Entry = Entry {
        signature: "",
        manual: "",
        rule: |_| {},
        words: &[],
        fields: false,
        operator: false,
        numbers: &[],
        batched: false,
        carries_out: None,
        pixels_of: None,
        in_pixels: false,
        of_places: None,
        new_frame: None,
        record: &[],
        offers: Offers::Nothing,
        course: None,
        timed: &[],
        initial: None,
        lints: LintFacts::NONE,
        in_run: |_| {},
        graph: GraphFacts::NONE,
    };
}

impl GraphFacts {
    /// A function of the numbers of its inputs, with a gradient, across the whole batch.
    pub const NONE: GraphFacts = GraphFacts {
        normalizes: false,
        random: false,
        stops_gradient: false,
        inverted: None,
        shape_only: &[],
        per_sample: false,
        apart: false,
        sums_up: false,
        rounds: false,
        takes_in: &[],
        reads_through: None,
        hands_on: false,
        lines: None,
        filters: None,
        products: None,
    };
}

impl GraphFacts {
    /// The same sample by sample: see [`GraphFacts::apart`].
    pub const APART: GraphFacts = GraphFacts { apart: true, ..GraphFacts::NONE };
}

/// How a weight of this shape begins; `None` where a setting cannot be read.
pub type InitialOf = fn(&Settings, &[usize]) -> Option<Initial>;

/// What a frame is called that a call with these arguments makes.
pub type FrameName = fn(&[RuleArg]) -> Option<String>;

/// What a signature cannot express: which kind the result keeps, how a size changes, which weights are made.
pub type Rule = fn(&mut Application<'_>);

/// An operation whose value another one reads without its being written out: it reads what that one reads, and does the same on the way.
#[derive(Clone, Copy)]
pub struct ReadsThrough {
    /// The operation that is read through.
    pub op: &'static str,
    /// The tensor that is read through it.
    pub input: &'static str,
    /// What it reads itself, which is then read in that place.
    pub of: &'static str,
    /// Its other tensors, by their names there and here. Where its weights are frozen it runs as in validation.
    pub names: &'static [(&'static str, &'static str)],
    /// Its settings that are handed on.
    pub settings: &'static [&'static str],
    /// The setting, which no user writes, that says that it is there: what it has taken in itself, or `plain`.
    pub word: &'static str,
    /// Whether it pays for a call with these settings, of one with those.
    pub pays: fn(&Settings, &Settings) -> bool,
}

impl ReadsThrough {
    /// Whether it is in a call with these settings.
    pub fn is_in(&self, settings: &Settings) -> bool {
        settings.get(self.word).is_some()
    }

    /// Whether the tensor of this name is its own.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|(_, here)| *here == name)
    }
}

/// The tensors of a normalization: (x - mean) / √(variance + eps) · scale + shift, of which the last two may be left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineNames {
    /// The mean of each channel.
    pub mean: &'static str,
    /// Its variance.
    pub variance: &'static str,
    /// What it is multiplied by in the end.
    pub scale: &'static str,
    /// What is added in the end.
    pub shift: &'static str,
    /// The setting that is added to the variance.
    pub eps: &'static str,
}

/// The tensors of a layer of filters, and the setting that says that there is a bias.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilterNames {
    /// The filters, (outputs, …).
    pub weight: &'static str,
    /// What is added to each output, if anything.
    pub bias: &'static str,
}

/// An operation that another one takes in after itself. Its setting `then`, which no user writes, names what is in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TakesIn {
    /// What must be in it already.
    pub so_far: Option<&'static str>,
    /// The operation it takes in,
    pub op: &'static str,
    /// with these settings.
    pub settings: &'static [(&'static str, f64)],
    /// What it is called with both in it.
    pub then: &'static str,
}

/// The multiply-adds of a convolution or a matrix product.
#[derive(Clone, Copy)]
pub struct Products {
    /// How many its value takes, by definition; `None` where a shape is missing.
    pub count: fn(&Shapes<'_>) -> Option<f64>,
    /// The inputs whose gradient takes as many again.
    pub of: &'static [&'static str],
}

/// The shapes of one use of an operation.
pub struct Shapes<'a> {
    /// Those of its tensors, by parameter name.
    pub inputs: Vec<(&'static str, Vec<usize>)>,
    /// That of its value.
    pub result: Vec<usize>,
    /// All other arguments.
    pub settings: &'a Settings,
}

impl Shapes<'_> {
    /// The shape of a tensor argument.
    pub fn of(&self, name: &str) -> Option<&[usize]> {
        self.inputs.iter().find(|(n, _)| *n == name).map(|(_, shape)| shape.as_slice())
    }

    /// The product of sizes, which may be larger than any tensor.
    pub fn elements(shape: &[usize]) -> f64 {
        shape.iter().map(|n| *n as f64).product()
    }

    /// The numbers of the value.
    pub fn result_elements(&self) -> f64 {
        Self::elements(&self.result)
    }
}
