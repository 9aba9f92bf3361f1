//! What lints read of an operation: what it compares, how its value follows its arguments, and where its numbers lie.

use crate::constant::{Constant, Settings};
use crate::range::Range;

/// Two arguments that an operation compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compares {
    /// It compares nothing.
    Nothing,
    /// It measures how far apart these two are: least where they agree.
    Distance(&'static str, &'static str),
    /// The same of everything in the one with everything in the other.
    Distances(&'static str, &'static str),
    /// It measures how alike these two are: it grows as they agree.
    Likeness(&'static str, &'static str),
    /// The same of everything in the one with everything in the other.
    Likenesses(&'static str, &'static str),
}

/// What an operation makes of its arguments `a` and `b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combines {
    /// None of these.
    Nothing,
    /// Their sum.
    Sum,
    /// Their difference.
    Difference,
    /// Their product, number by number.
    Product,
    /// Sums of products of everything in the one with everything in the other.
    Products,
    /// Their quotient.
    Quotient,
}

/// What lints and metrics go by.
#[derive(Clone, Copy)]
pub struct LintFacts {
    /// Two arguments that it compares.
    pub compares: Compares,
    /// What it makes of `a` and `b`.
    pub combines: Combines,
    /// The arguments with which its value never falls.
    pub rises: &'static [&'static str],
    /// True where its value is 0 where those are.
    pub keeps_zero: bool,
    /// True where it drops the sign of its argument: `abs`.
    pub drops_sign: bool,
    /// True where its value is its argument, wherever that is not negative: `hinge`.
    pub keeps_positive: bool,
    /// True for a logarithm: a number less another one of these, times what the first is of, is a divergence.
    pub logarithm: bool,
    /// True where it is the sum of its argument, or a share of that.
    pub adds_up: bool,
    /// The argument that it averages, all channels alike, so that no vector becomes longer.
    pub averages: Option<&'static str>,
    /// The map that it reads between cells, so that what it gives is smoother than a cell.
    pub between: Option<&'static str>,
    /// Arguments of which it needs the shape alone, or where things lie or in which order: no gradient passes by them.
    pub lends: &'static [&'static str],
    /// Where its numbers lie, as far as those of its arguments say.
    pub range: fn(&Ranges<'_>) -> Range,
    /// The homography by which zeros come in from outside of a view.
    pub pads: Option<&'static str>,
    /// True for a mask of what lies inside of a view.
    pub shows_border: bool,
    /// True for a move of a view onto itself, so that nothing comes in from outside.
    pub onto: bool,
    /// True for a miner with an `apart` that keeps it from finding the positive itself.
    pub keeps_apart: bool,
    /// True for what is 0 once a margin is kept.
    pub margin: bool,
    /// True for a score that should grow.
    pub higher_is_better: bool,
    /// True for an error that should fall.
    pub lower_is_better: bool,
    /// The argument that the value is the better with: `x` of `mean(x)`.
    pub grows_with: Option<&'static str>,
}

impl LintFacts {
    /// Nothing that a lint asks for.
    pub const NONE: LintFacts = LintFacts {
        compares: Compares::Nothing,
        combines: Combines::Nothing,
        rises: &[],
        keeps_zero: false,
        drops_sign: false,
        keeps_positive: false,
        logarithm: false,
        adds_up: false,
        averages: None,
        between: None,
        lends: &[],
        range: |_| Range::ALL,
        pads: None,
        shows_border: false,
        onto: false,
        keeps_apart: false,
        margin: false,
        higher_is_better: false,
        lower_is_better: false,
        grows_with: None,
    };
    /// Every number is one of `x`, a mean of some, or 0.
    pub const CHOICE: LintFacts =
        LintFacts { rises: &["x"], keeps_zero: true, range: |r| r.of("x").with_zero(), ..LintFacts::NONE };
    /// Every number is a mean of some of `x`, with the same weights for all channels, or 0.
    pub const AVERAGE: LintFacts = LintFacts { averages: Some("x"), ..LintFacts::CHOICE };
    /// The numbers of `x`, in another order or under other axes.
    pub const SAME: LintFacts = LintFacts { range: |r| r.of("x"), ..LintFacts::CHOICE };
    /// Sums of numbers of `x`.
    pub const SUM: LintFacts =
        LintFacts { rises: &["x"], keeps_zero: true, range: |r| r.of("x").added_up(), ..LintFacts::NONE };
    /// What is positive of `x`, and 0 for the rest.
    pub const RECTIFIER: LintFacts = LintFacts {
        rises: &["x"],
        keeps_zero: true,
        keeps_positive: true,
        range: |r| r.of("x").rising(|x| x.max(0.0)),
        ..LintFacts::NONE
    };
    /// Numbers that need the shape of `like` alone.
    pub const SHAPE: LintFacts = LintFacts { lends: &["like"], ..LintFacts::NONE };
    /// An operator on `a` and `b`.
    pub const fn combining(combines: Combines) -> LintFacts {
        LintFacts { combines, ..LintFacts::NONE }
    }
    /// A distance, which is not negative.
    pub const fn distance(a: &'static str, b: &'static str) -> LintFacts {
        LintFacts { compares: Compares::Distance(a, b), range: |_| Range::POSITIVE, ..LintFacts::NONE }
    }
}

/// What is known of the arguments of one use of an operation.
pub struct Ranges<'a> {
    /// Where the numbers of a tensor argument lie.
    pub tensor: &'a dyn Fn(&str) -> Option<Range>,
    /// Whether no vector of a tensor argument is longer than 1.
    pub short: &'a dyn Fn(&str) -> bool,
    /// All other arguments.
    pub settings: &'a Settings,
}

impl Ranges<'_> {
    /// Where the numbers of an argument lie.
    pub fn of(&self, name: &str) -> Range {
        match self.settings.get(name).and_then(|c| c.number()) {
            Some(x) => Range::at(x),
            None => (self.tensor)(name).unwrap_or(Range::ALL),
        }
    }

    /// True for an argument that was given.
    pub fn given(&self, name: &str) -> bool {
        self.settings.get(name).is_some() || (self.tensor)(name).is_some()
    }

    /// Distances of vectors of length 1 end at 2, their squares at 4.
    pub fn distance(&self, a: &str, b: &str) -> Range {
        // What is not known yet may be anything.
        let open = |name: &str| self.settings.0.iter().any(|(n, c)| n == name && *c == Constant::None);
        let squared = self.settings.flag("squared").unwrap_or(false);
        let euclidean = squared || self.settings.number("p").unwrap_or(2.0) == 2.0;
        let bounded = (self.short)(a) && (self.short)(b) && euclidean && !open("p") && !open("squared");
        match bounded {
            true => Range::new(0.0, if squared { 4.0 } else { 2.0 }),
            false => Range::POSITIVE,
        }
    }

    /// Products of vectors of length 1 lie between -1 and 1.
    pub fn product(&self, a: &str, b: &str) -> Range {
        if (self.short)(a) && (self.short)(b) { Range::new(-1.0, 1.0) } else { Range::ALL }
    }
}
