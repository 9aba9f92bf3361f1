//! Where the numbers of a formula lie in which a value stands more than once: `m * p + (1 - m) * q` of probabilities lies
//! in 0 to 1, and so do `p + q - p * q` and `t * p + (1 - t) * (1 - p)`.
//!
//! Such a formula is a sum of products with no value twice in one of them. With all others held, it is a straight line in
//! each value, so its ends are reached where every value is at an end of its own range.

use super::Checker;
use crate::range::Range;
use crate::typed::{ValueId, ValueSource};

/// Values that a formula may be made of: of n, two to the power of n corners are looked at.
const VALUES: usize = 6;
/// How deep a formula is looked into.
const DEPTH: u32 = 12;
/// How many parts it may have.
const PARTS: usize = 64;

/// A formula, as far as it is straight in each value.
enum Formula {
    /// A number.
    Number(f64),
    /// A value, by its place among all of them.
    Value(usize),
    /// `a + factor·b`.
    Sum(Box<Formula>, f64, Box<Formula>),
    /// `a·b`, of which none of the values is in both.
    Product(Box<Formula>, Box<Formula>),
}

impl Formula {
    /// What it is with each value at its lower or upper end, by the bits of `corner`.
    fn at(&self, corner: usize, values: &[(ValueId, Range)]) -> f64 {
        match self {
            Formula::Number(x) => *x,
            Formula::Value(i) => {
                values.get(*i).map_or(f64::NAN, |(_, r)| if corner >> i & 1 == 1 { r.high } else { r.low })
            }
            Formula::Sum(a, factor, b) => a.at(corner, values) + factor * b.at(corner, values),
            Formula::Product(a, b) => a.at(corner, values) * b.at(corner, values),
        }
    }

    /// Which values it has, as bits.
    fn values(&self) -> usize {
        match self {
            Formula::Number(_) => 0,
            Formula::Value(i) => 1 << i,
            Formula::Sum(a, _, b) | Formula::Product(a, b) => a.values() | b.values(),
        }
    }
}

/// What was found on the way.
struct Found {
    values: Vec<(ValueId, Range)>,
    parts: usize,
    /// True where a value was met once more.
    again: bool,
}

impl Checker<'_> {
    /// Where the numbers of `a op b` lie, if some value stands in it more than once; `None` where no more is known than
    /// from both sides on their own.
    pub(super) fn at_corners(&self, op: &str, a: ValueId, b: ValueId) -> Option<Range> {
        let mut found = Found { values: vec![], parts: 0, again: false };
        let formula = self.operator(op, (a, b), &mut found, DEPTH)?;
        if !found.again {
            return None;
        }
        let corners = (0..1usize << found.values.len()).map(|corner| formula.at(corner, &found.values));
        corners.map(Range::at).reduce(Range::hull)
    }

    fn operator(&self, op: &str, (a, b): (ValueId, ValueId), found: &mut Found, depth: u32) -> Option<Formula> {
        let (x, y) = (self.formula(a, found, depth)?, self.formula(b, found, depth)?);
        Some(match (op, &y) {
            ("add", _) => Formula::Sum(Box::new(x), 1.0, Box::new(y)),
            ("sub", _) => Formula::Sum(Box::new(x), -1.0, Box::new(y)),
            ("mul", _) if x.values() & y.values() == 0 => Formula::Product(Box::new(x), Box::new(y)),
            ("div", Formula::Number(n)) if *n != 0.0 => {
                Formula::Product(Box::new(x), Box::new(Formula::Number(1.0 / n)))
            }
            _ => return None,
        })
    }

    fn formula(&self, id: ValueId, found: &mut Found, depth: u32) -> Option<Formula> {
        found.parts += 1;
        if found.parts > PARTS {
            return None;
        }
        let deeper = depth.checked_sub(1);
        match (self.value(id).map(|v| &v.source)?, deeper) {
            (ValueSource::Number(x), _) => return Some(Formula::Number(*x)),
            (ValueSource::Alias(of), Some(deeper)) => return self.formula(*of, found, deeper),
            (ValueSource::Apply(apply), Some(deeper)) => {
                let facts = self.vocabulary.operation(apply.op).map(|o| o.entry.lints);
                let before = (found.values.len(), found.again);
                let inner = match apply.inputs.as_slice() {
                    [(_, x)] if facts.is_some_and(|f| f.keeps_positive) && self.range_of(*x).not_negative() => {
                        self.formula(*x, found, deeper)
                    }
                    [(_, a), (_, b)] => self.operator(apply.op, (*a, *b), found, deeper),
                    _ => None,
                };
                if inner.is_some() {
                    return inner;
                }
                // It is one value then.
                found.values.truncate(before.0);
                found.again = before.1;
            }
            _ => {}
        }
        let range = self.range_of(id);
        if let Some(at) = found.values.iter().position(|(other, _)| self.alike(*other, id, 8)) {
            found.again = true;
            return Some(Formula::Value(at));
        }
        let bounded = range.low.is_finite() && range.high.is_finite() && found.values.len() < VALUES;
        bounded.then(|| {
            found.values.push((id, range));
            Formula::Value(found.values.len() - 1)
        })
    }
}
