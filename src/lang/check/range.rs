//! Where the numbers of each value lie: of its kind, of its operation, of the formula it stands in.
//!
//! `0.9 * t + 0.05` of a label is a `Prob` for that, and so are `(p + q) / 2`, `1 - p` and `m * p + (1 - m) * q`.

use super::Checker;
use crate::constant::Constant;
use crate::range::Range;
use crate::typed::{Apply, ValueId, ValueSource};
use crate::types::{Kind, Type};
use crate::vocabulary::Ranges;

/// What is known of a value's numbers.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// Where they lie.
    pub range: Range,
    /// True where no vector of it is longer than 1.
    pub short: bool,
}

/// Where all numbers of a kind lie.
fn of_kind(kind: Kind) -> Range {
    match kind {
        k if k.is(Kind::Prob) => Range::UNIT,
        k if k == Kind::Dist || k.is(Kind::Weight) => Range::POSITIVE,
        _ => Range::ALL,
    }
}

impl Checker<'_> {
    /// Where the numbers of a value lie.
    pub(super) fn range_of(&self, id: ValueId) -> Range {
        self.logs.bounds.get(id.0 as usize).map_or(Range::ALL, |b| b.range)
    }

    fn short(&self, id: ValueId) -> bool {
        self.logs.bounds.get(id.0 as usize).is_some_and(|b| b.short)
    }

    /// What is known of the numbers of a value that is about to be listed.
    pub(super) fn bounds(&self, source: &ValueSource, ty: &Type) -> Bounds {
        let (range, short) = match source {
            ValueSource::Number(x) => (Range::at(*x), false),
            ValueSource::Alias(of) => (self.range_of(*of), self.short(*of)),
            ValueSource::Apply(apply) => self.range_of_operation(apply),
            ValueSource::Timed(timed) => {
                let all = Constant::Timed(Box::new(timed.clone())).on_the_way();
                let numbers = all.iter().filter_map(Constant::number).map(Range::at);
                (numbers.reduce(Range::hull).unwrap_or(Range::ALL), false)
            }
            ValueSource::Field { .. } | ValueSource::Weight(_) | ValueSource::Parameter => (Range::ALL, false),
        };
        Bounds { range: range.and(of_kind(ty.kind)), short: short || ty.unit }
    }

    /// True for values that are computed alike, as far as one looks a few steps down.
    pub(super) fn alike(&self, a: ValueId, b: ValueId, steps: u32) -> bool {
        let computed = |id: ValueId| match self.value(id).map(|v| &v.source) {
            Some(ValueSource::Number(x)) => Some((None, Some(x.to_bits()))),
            Some(ValueSource::Apply(apply)) if apply.stream == 0 => Some((Some(apply), None)),
            _ => None,
        };
        a == b
            || steps > 0
                && match (computed(a), computed(b)) {
                    (Some((None, x)), Some((None, y))) => x == y,
                    (Some((Some(x), _)), Some((Some(y), _))) => {
                        let twins = x.inputs.iter().zip(&y.inputs);
                        x.op == y.op
                            && x.settings == y.settings
                            && x.weights == y.weights
                            && x.inputs.len() == y.inputs.len()
                            && twins.into_iter().all(|((p, a), (q, b))| p == q && self.alike(*a, *b, steps - 1))
                    }
                    _ => false,
                }
    }

    /// The type of a value that is about to be listed: a map whose numbers lie in 0 to 1 is one of probabilities.
    pub(super) fn narrowed(source: &ValueSource, ty: Type, bounds: &Bounds) -> Type {
        let computed = ty.kind == Kind::Map && matches!(source, ValueSource::Apply(_));
        if computed && bounds.range.within(Range::UNIT) { Type { kind: Kind::Prob, ..ty } } else { ty }
    }

    fn range_of_operation(&self, apply: &Apply) -> (Range, bool) {
        let input = |name: &str| apply.inputs.iter().find(|(n, _)| *n == name).map(|(_, id)| *id);
        if let (Some(a), Some(b)) = (input("a"), input("b"))
            && let Some(range) = self.range_of_operator(apply.op, a, b)
        {
            return (range, false);
        }
        let Some(facts) = self.vocabulary.operation(apply.op).map(|o| o.entry.lints) else {
            return (Range::ALL, false);
        };
        let range = (facts.range)(&Ranges {
            tensor: &|name| input(name).map(|id| self.range_of(id)),
            short: &|name| input(name).is_some_and(|id| self.short(id)),
            settings: &apply.settings,
        });
        (range, facts.averages.and_then(input).is_some_and(|id| self.short(id)))
    }

    /// Where the numbers of `a op b` lie, for an operator that computes.
    fn range_of_operator(&self, op: &str, a: ValueId, b: ValueId) -> Option<Range> {
        let (x, y) = (self.range_of(a), self.range_of(b));
        let apart = match op {
            "add" => x.plus(y),
            "sub" => x.minus(y),
            "mul" if a == b => x.squared(),
            "mul" => x.times(y),
            "div" => x.over(y),
            _ => return None,
        };
        Some(apart.and(self.at_corners(op, a, b).unwrap_or(Range::ALL)))
    }
}
