//! Parts of the weights that are trained in ways of their own: `part net.trunk { lr = 0.1x, frozen = 5epochs }`.
//!
//! A part names weights by their beginning, `net` or `net.trunk`, or a class of them, `norms` or `biases`, anywhere or behind a
//! path: `net.trunk.norms`. Several may hold a weight. Then each field is that of the most special part that gives it: a class
//! is more special than a path, and a longer path more than a shorter one.

use super::constant::{Constant, Unit};
use super::source::Span;
use super::typed::{Pipeline, SectionField, WeightInfo};

/// What a weight is in its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightClass {
    /// Of a batch, group, instance or layer norm: its scale, its shift, its running statistics.
    Norm,
    /// What any other layer adds.
    Bias,
    /// Everything else.
    Other,
}

impl WeightClass {
    /// The classes that a part can name, as they are written.
    pub const NAMED: [(&'static str, WeightClass); 2] = [("norms", WeightClass::Norm), ("biases", WeightClass::Bias)];

    /// The class called `name`.
    pub fn named(name: &str) -> Option<WeightClass> {
        WeightClass::NAMED.iter().find(|(n, _)| *n == name).map(|(_, class)| *class)
    }
}

/// A part.
#[derive(Clone, Debug)]
pub struct Part {
    /// As it is written: `net.trunk`, `norms`.
    pub name: String,
    /// How the names of its weights begin; empty for those of every model.
    pub path: String,
    /// The class of its weights; `None` for all.
    pub class: Option<WeightClass>,
    /// Its fields.
    pub fields: Vec<SectionField>,
    /// What the names in the file of `init` begin with, and where that is written.
    pub under: Option<(String, Span)>,
    /// Where its name stands.
    pub span: Span,
}

/// How one weight is trained, as its parts say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Treatment {
    /// Its learning rate: a number, or a multiple of the optimizer's.
    pub lr: Option<Constant>,
    /// Its weight decay.
    pub weight_decay: Option<f64>,
    /// Whether, or how long, it stays as it is.
    pub frozen: Option<Constant>,
}

impl Part {
    /// A field.
    pub fn field(&self, name: &str) -> Option<&SectionField> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// True for a weight of this part.
    pub fn holds(&self, weight: &WeightInfo) -> bool {
        let under = within(&weight.name, &self.path);
        under && self.class.is_none_or(|class| class == weight.class)
    }

    /// How special it is: parts that are more so go before others.
    fn rank(&self) -> (bool, usize) {
        let segments = if self.path.is_empty() { 0 } else { 1 + self.path.matches('.').count() };
        (self.class.is_some(), segments)
    }
}

/// True for a name that begins with a path, segment by segment.
pub fn within(name: &str, path: &str) -> bool {
    path.is_empty() || name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Treatment {
    /// True for a weight that stays as it is for all of a run.
    pub fn is_frozen(&self) -> bool {
        self.frozen == Some(Constant::Flag(true))
    }

    /// How much of the optimizer's learning rate `base` it gets.
    pub fn factor(&self, base: f64) -> f64 {
        match &self.lr {
            Some(Constant::Quantity(x, Unit::Times)) => *x,
            Some(Constant::Number(x)) if base > 0.0 => x / base,
            _ => 1.0,
        }
    }
}

impl Pipeline {
    /// How a weight is trained.
    pub fn treatment(&self, weight: usize) -> Treatment {
        let Some(info) = self.weights.get(weight) else { return Treatment::default() };
        let mut parts: Vec<&Part> = self.parts.iter().filter(|p| p.holds(info)).collect();
        parts.sort_by_key(|p| std::cmp::Reverse(p.rank()));
        let first = |name: &str| parts.iter().find_map(|p| p.field(name)).map(|f| f.value.clone());
        Treatment {
            lr: first("lr"),
            weight_decay: first("weight_decay").and_then(|c| c.number()),
            frozen: first("frozen").filter(|c| *c != Constant::Flag(false)),
        }
    }

    /// True for a weight that is never trained: of a frozen model, of one that follows another, or of a part that is frozen for all of the run.
    pub fn stays(&self, weight: usize) -> bool {
        let model = self.weights.get(weight).and_then(|w| self.models.get(w.model));
        model.is_none_or(|m| !m.trains()) || self.treatment(weight).is_frozen()
    }
}
