//! A run's folder with its record, and the observers of a run: lines and a view for people, `metrics.jsonl` and lines of JSON for
//! programs, event files for TensorBoard.

pub mod events;
mod figures;
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
mod view;

pub use fingerprint::fingerprint;
pub use folder::{
    BegunPart, Best, DATA, FORMAT, InitWeights, KeptWeights, PARAMS, PIPELINE, RECORD, Record, RecordError, Resumed,
    RunFolder, Status, readable, timestamp, yaml,
};
pub use live::Live;
pub use lock::Lock;
pub use made_on::{DataFiles, Machine, MemoryUse, OperationTime, StepTimes};
pub use observer::{Epoch, Finding, Finished, Observer, Started, Step};
