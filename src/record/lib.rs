//! A run's folder with its record, and those who watch a run: lines and a bar for people, `metrics.jsonl` for programs.

pub mod folder;
pub mod metrics;
pub mod progress;

pub use folder::{
    Best, InitWeights, PARAMS, PIPELINE, RECORD, Record, RecordError, RunFolder, Status, readable, timestamp, yaml,
};
