//! A run's folder with its record, and the observers of a run: lines and a view for people, `metrics.jsonl` and lines of JSON for
//! programs, event files for TensorBoard.

mod date;
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
mod record;
pub mod tensorboard;
pub mod terminal;
mod view;

pub use date::timestamp;
pub use fingerprint::fingerprint;
pub use folder::{DATA, FORMAT, PARAMS, PIPELINE, RECORD, RecordError, RunFolder, readable};
pub use live::Live;
pub use lock::{lock, locked};
pub use made_on::{DataFiles, Exchange, Machine, MemoryUse, OperationTime, StepTimes, SumBegun};
pub use observer::{Epoch, Finding, Finished, Observer, Started, Step};
pub use record::{BegunPart, Best, InitWeights, KeptWeights, Record, Resumed, Status, yaml};
