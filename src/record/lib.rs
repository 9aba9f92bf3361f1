//! A run's folder with its record, and the observers of a run: lines and a bar for people, `metrics.jsonl` for
//! programs, event files for TensorBoard.

pub mod fingerprint;
pub mod folder;
pub mod live;
pub mod lock;
pub mod made_on;
pub mod metrics;
pub mod observer;
pub mod progress;
pub mod tensorboard;
pub mod terminal;

pub use fingerprint::fingerprint;
pub use folder::{
    BegunPart, Best, DATA, FORMAT, InitWeights, KeptWeights, PARAMS, PIPELINE, RECORD, Record, RecordError, Resumed,
    RunFolder, Status, readable, timestamp, yaml,
};
pub use live::Live;
pub use lock::Lock;
pub use made_on::{DataFiles, Machine, MemoryUse};
pub use observer::{Epoch, Finding, Finished, Observer, Started, Step};
