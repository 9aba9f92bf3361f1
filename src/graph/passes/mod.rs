//! Rewrites that keep the meaning: each a `fn(&mut Graph, &Vocabulary)`.

pub mod cse;
pub mod dead;
pub mod fold;
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

/// Runs all passes, or those up to and including `last`. The graph is verified after each in debug builds.
pub fn run(graph: &mut Graph, vocabulary: &Vocabulary, last: Option<&str>) -> Result<(), Broken> {
    for (name, pass) in PASSES {
        pass(graph, vocabulary);
        if cfg!(debug_assertions) {
            verify(graph, vocabulary)?;
        }
        if Some(name) == last {
            break;
        }
    }
    Ok(())
}
