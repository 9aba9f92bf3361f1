//! What an operation states of itself, for each of its readers: the checker, its lints, the graph and the engine,
//! datasets.

use super::application::{Application, RuleArg};
use crate::constant::Settings;

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
    /// True for what only an operator or a pass writes: it cannot be called by name.
    pub operator: bool,
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
    /// What lints read.
    pub lints: LintFacts,
    /// What the graph and the engine read.
    pub graph: GraphFacts,
}

/// What lints and metrics go by.
#[derive(Clone, Copy)]
pub struct LintFacts {
    /// Two arguments that a loss draws together.
    pub compares: Option<(&'static str, &'static str)>,
    /// The homography by which zeros come in from outside of a view.
    pub pads: Option<&'static str>,
    /// True for a mask of what lies inside of a view.
    pub shows_border: bool,
    /// True for a move of a view onto itself, so that nothing comes in from outside.
    pub onto: bool,
    /// True for a miner with an `apart` that keeps it from finding the positive itself.
    pub keeps_apart: bool,
    /// True for a score that should grow.
    pub higher_is_better: bool,
}

/// What a node of the graph is: for its builder and its passes, and for the engine.
#[derive(Clone, Copy)]
pub struct GraphFacts {
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
    /// True where the factors of its products may be rounded to bfloat16: where the pipeline asks for
    /// `precision = bf16`, the graph's builder gives such a node the setting `products = bf16`.
    pub rounds: bool,
    /// What the pass `fuse` may take into this operation, first things first.
    pub takes_in: &'static [TakesIn],
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
        operator: false,
        batched: false,
        carries_out: None,
        pixels_of: None,
        in_pixels: false,
        of_places: None,
        new_frame: None,
        record: &[],
        offers: Offers::Nothing,
        lints: LintFacts::NONE,
        graph: GraphFacts::NONE,
    };
}

impl LintFacts {
    /// Nothing that a lint asks for.
    pub const NONE: LintFacts = LintFacts {
        compares: None,
        pads: None,
        shows_border: false,
        onto: false,
        keeps_apart: false,
        higher_is_better: false,
    };
}

impl GraphFacts {
    /// A function of the numbers of its inputs, with a gradient, across the whole batch.
    pub const NONE: GraphFacts = GraphFacts {
        random: false,
        stops_gradient: false,
        inverted: None,
        shape_only: &[],
        per_sample: false,
        rounds: false,
        takes_in: &[],
        products: None,
    };
}

/// What a frame is called that a call with these arguments makes.
pub type FrameName = fn(&[RuleArg]) -> Option<String>;

/// What a signature cannot express: which kind the result keeps, how a size changes, which weights are made.
pub type Rule = fn(&mut Application<'_>);

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
