//! A call as an operation's rule sees it.

use std::collections::HashMap;

use crate::axis::{Axis, axes};
use crate::constant::Constant;
use crate::dim::Dim;
use crate::report::Report;
use crate::source::Span;
use crate::typed::Initial;
use crate::types::Type;

/// The setting that holds the positions of the axes that go, or that are worked along. No user writes it.
pub const POSITIONS: &str = "axes";

/// A weight that a call makes.
#[derive(Clone, Debug)]
pub struct NewWeight {
    /// Its role: `weight`, `bias`.
    pub role: &'static str,
    /// Its shape; unknown sizes are `None`.
    pub shape: Vec<Option<i64>>,
    /// How it begins.
    pub initial: Initial,
}

/// One argument as a rule sees it.
#[derive(Clone)]
pub struct RuleArg {
    /// The parameter.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// Its value, where that is known before the run.
    pub constant: Option<Constant>,
    /// Its value as a size, where it is a count that has only a name.
    pub size: Option<Dim>,
    /// Where it was written.
    pub span: Span,
    /// What was written there.
    pub text: String,
}

impl RuleArg {
    /// The arguments as their numbers that change go from end to end; once where none does.
    pub fn on_the_way(args: &[RuleArg]) -> Vec<Vec<RuleArg>> {
        let constants = args.iter().map(|a| a.constant.clone().unwrap_or(Constant::None)).collect();
        let all = Constant::List(constants).on_the_way().into_iter().filter_map(|list| match list {
            Constant::List(items) => Some(items),
            _ => None,
        });
        let one = |items: Vec<Constant>| {
            let put = |(arg, constant): (&RuleArg, Constant)| RuleArg {
                constant: arg.constant.is_some().then_some(constant),
                ..arg.clone()
            };
            args.iter().zip(items).map(put).collect()
        };
        all.map(one).collect()
    }
}

/// A call as a rule sees it: its arguments, and its result to be completed.
pub struct Application<'a> {
    /// The operation's name.
    pub name: &'static str,
    /// The call.
    pub span: Span,
    /// The arguments that were given or have a default.
    pub args: &'a [RuleArg],
    /// The result's type, as the signature gives it.
    pub result: Type,
    /// The turns of the fields among the arguments, which are maps here, and of the result. A rule may give it some.
    pub turns: Option<Dim>,
    /// The weights it makes.
    pub weights: Vec<NewWeight>,
    /// Sizes that must divide: what, by how much.
    pub owes: Vec<(Dim, i64)>,
    /// Further settings that the operation receives, derived from the arguments: which axes go.
    pub settings: Vec<(&'static str, Constant)>,
    /// Tensor arguments that are to be given with these axes, of size 1 where they have none of their own.
    pub aligned: Vec<(&'static str, Vec<Axis>)>,
    /// The result, where it is a size: a number that is known before the run if the size is.
    pub count: Option<Dim>,
    /// What is wrong.
    pub reports: Vec<Report>,
    /// A fresh size about which nothing is known.
    pub unknown: &'a mut dyn FnMut(&str) -> Dim,
    /// The values of sizes, where they are known.
    pub sizes: &'a HashMap<u32, i64>,
}

impl Application<'_> {
    /// An argument.
    pub fn arg(&self, name: &str) -> Option<&RuleArg> {
        self.args.iter().find(|a| a.name == name)
    }

    /// The type of a tensor argument.
    pub fn ty(&self, name: &str) -> Option<&Type> {
        self.arg(name).map(|a| &a.ty).filter(|t| t.kind.is_tensor())
    }

    /// The number of a constant argument; `None` where it is not known yet.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.arg(name)?.constant.as_ref()?.number()
    }

    /// The whole number of a constant argument; `None` where it is not known yet.
    pub fn count(&self, name: &str) -> Option<i64> {
        self.arg(name)?.constant.as_ref()?.count().and_then(|n| i64::try_from(n).ok())
    }

    /// The word of a constant argument.
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.arg(name)?.constant.as_ref()? {
            Constant::Word(w) | Constant::Text(w) => Some(w),
            _ => None,
        }
    }

    /// The axes that an argument names; `None` where it names none, or is not known yet.
    pub fn axes(&self, name: &str) -> Option<Vec<Axis>> {
        let word = |c: &Constant| if let Constant::Word(w) = c { Some(w.clone()) } else { None };
        let words: Vec<String> = match self.arg(name)?.constant.as_ref()? {
            Constant::List(items) => items.iter().filter_map(word).collect(),
            one => vec![word(one)?],
        };
        Some(axes(words.iter().map(String::as_str)))
    }

    /// True where an argument was given or has a default that is not `none`.
    pub fn has(&self, name: &str) -> bool {
        self.arg(name).is_some_and(|a| !matches!(a.constant, Some(Constant::None)))
    }

    /// A constant argument that is true; one that is not known yet is not.
    pub fn is_true(&self, name: &str) -> bool {
        matches!(self.arg(name).and_then(|a| a.constant.as_ref()), Some(Constant::Flag(true)))
    }

    /// A count as a size: a number, or its name.
    pub fn size(&mut self, name: &str) -> Dim {
        if let Some(n) = self.count(name) {
            return Dim::number(n);
        }
        match self.arg(name).and_then(|a| a.size.clone()) {
            Some(dim) => dim,
            None => (self.unknown)(name),
        }
    }

    /// The sizes of a tensor argument.
    pub fn dims(&self, name: &str) -> Vec<Dim> {
        self.ty(name).map(|t| t.dims.clone()).unwrap_or_default()
    }

    /// The result is of the same kind as an argument: a warped probability is a probability.
    pub fn keep_kind(&mut self, name: &str) {
        if let Some((kind, unit)) = self.ty(name).map(|t| (t.kind, t.unit)) {
            self.result.kind = kind;
            self.result.unit = unit;
        }
    }

    /// The result is of an argument's type altogether.
    pub fn keep_type(&mut self, name: &str) {
        if let Some(ty) = self.ty(name).cloned() {
            self.result = ty;
        }
    }

    /// `dim / by`, which is owed to be exact for a size that has a name, and rounded down for a number.
    pub fn divide(&mut self, dim: &Dim, by: i64) -> Dim {
        if let Some(n) = dim.as_number() {
            return Dim::number(if by > 0 { n / by } else { 0 });
        }
        if dim.is_opaque() {
            return (self.unknown)("?");
        }
        self.owes.push((dim.clone(), by));
        dim.over(by).unwrap_or_else(|| (self.unknown)("?"))
    }

    /// Adds a weight.
    pub fn weight(&mut self, role: &'static str, shape: &[Dim], initial: Initial) {
        let shape = shape.iter().map(|d| d.value(self.sizes).and_then(Result::ok)).collect();
        self.weights.push(NewWeight { role, shape, initial });
    }

    /// A size as a number, where it is one: written so, or the value that its symbols have here.
    pub fn known(&self, size: &Dim) -> Option<i64> {
        size.as_number().or_else(|| size.value(self.sizes)?.ok())
    }

    /// First values between ±1/√n, n being the numbers of one output of a weight of this shape, whose first axis is that of outputs.
    pub fn fan_in(&self, shape: &[Dim]) -> Initial {
        let each = shape.iter().skip(1).try_fold(1i64, |n, size| n.checked_mul(self.known(size)?));
        Initial::FanIn(each.and_then(|n| usize::try_from(n).ok()).unwrap_or(0))
    }

    /// Sets one size of the result.
    pub fn set_dim(&mut self, axis: usize, dim: Dim) {
        if let Some(slot) = self.result.dims.get_mut(axis) {
            *slot = dim;
        }
    }
}
