//! A run's folder with its record, and the observers of a run: lines and a bar for people, `metrics.jsonl` for
//! programs.

pub mod fingerprint;
pub mod folder;
pub mod live;
pub mod lock;
pub mod metrics;
pub mod observer;
pub mod progress;
pub mod terminal;

pub use fingerprint::fingerprint;
pub use folder::{
    BegunPart, Best, InitWeights, KeptWeights, PARAMS, PIPELINE, RECORD, Record, RecordError, Resumed, RunFolder,
    Status, readable, timestamp, yaml,
};
pub use live::Live;
pub use lock::Lock;
pub use observer::{Epoch, Finished, Observer, Started, Step};
