//! Which samples of a batch are whose: by index, one after the other, the first ranks having one more where it does not divide.

use std::ops::Range;

use super::Ranks;

/// The samples of `rank` in a batch: of 7 samples, three ranks have 0 to 2, 3 to 4 and 5 to 6.
pub fn range(batch: usize, rank: usize, ranks: usize) -> Range<usize> {
    let ranks = ranks.max(1);
    let (each, more) = (batch / ranks, batch % ranks);
    let first = rank * each + rank.min(more);
    first..first + each + usize::from(rank < more)
}

/// The share of this rank in a batch.
#[derive(Clone, Copy)]
pub struct Share<'a> {
    /// All ranks.
    pub ranks: &'a Ranks,
    /// Samples of the whole batch.
    pub batch: usize,
    /// The first sample of this rank.
    pub first: usize,
    /// How many it has.
    pub samples: usize,
}

impl<'a> Share<'a> {
    /// The share of this rank in a batch of so many samples.
    pub fn of(ranks: &'a Ranks, batch: usize) -> Self {
        let own = range(batch, ranks.rank(), ranks.size());
        Self { ranks, batch, first: own.start, samples: own.len() }
    }

    /// How many samples each rank has.
    pub fn each(&self) -> Vec<usize> {
        (0..self.ranks.size()).map(|rank| range(self.batch, rank, self.ranks.size()).len()).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::range;

    #[test]
    fn shares_follow_one_another_and_differ_by_one_at_most() {
        for (batch, ranks) in [(7, 3), (8, 2), (3, 3), (2, 4), (1, 1)] {
            let all: Vec<_> = (0..ranks).map(|rank| range(batch, rank, ranks)).collect();
            assert_eq!(all.iter().cloned().flatten().collect::<Vec<_>>(), (0..batch).collect::<Vec<_>>());
            let (least, most) =
                (all.iter().map(|r| r.len()).min().unwrap(), all.iter().map(|r| r.len()).max().unwrap());
            assert!(most - least <= 1, "{batch} over {ranks}");
        }
    }
}
