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

/// Runs all passes of a network that is used and learns no more: those of [`PASSES`], with `freeze` before `fuse`.
pub fn run_used(graph: &mut Graph, vocabulary: &Vocabulary) -> Result<(), Broken> {
    for (name, pass) in PASSES {
        if name == "fuse" {
            one(freeze::freeze, graph, vocabulary)?;
        }
        one(pass, graph, vocabulary)?;
    }
    Ok(())
}

/// Runs all passes, or those up to and including `last`.
pub fn run(graph: &mut Graph, vocabulary: &Vocabulary, last: Option<&str>) -> Result<(), Broken> {
    for (name, pass) in PASSES {
        one(pass, graph, vocabulary)?;
        if Some(name) == last {
            break;
        }
    }
    Ok(())
}

/// Runs a pass; the graph is verified after it in debug builds.
fn one(pass: Pass, graph: &mut Graph, vocabulary: &Vocabulary) -> Result<(), Broken> {
    pass(graph, vocabulary);
    if cfg!(debug_assertions) {
        verify(graph, vocabulary)?;
    }
    Ok(())
}
