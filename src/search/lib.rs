//! Finds crops in pictures and chips with a trained network, detects key points, and matches pictures.
//!
//! A picture of any size is read in tiles, and the network's scores and descriptors are put together over all of it
//! (`maps.rs`). A query is looked for in all its turns (`query.rs`): the descriptors of a network of fields are
//! exchanged, for any other network the picture itself is turned. A chip goes by windows that overlap by a query
//! (`chip.rs`), so that memory is bounded by a window and not by the chip; what was seen of it may be kept (`index.rs`). Key points (`detect.rs`), whatever else a
//! network exports (`outputs.rs`) and the matches of two pictures (`matched.rs`) need no more than a tile (`tiles.rs`).

pub mod cells;
pub mod chip;
pub mod copies;
pub mod detect;
pub mod drawn;
pub mod index;
pub mod maps;
pub mod matched;
pub mod network;
pub mod outputs;
pub mod pairs;
pub mod picture;
pub mod query;
pub mod suite;
pub mod tiles;
mod turned;
pub mod view;

pub use chip::{Answer, Chip, Options};
pub use maps::{Maps, Pixels};
pub use network::{Network, SearchError};
pub use query::Query;
