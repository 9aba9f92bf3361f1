//! Watching a run: lines and a bar for people, `metrics.jsonl` for programs.

pub mod metrics;
#[cfg(feature = "engine")]
pub mod progress;
