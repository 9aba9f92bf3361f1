//! Key points, matches, and the move that leads from one picture to another: what is done with a trained network's
//! scores and descriptors.
//!
//! Nothing here knows networks or files. Places are pixel centers, (x, y) with x to the right and y down; the center of
//! the first pixel is (0, 0). No result depends on the number of threads.
//!
//! | file | what |
//! |---|---|
//! | `features.rs` | key points of a score map, and their descriptors |
//! | `neighbors.rs` | nearest neighbors by matrix products in blocks |
//! | `moves.rs` | similarities, affine moves and homographies, fitted to pairs of places |
//! | `linear.rs` | the small systems of equations that fits lead to |
//! | `ransac.rs` | the move that most pairs agree on |
//! | `votes.rs` | the moves that a few pairs among many wrong ones vote for |
//! | `everywhere.rs` | the moves that all places together vote for, where the nearest few know none |
//! | `dense.rs` | how alike two maps of descriptors are under a move |
//! | `climb.rs` | the nearest move under which something is largest |
//! | `edges.rs` | how well the edges of two pictures lie on each other under a move |
//! | `search.rs` | where a query lies in a picture |
//! | `guided.rs` | a move fitted once more, to key points near it |
//! | `instances.rs` | every place where a query lies |
//! | `template.rs` | copies of a small drawing, pixel by pixel |
//! | `covariance.rs` | how pixels of a picture vary together |
//! | `agreement.rs` | how well key points and matches agree with a known homography |

pub mod agreement;
mod climb;
pub mod covariance;
pub mod dense;
pub mod edges;
pub mod everywhere;
pub mod features;
mod guided;
pub mod instances;
pub mod linear;
pub mod moves;
pub mod neighbors;
pub mod ransac;
pub mod search;
pub mod template;
pub mod votes;

pub use features::{Features, KeyPoints};
pub use moves::Move;
