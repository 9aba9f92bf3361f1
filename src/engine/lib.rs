//! Runs graphs, and trains by them: forward and backward, the optimizer, the schedule, the run.

pub mod begin;
pub mod bench;
pub mod clip;
pub mod compare;
pub mod data_files;
pub mod difference;
pub mod early;
pub mod evaluate;
pub mod export;
pub mod flow;
pub mod follow;
pub mod foretold;
pub mod frozen;
pub mod gpus;
pub mod graphs;
pub mod groups;
pub mod health;
pub mod heap;
pub mod kept;
pub mod machine;
pub mod made;
pub mod memory;
pub mod note;
pub mod optim;
pub mod plan;
pub mod predict;
pub mod pretrained;
pub mod program;
pub mod reduce;
pub mod refusals;
pub mod replay;
pub mod schedule;
pub mod source;
pub mod state;
pub mod step;
mod stopwatch;
pub mod stored;
pub mod timed;
pub mod train;
pub mod validate;
pub mod weights;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod testing;
