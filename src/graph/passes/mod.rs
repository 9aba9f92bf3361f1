//! Rewrites that keep the meaning: each a `fn(&mut Graph, &Vocabulary)`.

pub mod cse;
pub mod dead;
pub mod fold;
pub mod freeze;
pub mod fuse;
pub mod through;
pub mod views;

use super::node::Graph;
use super::verify::{Broken, verify};
use rord_lang::vocabulary::Vocabulary;

/// A rewrite.
pub type Pass = fn(&mut Graph, &Vocabulary);

/// Every pass in the order in which they run.
pub const PASSES: [(&str, Pass); 6] = [
    ("fold", fold::fold),
    ("cse", cse::cse),
    ("dead", dead::dead),
    ("views", views::views),
    ("fuse", fuse::fuse),
    ("through", through::through),
];

/// Those of a network that is used and learns no more.
const USED: [(&str, Pass); 7] = [
    ("fold", fold::fold),
    ("cse", cse::cse),
    ("dead", dead::dead),
    ("views", views::views),
    ("freeze", freeze::freeze),
    ("fuse", fuse::fuse),
    ("through", through::through),
];

/// Runs all passes of a network that is used: as [`run`], with `freeze` before `fuse`.
pub fn run_used(graph: &mut Graph, vocabulary: &Vocabulary, last: Option<&str>) -> Result<(), Broken> {
    these(&USED, graph, vocabulary, last)
}

/// Runs all passes, or those up to and including `last`. The graph is verified after each in debug builds.
pub fn run(graph: &mut Graph, vocabulary: &Vocabulary, last: Option<&str>) -> Result<(), Broken> {
    these(&PASSES, graph, vocabulary, last)
}

fn these(
    passes: &[(&str, Pass)],
    graph: &mut Graph,
    vocabulary: &Vocabulary,
    last: Option<&str>,
) -> Result<(), Broken> {
    for (name, pass) in passes {
        pass(graph, vocabulary);
        if cfg!(debug_assertions) {
            verify(graph, vocabulary)?;
        }
        if Some(*name) == last {
            break;
        }
    }
    Ok(())
}
