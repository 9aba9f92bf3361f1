//! What a loss draws together: pairs of values that are compared, found in the graph of values, so that
//! `mean(abs(a - b))` is what `l1(a, b)` is.
//!
//! From each loss the walk goes down with the way in which a value should change: `distance(a, b)` that should fall
//! draws `a` and `b` together, and one that should grow, as behind `margin - …`, drives them apart.

use std::collections::{BTreeMap, HashSet};

use super::Checker;
use super::lineage::Lineage;
use crate::range::Range;
use crate::typed::{Apply, ValueId, ValueSource};
use crate::types::Kind;
use crate::vocabulary::{Combines, Compares};

/// How a loss becomes less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// This value falls.
    Down,
    /// This value grows.
    Up,
    /// This value comes near 0.
    Zero,
    /// This value moves away from 0.
    Away,
    /// It depends.
    Either,
}

impl Way {
    /// Through something that falls as this grows.
    fn turned(self) -> Way {
        match self {
            Way::Down => Way::Up,
            Way::Up => Way::Down,
            other => other,
        }
    }

    /// Through a product with numbers of this range.
    fn times(self, factor: Range) -> Way {
        match self {
            Way::Zero | Way::Away | Way::Either => self,
            _ if factor.not_negative() => self,
            _ if factor.not_positive() => self.turned(),
            _ => Way::Either,
        }
    }

    /// Of numbers in this range, where the loss follows their size.
    fn of_size(self, range: Range) -> Way {
        match self {
            // What is 0 whatever its parts are, as `a - a` is, is still made of them.
            Way::Down if range == Range::at(0.0) => Way::Zero,
            _ if range.not_negative() => self,
            _ if range.not_positive() => self.turned(),
            Way::Down | Way::Zero => Way::Zero,
            Way::Up | Way::Away => Way::Away,
            Way::Either => Way::Either,
        }
    }
}

/// Two values that are compared.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The value that compares them.
    pub made: ValueId,
    /// The two.
    pub of: (ValueId, ValueId),
    /// True where it grows with how alike they are, false where it grows with how different.
    pub likeness: bool,
    /// True where everything in the one is compared with everything in the other.
    pub table: bool,
    /// Every way in which a loss is led here.
    pub ways: Vec<Way>,
    /// True where a mask chooses what counts, wherever it is led from.
    pub masked: bool,
}

impl Pair {
    /// True for the square of a value that is drawn to 0, which holds nothing: there all values are alike.
    pub fn shrinks(&self, lineage: &Lineage) -> bool {
        let toward = |way: &Way| matches!(way, Way::Down | Way::Zero);
        self.likeness && lineage.same(self.of.0, self.of.1) && self.ways.iter().all(toward)
    }

    /// True where all that is asked of the two is that they agree.
    pub fn attracts(&self) -> bool {
        match self.likeness {
            true => self.ways.iter().all(|w| *w == Way::Up),
            false => self.ways.iter().all(|w| matches!(w, Way::Down | Way::Zero)),
        }
    }
}

/// A place of the walk: a value, the way, and whether a mask was passed.
type At = (ValueId, Way, bool);

impl Checker<'_> {
    /// True for a value that becomes less only as what it compares comes together, labels included.
    pub(super) fn draws_together(&self, id: ValueId) -> bool {
        let lineage = self.lineage();
        let mut pairs = self.pairs_of(&[id], &lineage, true);
        // Squares and norms compare nothing.
        pairs.retain(|pair| !lineage.same(pair.of.0, pair.of.1));
        let positive = |pair: &Pair| self.range_of(pair.of.0).not_negative() && self.range_of(pair.of.1).not_negative();
        pairs.retain(|pair| pair.attracts() || !(pair.likeness && positive(pair)));
        !pairs.is_empty() && pairs.iter().all(Pair::attracts)
    }

    /// Every pair that is compared on the way to these values, each of which should become less.
    pub(super) fn pairs(&self, roots: &[ValueId], lineage: &Lineage) -> Vec<Pair> {
        self.pairs_of(roots, lineage, false)
    }

    /// The same; `widely` also where one factor of a product is data.
    fn pairs_of(&self, roots: &[ValueId], lineage: &Lineage, widely: bool) -> Vec<Pair> {
        let mut found: BTreeMap<ValueId, Pair> = BTreeMap::new();
        let mut open: Vec<At> = roots.iter().map(|root| (*root, Way::Down, false)).collect();
        let mut seen = HashSet::new();
        while let Some((id, way, masked)) = open.pop() {
            if !seen.insert((id, way, masked)) {
                continue;
            }
            match self.value(id).map(|v| &v.source) {
                Some(ValueSource::Alias(of)) => open.push((*of, way, masked)),
                Some(ValueSource::Apply(apply)) => {
                    self.step((id, way, masked), apply, (lineage, widely), &mut open, &mut found)
                }
                _ => {}
            }
        }
        self.without_weights(&mut found, lineage);
        found.into_values().collect()
    }

    /// Drops products of which a factor is made of comparisons itself: there the other one weighs it, as a reliability does.
    fn without_weights(&self, found: &mut BTreeMap<ValueId, Pair>, lineage: &Lineage) {
        let mut compared = HashSet::new();
        let two = |pair: &Pair| !lineage.same(pair.of.0, pair.of.1);
        for at in 0..self.logs.values.len() {
            let id = ValueId(at as u32);
            if found.get(&id).is_some_and(two) || self.inputs(id).iter().any(|i| compared.contains(i)) {
                compared.insert(id);
            }
        }
        found.retain(|id, pair| {
            let product = self.combines(*id) == Combines::Product && pair.likeness;
            !product || !compared.contains(&pair.of.0) && !compared.contains(&pair.of.1)
        });
    }

    /// What is below one operation, and the pair that it is.
    fn step(
        &self,
        (id, way, masked): At,
        apply: &Apply,
        (lineage, widely): (&Lineage, bool),
        open: &mut Vec<At>,
        found: &mut BTreeMap<ValueId, Pair>,
    ) {
        let Some(operation) = self.vocabulary.operation(apply.op) else { return };
        let (facts, graph) = (operation.entry.lints, operation.entry.graph);
        if graph.stops_gradient || !apply.weights.is_empty() {
            return;
        }
        let input = |name: &str| apply.inputs.iter().find(|(n, _)| *n == name).map(|(_, id)| *id);
        let has_mask = input("mask").is_some_and(|m| lineage.data(m) || lineage.models(m));
        let mut pair = |a: ValueId, b: ValueId, likeness: bool, table: bool| {
            let masked = masked || has_mask;
            let new = Pair { made: id, of: (a, b), likeness, table, ways: vec![], masked: true };
            let pair = found.entry(id).or_insert(new);
            pair.masked &= masked;
            if !pair.ways.contains(&way) {
                pair.ways.push(way);
            }
        };
        let compared = match facts.compares {
            Compares::Nothing => None,
            Compares::Distance(a, b) => Some((a, b, false, false)),
            Compares::Distances(a, b) => Some((a, b, false, true)),
            Compares::Likeness(a, b) => Some((a, b, true, false)),
            Compares::Likenesses(a, b) => Some((a, b, true, true)),
        };
        if let Some((a, b, likeness, table)) = compared {
            if let (Some(a), Some(b)) = (input(a), input(b)) {
                pair(a, b, likeness, table);
            }
            return;
        }
        match (facts.combines, input("a"), input("b")) {
            (Combines::Sum, Some(a), Some(b)) => {
                let either = |other: ValueId| match way {
                    Way::Zero | Way::Away if self.range_of(other) == Range::at(0.0) => way,
                    // The sum of what is not negative is 0 where both are.
                    Way::Zero if self.range_of(a).not_negative() && self.range_of(b).not_negative() => Way::Down,
                    Way::Zero | Way::Away => Way::Either,
                    other => other,
                };
                open.extend([(a, either(b), masked), (b, either(a), masked)]);
            }
            (Combines::Difference, Some(a), Some(b)) => match way {
                Way::Zero | Way::Away if self.range_of(a) == Range::at(0.0) => open.push((b, way, masked)),
                Way::Zero | Way::Away if self.range_of(b) == Range::at(0.0) => open.push((a, way, masked)),
                Way::Zero | Way::Away => pair(a, b, false, false),
                _ => open.extend([(a, way, masked), (b, way.turned(), masked)]),
            },
            (Combines::Product, Some(a), Some(b)) if lineage.same(a, b) => {
                let below = way.of_size(self.range_of(a));
                if lineage.models(a) {
                    pair(a, b, true, false);
                }
                open.push((a, below, masked));
            }
            (Combines::Product, Some(a), Some(b)) if self.divergence(a, b, lineage).is_some() => {
                if let Some(other) = self.divergence(a, b, lineage) {
                    pair(a, other, false, false);
                }
            }
            (Combines::Product, Some(a), Some(b)) if self.divergence(b, a, lineage).is_some() => {
                if let Some(other) = self.divergence(b, a, lineage) {
                    pair(b, other, false, false);
                }
            }
            (Combines::Products, Some(a), Some(b)) => {
                if lineage.models(a) && lineage.models(b) {
                    pair(a, b, true, true);
                }
                open.push((a, way.times(self.range_of(b)), masked));
                open.push((b, way.times(self.range_of(a)), masked));
            }
            (Combines::Product, Some(a), Some(b)) => {
                let number = |id: ValueId| self.value(id).is_some_and(|v| v.ty.kind.is(Kind::Scalar));
                let wide = widely && !number(a) && !number(b);
                if wide || lineage.models(a) && lineage.models(b) {
                    pair(a, b, true, false);
                }
                open.push((a, way.times(self.range_of(b)), masked || self.chooses(b, lineage)));
                open.push((b, way.times(self.range_of(a)), masked || self.chooses(a, lineage)));
            }
            (Combines::Quotient, Some(a), Some(b)) => {
                open.push((a, way.times(self.range_of(b)), masked));
                let divisor = match way {
                    Way::Zero => Way::Either,
                    way => way.turned().times(self.range_of(a)),
                };
                open.push((b, divisor, masked));
            }
            _ => {
                for (name, input) in &apply.inputs {
                    let place = self.is_place(*input) && !self.is_offset(*input);
                    if facts.lends.contains(name) || graph.shape_only.contains(name) || place {
                        continue;
                    }
                    let below = match way {
                        _ if facts.drops_sign => way.of_size(self.range_of(*input)),
                        Way::Zero | Way::Away if !facts.keeps_zero => Way::Either,
                        way if facts.rises.contains(name) => way,
                        _ => Way::Either,
                    };
                    open.push((*input, below, masked || has_mask));
                }
            }
        }
    }

    /// True for a factor that chooses which numbers count: it comes from data or from a view's border, not from a
    /// model, and it lies in 0 to 1.
    fn chooses(&self, id: ValueId, lineage: &Lineage) -> bool {
        self.range_of(id).within(Range::UNIT) && !lineage.models(id) && lineage.data(id)
    }

    /// `q` of `p·(log p - log q)` or `p·log(p / q)`, where p is not negative: a divergence, least where both agree.
    fn divergence(&self, p: ValueId, less: ValueId, lineage: &Lineage) -> Option<ValueId> {
        let (op, inputs) = (self.combines(less), self.inputs(less));
        let logarithm = |id: ValueId| {
            let operation = self.apply_of(id).and_then(|a| self.vocabulary.operation(a.op));
            operation.is_some_and(|o| o.entry.lints.logarithm)
        };
        if !self.range_of(p).not_negative() || !lineage.models(p) {
            return None;
        }
        match (op, inputs.as_slice()) {
            (Combines::Difference, [a, b]) if logarithm(*a) && logarithm(*b) => Some(*b),
            (Combines::Nothing, [x, ..]) if logarithm(less) => match (self.combines(*x), self.inputs(*x).as_slice()) {
                (Combines::Quotient, [a, b]) if lineage.same(*a, p) => Some(*b),
                _ => None,
            },
            (Combines::Nothing, [of]) if self.apply_of(less).is_none() => self.divergence(p, *of, lineage),
            _ => None,
        }
    }

    /// What an operation makes of its arguments `a` and `b`.
    pub(super) fn combines(&self, id: ValueId) -> Combines {
        let operation = self.apply_of(id).and_then(|a| self.vocabulary.operation(a.op));
        operation.map_or(Combines::Nothing, |o| o.entry.lints.combines)
    }

    fn is_offset(&self, id: ValueId) -> bool {
        self.value(id).is_some_and(|v| v.ty.kind == Kind::Offsets)
    }

    /// True for where things lie, which is not what they are.
    pub(super) fn is_place(&self, id: ValueId) -> bool {
        self.value(id).is_some_and(|v| v.ty.kind == Kind::Homography || v.ty.kind.is_placed())
    }
}
