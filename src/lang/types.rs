//! Kinds, frames and types: what a number is, how it is laid out, where it lives.

use std::fmt;

use super::axis::Axis;
use super::dim::Dim;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Real numbers of any shape: what arithmetic leaves when nothing more is known.
    Values,
    /// A real map; accepts every map.
    Map,
    /// What a camera or a layout shows.
    Image,
    /// Features between layers.
    Feat,
    /// Probabilities, 0 to 1.
    Prob,
    /// 0 or 1, without a gradient.
    Mask,
    /// From data: 0 to 1, without a gradient.
    Label,
    /// Before the sigmoid.
    Logit,
    /// A descriptor at every place.
    Desc,
    /// Features in every turn of a symmetry group.
    Field,
    /// Places in a frame.
    Points,
    /// What leads from one place to another, in pixels of the image that declares the frame.
    Offsets,
    /// Sampled descriptors.
    Vectors,
    /// Distances, not negative.
    Dist,
    /// Takes points of one frame to points of another.
    Homography,
    /// One number.
    Scalar,
    /// One number with a gradient.
    Loss,
    /// Not negative.
    Weight,
    /// Positive.
    Rate,
    /// One number that changes while training.
    Timed,
    /// A whole number, not negative.
    Count,
    /// True or false.
    Flag,
    /// A string.
    Text,
    /// A string that names a file.
    Path,
    /// A length in pixels.
    Pixels,
    /// An angle.
    Degrees,
    /// A duration in epochs.
    Epochs,
    /// A duration in steps.
    Steps,
    /// A duration in epochs or steps.
    Duration,
    /// A duration in minutes.
    Minutes,
    /// A duration in epochs, steps or minutes.
    Interval,
    /// So many times another number.
    Factor,
    /// `low..high`.
    Range,
    /// `[a, b, c]`.
    List,
    /// Names of files: a string, or a list of strings.
    Paths,
    /// One of a few words.
    Word,
    /// A value that is watched: `val.total`.
    Watch,
    /// Where layouts come from.
    Layouts,
    /// What a dataset is made by.
    Dataset,
    /// How places are chosen.
    Sampler,
    /// How negatives are chosen.
    Miner,
    /// How weights change.
    Optimizer,
    /// How the learning rate changes.
    Schedule,
    /// How gradients are bounded.
    Clip,
    /// When a run ends early.
    Stop,
    /// How often something is done.
    Every,
    /// How an image is disturbed.
    Augment,
    /// How a second view is made.
    Symmetry,
    /// How layers become an image.
    Render,
    /// How many values become one: `mean`, `sum`, `none`.
    Reduce,
    /// How a declared weight begins.
    Init,
    /// Names of axes: `channel`, `[row, column]`.
    Axes,
}

use Kind::*;

/// Every kind with its name, the kind directly above it, and what it holds, in words.
const KINDS: [(Kind, &str, Option<Kind>, &str); 52] = [
    (Values, "Values", None, "real numbers"),
    (Map, "Map", Some(Values), "any real number"),
    (Image, "Image", Some(Map), "any real number"),
    (Feat, "Feat", Some(Map), "any real number"),
    (Prob, "Prob", Some(Map), "0 to 1"),
    (Mask, "Mask", Some(Prob), "0 or 1"),
    (Label, "Label", Some(Prob), "0 to 1, from data"),
    (Logit, "Logit", Some(Map), "any real number"),
    (Desc, "Desc", Some(Map), "descriptors"),
    (Field, "Field", Some(Values), "features in every turn of a symmetry group"),
    (Points, "Points", None, "places in a frame"),
    (Offsets, "Offsets", None, "differences of places, in px"),
    (Vectors, "Vectors", Some(Values), "sampled descriptors"),
    (Dist, "Dist", Some(Values), "distances"),
    (Homography, "Homography", None, "a move between two frames"),
    (Scalar, "Scalar", None, "one number"),
    (Loss, "Loss", Some(Scalar), "one number with a gradient"),
    (Weight, "Weight", Some(Scalar), "a number that is not negative"),
    (Rate, "Rate", Some(Weight), "a positive number"),
    (Count, "Count", Some(Weight), "a whole number, 0 or more"),
    (Timed, "Timed", Some(Scalar), "a number that changes while training: ramp(…)"),
    (Flag, "Flag", None, "true or false"),
    (Text, "Text", None, "a string"),
    (Path, "Path", None, "a string that names a file"),
    (Paths, "Paths", None, "a string that names files, or a list of such"),
    (Pixels, "Pixels", None, "a length such as 8px"),
    (Degrees, "Degrees", None, "an angle such as 90deg"),
    (Epochs, "Epochs", Some(Duration), "a duration such as 5epochs"),
    (Steps, "Steps", Some(Duration), "a duration such as 100steps"),
    (Duration, "Duration", Some(Interval), "a duration such as 5epochs or 100steps"),
    (Minutes, "Minutes", Some(Interval), "a duration such as 5min"),
    (Interval, "Interval", None, "a duration such as 5min, 100steps or 1epochs"),
    (Factor, "Factor", None, "a multiple such as 0.1x"),
    (Range, "Range", None, "a range such as 0.8..1.2"),
    (Word, "Word", None, "one of a few words"),
    (List, "List", None, "a list such as [1, 2]"),
    (Watch, "Watch", None, "a reported number such as val.total"),
    (Layouts, "Layouts", None, "layouts: synth(…), gds(…), images(…)"),
    (Dataset, "Dataset", None, "a dataset: layout_pairs(…)"),
    (Sampler, "Sampler", None, "a choice of places: grid(…)"),
    (Miner, "Miner", None, "a choice of negatives: hardneg(…)"),
    (Optimizer, "Optimizer", None, "an optimizer: adam(…)"),
    (Schedule, "Schedule", None, "a schedule: reduce_on_plateau(…)"),
    (Clip, "Clip", None, "a bound on gradients: grad_norm(…)"),
    (Stop, "Stop", None, "an early end: after(…)"),
    (Every, "Every", None, "how often: every(…)"),
    (Augment, "Augment", None, "a disturbance: noise(…)"),
    (Symmetry, "Symmetry", None, "a geometry: square_symmetries"),
    (Render, "Render", None, "a way to draw: layers(…)"),
    (Reduce, "Reduce", None, "mean, sum or none"),
    (Init, "Init", None, "how a weight begins: normal(…)"),
    (Axes, "Axes", None, "names of axes: channel, or [row, column]"),
];

impl Kind {
    fn row(self) -> &'static (Kind, &'static str, Option<Kind>, &'static str) {
        KINDS.iter().find(|(k, ..)| *k == self).unwrap_or(&KINDS[0])
    }

    /// Its name in the language.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// What it holds, in words.
    pub fn holds(self) -> &'static str {
        self.row().3
    }

    /// The kind directly above it.
    pub fn above(self) -> Option<Kind> {
        self.row().2
    }

    /// The kind called `name`.
    pub fn named(name: &str) -> Option<Kind> {
        KINDS.iter().find(|(_, n, ..)| *n == name).map(|(k, ..)| *k)
    }

    /// The names of all kinds.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(_, n, ..)| *n)
    }

    /// True where every `self` is a `wanted`.
    pub fn is(self, wanted: Kind) -> bool {
        self == wanted || self.row().2.is_some_and(|above| above.is(wanted))
    }

    /// The lowest kind that both are.
    pub fn join(self, other: Kind) -> Option<Kind> {
        if other.is(self) {
            return Some(self);
        }
        self.row().2.and_then(|above| above.join(other))
    }

    /// True for what exists only while running: tensors.
    pub fn is_tensor(self) -> bool {
        self.is(Values) || self.is_placed() || matches!(self, Homography | Loss)
    }

    /// True for places and what leads from one to another: two coordinates each, in a frame.
    pub fn is_placed(self) -> bool {
        matches!(self, Points | Offsets)
    }

    /// What its tensors have beside the axes of the type: the matrix of a homography, the two coordinates of a place.
    pub fn beside_axes(self) -> &'static [usize] {
        match self {
            Homography => &[3, 3],
            kind if kind.is_placed() => &[2],
            _ => &[],
        }
    }

    /// True for what lives in a frame.
    pub fn has_frame(self) -> bool {
        self.is(Map) || self.is_placed() || self == Field
    }

    /// How many axes it has that are written without names, where that is fixed.
    pub fn rank(self) -> Option<usize> {
        match self {
            k if k.is(Map) => Some(4),
            Field => Some(5),
            Points | Offsets => Some(2),
            Homography => Some(1),
            _ => None,
        }
    }

    /// True where a shape without names says how many axes there are, and not which: numbers of any shape.
    pub fn is_open(self) -> bool {
        matches!(self, Values | Dist)
    }

    /// The names of its axes in words, as far as the kind says which they are.
    pub fn usual_axes(self) -> &'static str {
        match self {
            k if k.is(Map) => "batch, channel, row, column",
            Vectors => "batch, item, channel; or item, channel",
            Dist => "batch, row, column; or row, column",
            k if k.is_placed() => "batch, item",
            Field => "batch, turn, channel, row, column",
            Homography => "batch",
            Values => "any",
            _ => "",
        }
    }

    /// The names of its axes, where there are this many and none is written.
    pub fn axes(self, count: usize) -> Vec<Axis> {
        use Axis::{Batch, Channel, Column, Item, Row, Turn};
        let all: &[Axis] = match (self, count) {
            (k, 4) if k.is(Map) => &[Batch, Channel, Row, Column],
            (Vectors, 1) => &[Channel],
            (Vectors, 2) => &[Item, Channel],
            (Field, 5) => &[Batch, Turn, Channel, Row, Column],
            (Vectors, 3) => &[Batch, Item, Channel],
            (Homography, 1) => &[Batch],
            (k, 2) if k.is_placed() => &[Batch, Item],
            (_, 1) => &[Item],
            (_, 2) => &[Row, Column],
            (_, 3) => &[Batch, Row, Column],
            (_, 4) => &[Batch, Channel, Row, Column],
            _ => &[Batch, Item, Channel, Row, Column],
        };
        // There are more only where a mistake has been reported.
        let more = (all.len()..count).map(|at| Axis::named(&format!("axis_{}", at + 1)));
        all.iter().take(count).cloned().chain(more).collect()
    }
}

/// The view a map lives in: `orig`, `moved`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame(pub String);

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// `kind unit[dims]@frame->to`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// What it is.
    pub kind: Kind,
    /// True where every vector has length 1.
    pub unit: bool,
    /// Its shape; empty for what has none.
    pub dims: Vec<Dim>,
    /// The names of its axes, one for each size, in the order of [`Axis`].
    pub axes: Vec<Axis>,
    /// The frame it lives in or starts from.
    pub frame: Option<Frame>,
    /// The frame a homography leads to.
    pub to: Option<Frame>,
}

impl Type {
    /// A field as the map that each of its turns is, and how many turns there are; `None` for what is no field.
    pub fn one_turn(&self) -> Option<(Type, Dim)> {
        let (Kind::Field, [batch, turns, rest @ ..]) = (self.kind, self.dims.as_slice()) else { return None };
        let dims: Vec<Dim> = [batch].into_iter().chain(rest).cloned().collect();
        let map = Type { frame: self.frame.clone(), ..Type::shaped(Kind::Feat, dims) };
        Some((map, turns.clone()))
    }

    /// The field of so many turns that are maps of this type.
    pub fn in_turns(mut self, turns: Dim) -> Type {
        self.dims.insert(self.dims.len().min(1), turns);
        Type { kind: Kind::Field, unit: false, axes: Kind::Field.axes(self.dims.len()), ..self }
    }

    /// A kind without shape or frame.
    pub fn plain(kind: Kind) -> Type {
        Type { kind, unit: false, dims: vec![], axes: vec![], frame: None, to: None }
    }

    /// A kind with a shape, its axes named as the kind names them.
    pub fn shaped(kind: Kind, dims: Vec<Dim>) -> Type {
        Type { axes: kind.axes(dims.len()), dims, ..Type::plain(kind) }
    }

    /// The same kind and frame with other axes. Without rows and columns there is no place, so no frame.
    pub fn with_axes(&self, shape: Vec<(Axis, Dim)>) -> Type {
        let (axes, dims): (Vec<Axis>, Vec<Dim>) = shape.into_iter().unzip();
        let placed = axes.iter().any(Axis::is_place) || self.kind.is_placed();
        let frame = self.frame.clone().filter(|_| placed);
        Type { unit: false, dims, axes, frame, to: None, kind: self.kind }
    }

    /// Its axes with their sizes.
    pub fn shape(&self) -> impl Iterator<Item = (&Axis, &Dim)> {
        self.axes.iter().zip(&self.dims)
    }

    /// The size of an axis, if it has it.
    pub fn size(&self, axis: &Axis) -> Option<&Dim> {
        self.shape().find(|(a, _)| *a == axis).map(|(_, d)| d)
    }

    /// Where an axis lies, if it has it.
    pub fn position(&self, axis: &Axis) -> Option<usize> {
        self.axes.iter().position(|a| a == axis)
    }

    /// True for numbers of a shape that is not known at all: `x: Values` of a function that is checked on its own.
    pub fn is_open(&self) -> bool {
        self.kind.is(Values) && self.dims.is_empty()
    }

    /// True where its axes are those that its kind has without a word.
    pub fn has_usual_axes(&self) -> bool {
        let told = self.kind.rank().is_none_or(|rank| rank == self.dims.len());
        told && self.axes == self.kind.axes(self.dims.len()) && !(self.kind.is_open() && self.frame.is_some())
    }

    /// Numbers with the axes of a map or of vectors are one.
    pub fn natural(mut self) -> Type {
        use Axis::{Batch, Channel, Item};
        if self.kind == Values {
            self.kind = match self.axes.as_slice() {
                axes if self.frame.is_some() && axes == Map.axes(4) => Map,
                [Item, Channel] | [Batch, Item, Channel] => Vectors,
                _ => Values,
            };
        }
        self
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.name(), if self.unit { " unit" } else { "" })?;
        if !self.dims.is_empty() {
            let usual = self.has_usual_axes();
            let one = |(axis, dim): (&Axis, &Dim)| if usual { dim.to_string() } else { format!("{axis} {dim}") };
            let dims: Vec<String> = self.shape().map(one).collect();
            write!(f, "[{}]", dims.join(", "))?;
        }
        if let Some(frame) = &self.frame {
            write!(f, "{frame}")?;
        }
        if let Some(to) = &self.to {
            write!(f, "->{}", to.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_form_a_tree() {
        assert!(Label.is(Prob) && Label.is(Map) && Label.is(Values) && !Prob.is(Label) && !Map.is(Image));
        assert!(Rate.is(Scalar) && Loss.is(Scalar) && !Scalar.is(Loss));
        assert_eq!(Label.join(Mask), Some(Prob));
        assert_eq!(Prob.join(Logit), Some(Map));
        assert_eq!(Dist.join(Map), Some(Values));
        assert_eq!(Prob.join(Points), None);
        for (kind, name, ..) in KINDS {
            assert_eq!(Kind::named(name), Some(kind));
        }
    }
}
