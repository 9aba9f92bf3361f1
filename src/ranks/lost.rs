//! Why ranks can no longer hear one another.

/// What ended the talk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// A rank failed and said so.
    #[error("process {rank} failed: {why}")]
    Failed {
        /// Which one.
        rank: usize,
        /// What it said.
        why: String,
    },
    /// A rank was not heard of for a while.
    #[error("nothing was heard of process {rank} for {seconds} s")]
    Silent {
        /// Which one.
        rank: usize,
        /// How long.
        seconds: u64,
    },
    /// The process of a rank on this machine has ended.
    #[error("process {rank} is gone (it had the id {id})")]
    Gone {
        /// Which one.
        rank: usize,
        /// The id of its process.
        id: u32,
    },
    /// The thread that talks to the others is gone.
    #[error("the connection to the other ranks is closed")]
    Closed,
    /// What came is not what was expected: the ranks do not run the same.
    #[error("{came} words came where {expected} were expected: the ranks do not run the same")]
    Length {
        /// Words that came.
        came: usize,
        /// Words that were expected.
        expected: usize,
    },
}
