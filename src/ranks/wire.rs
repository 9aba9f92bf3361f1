//! What an engine that connects ranks has to do: move words, the same of every rank in the same order of calls.

use super::Lost;

/// Two conversations that do not wait for each other: within each, every rank makes the same calls in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// What a computation waits for.
    Now,
    /// What goes on beside it: gradients.
    Beside,
}

/// Moves words between ranks. All calls come from one thread. `meanwhile` is called while a call waits, and may make calls of
/// the other lane.
pub trait Wire {
    /// The number of this process.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Which of the processes on its machine it is, from 0, in the order of their numbers.
    fn place(&self) -> usize;

    /// The words of all ranks, one rank after the other; rank k has `each[k]` of them.
    fn gather(&self, lane: Lane, own: &[u32], each: &[usize], meanwhile: &dyn Fn()) -> Result<Vec<u32>, Lost>;

    /// `own` is cut into equal parts, one for each rank; the parts that the ranks have for this one, in their order.
    fn exchange(&self, lane: Lane, own: &[u32], meanwhile: &dyn Fn()) -> Result<Vec<u32>, Lost>;

    /// Tells all others that this rank fails, and why. It waits for nobody.
    fn tell(&self, why: &str);

    /// What has gone wrong elsewhere, as far as it is known here; is called again and again, and keeps others informed that this
    /// rank lives.
    fn heard(&self) -> Option<Lost>;
}
