//! A run's folder with its record, and those who watch a run: lines and a bar for people, `metrics.jsonl` for programs.

pub mod folder;
pub mod metrics;
pub mod progress;
pub mod terminal;

pub use folder::{Best, Record, RecordError, RunFolder, Status, readable, timestamp, yaml};
