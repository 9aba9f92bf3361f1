//! The vocabulary: every operation a pipeline may use, one file each, and the standard library written in the language itself.
//!
//! ```
//! let (vocabulary, _) = rord::ops::vocabulary();
//! assert!(vocabulary.usage("warp").is_some_and(|u| u.starts_with("warp(x: Map, by: Homography")));
//! ```

#[cfg(feature = "engine")]
pub mod compute;
pub mod op;
pub mod recipes;
mod rules;

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*

        /// Every operation that computes.
        pub static OPERATIONS: &[&op::Op] = &[$(&$name::OP),*];
    };
}

operations![
    conv,
    relu,
    sigmoid,
    max_pool,
    avg_pool,
    upsample,
    instance_norm,
    batch_norm,
    group_norm,
    standardize,
    l2norm,
    dropout,
    flatten,
    concat, // layers
    warp,
    rescale,
    inside,
    inv,
    compose,
    move_points,
    sample,
    grid,
    scatter,
    hardneg,
    semihard,
    random,
    place,
    pick,
    shrink, // places
    bce,
    bce_logits,
    smoothl1,
    mse,
    dot,
    distance,
    distances,
    diagonal,
    off_diagonal,
    row_min,
    col_min,
    min,
    max,
    similarities,
    rows,
    log_sum_exp,
    exp,
    log,
    sqrt,
    abs,
    softplus,
    hinge,
    mean,
    sum,
    detach, // losses
    repeatability,
    matched,
    iou,
    f1,
    fpr_at_tpr, // metrics
    add,
    sub,
    mul,
    div,
    greater,
    less,
    greater_equal,
    less_equal,
    equal, // operators
];

/// The standard library: name under which messages show it, and its text.
pub const LIBRARY: &[(&str, &str)] = &[
    ("std/losses.rord", include_str!("../std/losses.rord")),
    ("std/metrics.rord", include_str!("../std/metrics.rord")),
];

use crate::lang::source::Sources;
use crate::lang::vocabulary::{Entry, Vocabulary};

/// Every operation and recipe.
pub fn all() -> impl Iterator<Item = &'static op::Op> {
    let parts: [&'static op::Op; 2] = [&rescale::IMAGE, &rescale::MAP];
    OPERATIONS.iter().copied().chain(parts).chain(recipes::RECIPES.iter())
}

/// The vocabulary, and the texts it was read from; a pipeline's own texts are added to these.
pub fn vocabulary() -> (Vocabulary, Sources) {
    let mut sources = Sources::default();
    let entries: Vec<(&'static str, Entry)> = all().map(|op| (op.name, op.entry)).collect();
    let (vocabulary, reports) = Vocabulary::new(&entries, LIBRARY, &mut sources);
    debug_assert!(reports.is_empty(), "the vocabulary is broken: {reports:?}");
    (vocabulary, sources)
}

/// The operation called `name`.
pub fn find(name: &str) -> Option<&'static op::Op> {
    all().find(|op| op.name == name)
}
