//! What every value of a pipeline stands on: whether it comes from models or from data, and which values are computed
//! alike.

use std::collections::HashMap;

use super::Checker;
use crate::typed::{ValueId, ValueSource};

/// Facts about every value, by its number.
pub struct Lineage {
    same: Vec<ValueId>,
    models: Vec<bool>,
    data: Vec<bool>,
}

impl Lineage {
    /// True for values that are computed alike: `a - b`, written twice, is one.
    pub fn same(&self, a: ValueId, b: ValueId) -> bool {
        self.first(a) == self.first(b)
    }

    /// The earliest value that is computed alike, or itself.
    fn first(&self, id: ValueId) -> ValueId {
        self.same.get(id.0 as usize).copied().unwrap_or(id)
    }

    /// True where a trained weight has a part in a value, be it through a `detach`.
    pub fn models(&self, id: ValueId) -> bool {
        self.models.get(id.0 as usize).copied().unwrap_or(false)
    }

    /// True where data or the border of a view has a part in a value.
    pub fn data(&self, id: ValueId) -> bool {
        self.data.get(id.0 as usize).copied().unwrap_or(false)
    }
}

impl Checker<'_> {
    /// The facts about all values so far, in one pass: a value stands behind what it uses.
    pub(super) fn lineage(&self) -> Lineage {
        let mut first: HashMap<String, ValueId> = HashMap::new();
        let mut lineage = Lineage { same: vec![], models: vec![], data: vec![] };
        for (at, value) in self.logs.values.iter().enumerate() {
            let id = ValueId(at as u32);
            let below = self.numbers_in(id);
            let apply = self.apply_of(id);
            let border = apply
                .and_then(|a| self.vocabulary.operation(a.op))
                .is_some_and(|operation| operation.entry.lints.shows_border);
            let models = self.weights_of(id).into_iter().any(|w| self.moves(w));
            let field = matches!(value.source, ValueSource::Field { .. });
            let (from_models, from_data) =
                (below.iter().any(|i| lineage.models(*i)), below.iter().any(|i| lineage.data(*i)));
            let key = match &value.source {
                ValueSource::Number(x) => Some(format!("{x:?}")),
                ValueSource::Weight(w) => Some(format!("weight {w}")),
                ValueSource::Apply(apply) => {
                    let inputs: Vec<_> = apply.inputs.iter().map(|(name, of)| (name, lineage.first(*of).0)).collect();
                    let (weights, settings) = (&apply.weights, &apply.settings);
                    Some(format!("{} {inputs:?} {weights:?} {settings:?} {}", apply.op, apply.stream))
                }
                _ => None,
            };
            let same = match &value.source {
                ValueSource::Alias(of) => lineage.first(*of),
                _ => key.map_or(id, |key| *first.entry(key).or_insert(id)),
            };
            lineage.same.push(same);
            lineage.models.push(models || from_models);
            lineage.data.push(border || field || from_data);
        }
        lineage
    }

    /// True for a weight that a gradient moves, or that follows one.
    pub(super) fn moves(&self, weight: usize) -> bool {
        self.trains(weight) || self.model_of(weight).is_some_and(|m| m.follows.is_some())
    }

    /// The inputs of a value that lend it more than their shape.
    pub(super) fn numbers_in(&self, id: ValueId) -> Vec<ValueId> {
        match self.value(id).map(|v| &v.source) {
            Some(ValueSource::Apply(apply)) => {
                let entry = self.vocabulary.operation(apply.op).map(|o| &o.entry);
                let lent = |name: &&'static str| {
                    entry.is_some_and(|e| e.lints.lends.contains(name) || e.graph.shape_only.contains(name))
                };
                apply.inputs.iter().filter(|(name, _)| !lent(name)).map(|(_, id)| *id).collect()
            }
            Some(ValueSource::Alias(of)) => vec![*of],
            _ => vec![],
        }
    }
}
