//! Trains: the graph run forward and backward, the optimizer, the schedule, the run's folder.

pub mod bench;
pub mod clip;
pub mod evaluate;
pub mod flow;
pub mod frozen;
pub mod heap;
pub mod machine;
pub mod memory;
pub mod optim;
pub mod plan;
pub mod program;
pub mod schedule;
pub mod source;
pub mod step;
pub mod train;
pub mod weights;
