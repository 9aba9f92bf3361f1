//! The graph between the language and the tensors: built from a typed pipeline, rewritten by passes, printed for
//! people; and an overview of the pipeline, drawn.

pub mod build;
pub mod flops;
pub mod gradients;
pub mod node;
pub mod overview;
pub mod passes;
pub mod print;
pub mod samples;
pub mod share;
pub mod sizes;
pub mod verify;
pub mod weight;
