//! Takes what is before an operation into it, where that need not be written out: `batch_norm |> relu |> conv` becomes one node that reads
//! the map through the lines of the normalization, `concat(x, upsample(y, 2))` one that repeats what it reads of y.
//!
//! An operation says what it reads through (`GraphFacts::reads_through`). No other node may read the value in between, and it must not be
//! an output. Fields are left alone: their normalization sees all turns as one batch.

use super::dead::dead;
use super::fuse::reads;
use crate::node::{Graph, NodeSource, OpNode};
use rord_lang::constant::Constant;
use rord_lang::vocabulary::Vocabulary;

/// The later node becomes both; the earlier one is dropped.
pub fn through(graph: &mut Graph, vocabulary: &Vocabulary) {
    let reads = reads(graph);
    for index in 0..graph.nodes.len() {
        let Some(both) = graph.nodes.get(index).and_then(|node| {
            let NodeSource::Op(later) = &node.source else { return None };
            let facts = vocabulary.operation(later.op)?.entry.graph.reads_through?;
            let (_, id) = later.inputs.iter().find(|(name, _)| *name == facts.input)?;
            let map = graph.node(*id).filter(|node| node.ty.dims.len() == 4)?;
            let NodeSource::Op(earlier) = &map.source else { return None };
            let alone = reads.get(id.0 as usize) == Some(&1) && earlier.op == facts.op;
            (alone && !facts.is_in(&later.settings) && (facts.pays)(&later.settings, &earlier.settings))
                .then_some(())?;
            let mut both = later.clone();
            for (name, id) in &earlier.inputs {
                if *name == facts.of {
                    both.inputs.iter_mut().filter(|(n, _)| *n == facts.input).for_each(|(_, own)| *own = *id);
                } else if let Some((_, here)) = facts.names.iter().find(|(there, _)| there == name) {
                    both.inputs.push((here, *id));
                }
            }
            let then = earlier.settings.text("then").unwrap_or("plain");
            both.settings.0.push((facts.word.into(), Constant::Word(then.into())));
            let handed = earlier.settings.0.iter().filter(|(name, _)| facts.settings.contains(&name.as_str()));
            both.settings.0.extend(handed.cloned());
            Some::<OpNode>(both)
        }) else {
            continue;
        };
        if let Some(node) = graph.nodes.get_mut(index) {
            node.source = NodeSource::Op(both);
        }
    }
    dead(graph, vocabulary);
}
