//! The vocabulary: every operation a pipeline may use, one file each, and the standard library written in the language
//! itself.
//!
//! ```
//! let (vocabulary, _) = rord_ops::vocabulary();
//! assert!(vocabulary.usage("warp").is_some_and(|u| u.starts_with("warp(x: Map, by: Homography")));
//! ```

mod activation;
pub mod align;
pub mod append;
mod arithmetic;
pub mod arrange;
pub mod as_vectors;
pub mod avg_pool;
mod axes;
pub mod batch_norm;
pub mod bce;
pub mod bce_logits;
pub mod chapters;
mod comparison;
pub mod compose;
pub mod compute;
pub mod concat;
pub mod conv;
pub mod conv_transpose;
pub mod coords;
mod counting;
pub mod detach;
pub mod diagonal;
pub mod distance;
pub mod distances;
pub mod dot;
pub mod dropout;
pub mod exchange;
pub mod export;
mod extremes;
pub mod flatten;
pub mod fpr_at_tpr;
mod functions;
pub mod global_pool;
pub mod grid;
pub mod group_norm;
pub mod hardneg;
mod identity;
pub mod inside;
pub mod instance_norm;
pub mod inv;
pub mod invariant;
pub mod l2norm;
pub mod layer_norm;
pub mod length;
mod levels;
pub mod linear;
pub mod log_sum_exp;
pub mod matched;
pub mod max_pool;
pub mod move_points;
pub mod mse;
pub mod off_diagonal;
pub mod offsets;
pub mod op;
mod over_processes;
mod overlap;
mod peaks;
pub mod permute_turns;
pub mod pick;
mod picks;
pub mod place;
pub mod place_distance;
mod place_tables;
mod product;
pub mod random;
mod ranks;
pub mod recipes;
mod reduce;
pub mod relu;
mod rename;
pub mod repeatability;
pub mod rescale;
pub mod rows;
mod rules;
pub mod sample;
pub mod scatter;
pub mod seen;
pub mod semihard;
pub mod shrink;
pub mod sigmoid;
pub mod similarities;
mod size;
pub mod smoothl1;
pub mod sobel;
mod soft_argmax;
mod softmax;
mod space;
pub mod standardize;
pub mod turns_to_channel;
pub mod uniform;
pub mod upsample;
pub mod valid;
mod variance;
pub mod views;
pub mod warp;

/// Every operation that computes, and those that carry recipes out.
pub static OPERATIONS: &[&op::Op] = &[
    // layers
    &conv::OP,
    &conv_transpose::OP,
    &linear::OP,
    &relu::RELU,
    &activation::LEAKY_RELU,
    &activation::GELU,
    &activation::SILU,
    &activation::TANH,
    &sigmoid::OP,
    &max_pool::OP,
    &avg_pool::OP,
    &global_pool::OP,
    &upsample::OP,
    &instance_norm::OP,
    &batch_norm::OP,
    &group_norm::OP,
    &layer_norm::OP,
    &standardize::OP,
    &l2norm::OP,
    &dropout::OP,
    &invariant::OP,
    &turns_to_channel::OP,
    &permute_turns::OP,
    &flatten::OP,
    &concat::OP,
    &space::SPACE_TO_CHANNEL,
    &space::CHANNEL_TO_SPACE,
    // places
    &warp::OP,
    &rescale::OP,
    &inside::OP,
    &inv::OP,
    &compose::OP,
    &move_points::OP,
    &sample::OP,
    &coords::OP,
    &as_vectors::CELLS,
    &as_vectors::AS_MAP,
    &seen::OP,
    &length::OP,
    &place_distance::OP,
    &place_tables::DISTANCES,
    &place_tables::NEAR,
    &soft_argmax::SOFT_ARGMAX,
    &soft_argmax::DISPERSION,
    &grid::OP,
    &scatter::OP,
    &peaks::PEAKS,
    &peaks::TOPK,
    &hardneg::OP,
    &semihard::OP,
    &random::OP,
    &place::OP,
    &pick::OP,
    &shrink::OP,
    &sobel::OP,
    // losses
    &bce::OP,
    &bce_logits::OP,
    &smoothl1::OP,
    &mse::OP,
    &dot::OP,
    &distance::OP,
    &distances::OP,
    &diagonal::OP,
    &off_diagonal::OP,
    &extremes::MIN,
    &extremes::MAX,
    &similarities::OP,
    &rows::OP,
    &log_sum_exp::OP,
    &functions::EXP,
    &functions::LOG,
    &functions::SQRT,
    &functions::ABS,
    &functions::SOFTPLUS,
    &functions::SIN,
    &functions::COS,
    &relu::HINGE,
    &reduce::MEAN,
    &reduce::SUM,
    &append::OP,
    &arrange::OP,
    &uniform::OP,
    &variance::VARIANCE,
    &variance::STD,
    &counting::ANY,
    &counting::ALL,
    &counting::COUNT,
    &softmax::SOFTMAX,
    &softmax::LOG_SOFTMAX,
    &picks::ARGMAX,
    &picks::ARGMIN,
    &picks::TAKE,
    &product::OP,
    &identity::OP,
    &levels::OP,
    &rename::RENAME,
    &rename::TRANSPOSE,
    &ranks::SORT,
    &ranks::TOP,
    &ranks::CUMSUM,
    &valid::OP,
    &detach::OP,
    // metrics
    &repeatability::OP,
    &matched::OP,
    &overlap::IOU,
    &overlap::F1,
    &fpr_at_tpr::OP,
    // operators
    &arithmetic::ADD,
    &arithmetic::SUB,
    &arithmetic::MUL,
    &arithmetic::DIV,
    &offsets::PLACE_SUB,
    &offsets::PLACE_ADD,
    &offsets::OFFSET_MUL,
    &offsets::OFFSET_DIV,
    &comparison::GREATER,
    &comparison::LESS,
    &comparison::GREATER_EQUAL,
    &comparison::LESS_EQUAL,
    &comparison::EQUAL,
];

/// The standard library: name under which messages show it, and its text.
pub const LIBRARY: &[(&str, &str)] = &[
    ("std/maps.rord", include_str!("std/maps.rord")),
    ("std/descriptors.rord", include_str!("std/descriptors.rord")),
    ("std/metrics.rord", include_str!("std/metrics.rord")),
    ("std/numbers.rord", include_str!("std/numbers.rord")),
    ("std/dense.rord", include_str!("std/dense.rord")),
    ("std/tables.rord", include_str!("std/tables.rord")),
    ("std/embeddings.rord", include_str!("std/embeddings.rord")),
];

use rord_lang::source::Sources;
use rord_lang::vocabulary::{Entry, Vocabulary};

/// Every operation and recipe, those that no pipeline can call included.
pub fn all() -> impl Iterator<Item = &'static op::Op> {
    let parts: [&'static op::Op; 9] = [
        &rescale::IMAGE,
        &rescale::MAP,
        &views::JOIN,
        &views::PART,
        &align::OP,
        &size::OP,
        &exchange::GATHER,
        &exchange::HAND_OUT,
        &exchange::COUNT_ONCE,
    ];
    OPERATIONS.iter().copied().chain(parts).chain(recipes::all())
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
