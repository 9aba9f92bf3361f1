//! How much a file may grow to in memory: in proportion to its bytes, since short records can copy long ones.

/// What is read of one file at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that compressed blocks inflate to, in all.
    pub inflated: u64,
    /// Points that are kept: of shapes, of places of copies, and as many for what else is kept. A point is 8 bytes.
    pub points: u64,
}

impl Limits {
    /// For a file of that many bytes. Layouts take 1 to 10 points a byte; what deflate makes of itself is at most 1,032
    /// times as long.
    pub fn of(bytes: usize) -> Self {
        let bytes = bytes as u64;
        Self { inflated: (64 << 20) + bytes.saturating_mul(256), points: (4 << 20) + bytes.saturating_mul(64) }
    }
}
