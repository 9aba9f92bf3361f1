//! What holds each loss in place: a comparison of a network with itself alone is least where the network says the same
//! everywhere, unless something else keeps it from that.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Checker;
use super::lineage::Lineage;
use super::pulls::Pair;
use crate::axis::Axis;
use crate::report::grads::{self, Loose, Side};
use crate::source::Span;
use crate::typed::{Output, ValueId, ValueSource};
use crate::types::Kind;
use crate::vocabulary::Combines;

/// Trained weights, by number.
type Weights = BTreeSet<usize>;

impl Checker<'_> {
    /// Losses that draw a network to itself only, of weights that nothing else holds.
    pub(super) fn unanchored(&mut self, objective: ValueId) {
        let lineage = self.lineage();
        let pairs = self.pairs(&[objective], &lineage);
        let mut anchors = HashMap::new();
        let loose: HashMap<ValueId, Pair> = pairs
            .iter()
            .filter(|pair| {
                let places = self.is_place(pair.of.0) || self.is_place(pair.of.1);
                let apart = !places && !lineage.same(pair.of.0, pair.of.1);
                pair.attracts() && apart && self.is_loose(pair, &lineage, &mut anchors)
            })
            .map(|pair| (pair.made, pair.clone()))
            .collect();
        let held = self.held(objective, &pairs, &loose, &lineage);
        let mut sorted: Vec<&Pair> = loose.values().collect();
        sorted.sort_by_key(|pair| pair.made);
        let mut reported: Vec<Span> = Vec::new();
        for pair in sorted {
            let (a, b) = (self.learning(pair.of.0), self.learning(pair.of.1));
            if a.union(&b).all(|w| held.contains(w)) {
                continue;
            }
            let loss = self.loss_of(pair.made);
            let Some((loss, span)) = loss.zip(self.value(pair.made).map(|v| v.span)) else { continue };
            if reported.contains(&loss.span) {
                continue;
            }
            reported.push(loss.span);
            let holder = |weights: &Weights| {
                let all = !weights.is_empty() && weights.iter().all(|w| held.contains(w));
                all.then(|| self.holder(weights, &loose, &loss.name))
            };
            let side = |id: ValueId, weights: &Weights| Side {
                written: self.written(id),
                models: self.models_of(weights),
                holder: holder(weights),
            };
            let ty = self.value(pair.of.0).map(|v| &v.ty);
            let kind = ty.map_or(Kind::Values, |ty| ty.kind);
            let map = self.is_map(pair.of.0);
            let report = grads::unanchored(&Loose {
                span,
                loss: &loss.name,
                sides: [side(pair.of.0, &a), side(pair.of.1, &b)],
                silent: !pair.likeness && map && kind != Kind::Desc,
                vectors: ty.is_some_and(|ty| ty.axes.contains(&Axis::Item)) || kind == Kind::Desc,
            });
            self.lint("unanchored", loss.span, report);
        }
    }

    /// The loss that a value is part of, or the objective.
    pub(super) fn loss_of(&self, id: ValueId) -> Option<Output> {
        let part = |l: &&Output| self.below(l.value, |_| true).contains(&id);
        self.out
            .losses
            .iter()
            .find(part)
            .cloned()
            .or_else(|| self.out.objectives.iter().map(|o| &o.output).find(part).cloned())
    }

    /// True where nothing but the two sides themselves says what they should be.
    fn is_loose(&self, pair: &Pair, lineage: &Lineage, anchors: &mut HashMap<ValueId, bool>) -> bool {
        let (a, b) = pair.of;
        let models = lineage.models(a) || lineage.models(b);
        if !models || self.anchored(a, lineage, anchors) || self.anchored(b, lineage, anchors) {
            return false;
        }
        let (learns, other) = (self.learning(a), self.learning(b));
        if learns.is_empty() && other.is_empty() {
            return false;
        }
        // What no gradient reaches is a target. That of another network stands still; that of the same network moves
        // along, unless what learns has layers of its own before the comparison.
        let stands = |target: ValueId, target_learns: &Weights, learner: &Weights| {
            let behind = self.weights_through(target);
            target_learns.is_empty()
                && (behind.is_empty() || behind.is_disjoint(learner) || !learner.is_subset(&behind))
        };
        !stands(a, &learns, &other) && !stands(b, &other, &learns)
    }

    /// The trained weights below the numbers of a value, through `detach` too, and not where it lies or what it has the
    /// shape of; of a model that follows another, those that its own
    /// follow.
    fn weights_through(&self, from: ValueId) -> Weights {
        let (mut below, mut open) = (HashSet::new(), vec![from]);
        while let Some(id) = open.pop() {
            if !self.is_place(id) && below.insert(id) {
                open.extend(self.numbers_in(id));
            }
        }
        let weights: Weights = below.into_iter().flat_map(|id| self.weights_of(id)).collect();
        let followed = |w: &usize| {
            let (own, weight) = (self.model_of(*w)?, self.out.weights.get(*w)?);
            let of = self.out.models.get(own.follows.as_ref()?.model)?;
            let name = format!("{}{}", of.name, weight.name.strip_prefix(&own.name)?);
            self.out.weights.iter().position(|w| w.name == name)
        };
        let of_followed: Vec<usize> = weights.iter().filter_map(followed).collect();
        weights.into_iter().chain(of_followed).filter(|w| self.trains(*w)).collect()
    }

    /// The trained weights that a gradient from a value reaches.
    fn learning(&self, from: ValueId) -> Weights {
        self.weights_below(from, |id| !self.apply_of(id).is_some_and(|a| self.stops_gradient(a.op)))
    }

    /// True where a side of a comparison comes from data: an image or a label that no trainable network has passed.
    fn anchored(&self, id: ValueId, lineage: &Lineage, known: &mut HashMap<ValueId, bool>) -> bool {
        let product = |c: Combines| matches!(c, Combines::Product | Combines::Products | Combines::Quotient);
        let mut open = vec![(id, false)];
        while let Some((id, ready)) = open.pop() {
            if known.contains_key(&id) {
                continue;
            }
            let below = self.numbers_in(id);
            // What follows a trained model ends where that does.
            let trained = self.weights_of(id).into_iter().any(|w| self.moves(w));
            // Where things lie is not what they are: a homography made from an image anchors nothing.
            if trained || self.is_place(id) {
                known.insert(id, false);
            } else if !ready {
                open.push((id, true));
                open.extend(below.into_iter().map(|i| (i, false)));
            } else {
                let held = |i: &ValueId| known.get(i).copied().unwrap_or(false);
                let is = match self.value(id).map(|v| (&v.source, v.ty.kind)) {
                    Some((ValueSource::Field { .. }, kind)) => kind.is(Kind::Values),
                    // A product is 0 where one of its factors is.
                    Some((ValueSource::Apply(_), _)) if product(self.combines(id)) => {
                        let free = |i: &ValueId| !held(i) && lineage.models(*i);
                        below.iter().any(held) && !below.iter().any(free)
                    }
                    Some((ValueSource::Apply(a), _)) => {
                        a.weights.iter().any(|(_, w)| self.is_frozen(*w)) || below.iter().any(held)
                    }
                    _ => below.iter().any(held),
                };
                known.insert(id, is);
            }
        }
        known.get(&id).copied().unwrap_or(false)
    }

    /// The trained weights that something else than a loose comparison has a say in.
    fn held(&self, objective: ValueId, pairs: &[Pair], loose: &HashMap<ValueId, Pair>, lineage: &Lineage) -> Weights {
        // A product of what is not negative, as in a norm, compares nothing by itself.
        let drives = |pair: &&Pair| {
            !loose.contains_key(&pair.made)
                && !lineage.same(pair.of.0, pair.of.1)
                && (!pair.likeness
                    || !self.range_of(pair.of.0).not_negative()
                    || !self.range_of(pair.of.1).not_negative())
        };
        let driven: HashSet<ValueId> = pairs.iter().filter(drives).map(|pair| pair.made).collect();
        // What is drawn to 0 holds nothing, unless it is made of what is compared.
        let alone = |pair: &&Pair| !self.below(pair.of.0, |_| true).iter().any(|id| driven.contains(id));
        let shrinking = pairs.iter().filter(|p| p.shrinks(lineage)).filter(alone);
        let shrinking: HashSet<ValueId> = shrinking.map(|pair| pair.made).collect();
        let (mut has_loose, mut has_driven) = (HashSet::new(), HashSet::new());
        for id in self.below(objective, |id| !loose.contains_key(&id)) {
            let below = self.inputs(id);
            if loose.contains_key(&id) || below.iter().any(|i| has_loose.contains(i)) {
                has_loose.insert(id);
            }
            if driven.contains(&id) || below.iter().any(|i| has_driven.contains(i)) {
                has_driven.insert(id);
            }
        }
        let (mut seen, mut open, mut held) = (HashSet::new(), vec![objective], Weights::new());
        while let Some(id) = open.pop() {
            if !seen.insert(id) || loose.contains_key(&id) || shrinking.contains(&id) {
                continue;
            }
            held.extend(self.weights_of(id).into_iter().filter(|w| self.trains(*w)));
            if self.apply_of(id).is_some_and(|apply| self.stops_gradient(apply.op)) {
                continue;
            }
            let inputs = self.numbers_in(id);
            // What a comparison is multiplied or divided by scales it, and holds nothing.
            match (self.combines(id), inputs.as_slice()) {
                (Combines::Product | Combines::Products | Combines::Quotient, [a, b])
                    if has_loose.contains(a) && !has_loose.contains(b) && !has_driven.contains(b) =>
                {
                    open.push(*a);
                }
                (Combines::Product | Combines::Products, [a, b])
                    if has_loose.contains(b) && !has_loose.contains(a) && !has_driven.contains(a) =>
                {
                    open.push(*b);
                }
                (Combines::Quotient, [a, b]) if has_loose.contains(a) && !has_driven.contains(b) => open.push(*a),
                _ => open.extend(inputs),
            }
        }
        held
    }

    /// The loss that holds some weights: one that reaches them by another path than a loose comparison.
    fn holder(&self, weights: &Weights, loose: &HashMap<ValueId, Pair>, but: &str) -> String {
        let holds = |l: &&Output| {
            let reached = self.weights_below(l.value, |id| !loose.contains_key(&id));
            l.name != but && weights.iter().any(|w| reached.contains(w))
        };
        self.out.losses.iter().find(holds).map(|l| l.name.clone()).unwrap_or_default()
    }

    /// The models that weights belong to.
    fn models_of(&self, weights: &Weights) -> Vec<String> {
        let model = |w: &usize| self.out.weights.get(*w).map(|w| w.model);
        let models: BTreeSet<usize> = weights.iter().filter_map(model).collect();
        models.into_iter().filter_map(|m| self.out.models.get(m)).map(|m| m.name.clone()).collect()
    }

    /// Comparisons of a value with itself, in all that is computed.
    pub(super) fn compared_with_itself(&mut self, roots: &[ValueId], lineage: &Lineage) {
        let mut said = HashSet::new();
        for pair in self.pairs(roots, lineage) {
            let (a, b) = pair.of;
            let alike = !pair.likeness && !pair.table && lineage.same(a, b);
            let Some(span) = self.value(pair.made).map(|v| v.span).filter(|span| alike && said.insert(*span)) else {
                continue;
            };
            let written = self.name_of(a).or(self.name_of(b)).unwrap_or_else(|| self.written(a));
            self.lint("itself", span, grads::with_itself(span, &written));
        }
    }
}
