//! Names of axes, in the one order in which the axes of a tensor lie: batch, item, turn, channel, row, column, then
//! those that a pipeline makes, by name.

use std::fmt;
use std::sync::Arc;

/// The name of an axis. The order of these is the order of storage, so two values meet by inserting axes of size 1,
/// never by a permutation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    /// The samples of a batch.
    Batch,
    /// The members of a list: vectors, places, numbers.
    Item,
    /// The turned forms of one filter.
    Turn,
    /// The channels of a map, the components of a vector.
    Channel,
    /// Rows of a map or a table.
    Row,
    /// Columns of a map or a table.
    Column,
    /// An axis that a pipeline makes: `bin`.
    Own(Arc<str>),
}

use Axis::{Batch, Channel, Column, Item, Own, Row, Turn};

/// The word for row and column together.
pub const PLACE: &str = "place";

/// The names of all axes that kinds have.
pub const WORDS: [&str; 6] = ["batch", "item", "turn", "channel", "row", "column"];

impl Axis {
    /// The axis of this name.
    pub fn named(name: &str) -> Axis {
        match name {
            "batch" => Batch,
            "item" => Item,
            "turn" => Turn,
            "channel" => Channel,
            "row" => Row,
            "column" => Column,
            other => Own(other.into()),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Batch => "batch",
            Item => "item",
            Turn => "turn",
            Channel => "channel",
            Row => "row",
            Column => "column",
            Own(name) => name,
        }
    }

    /// True for rows and columns.
    pub fn is_place(&self) -> bool {
        matches!(self, Row | Column)
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The axes that words name; `place` is two of them.
pub fn axes<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<Axis> {
    let mut out = Vec::new();
    for word in words {
        match word {
            PLACE => out.extend([Row, Column]),
            other => out.push(Axis::named(other)),
        }
    }
    out
}

/// True where axes lie in their order, each once.
pub fn in_order(axes: &[Axis]) -> bool {
    axes.windows(2).all(|pair| pair.first() < pair.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_one_order() {
        let all: Vec<Axis> =
            WORDS.iter().map(|w| Axis::named(w)).chain([Axis::named("bin"), Axis::named("zoom")]).collect();
        assert!(in_order(&all));
        assert!(!in_order(&[Row, Channel]) && !in_order(&[Row, Row]));
        assert_eq!(axes(["batch", "place"]), [Batch, Row, Column]);
        for axis in all {
            assert_eq!(Axis::named(axis.name()), axis);
        }
    }
}
