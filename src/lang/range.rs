//! Intervals: where the numbers of a value lie, as far as its formula says: `0.9 * t + 0.05` of a label lies in
//! 0.05 to 0.95.

/// How far an end may lie beyond 0 or 1 and still count as within: `0.7 + 0.1 + 0.2` is 1.
const ROUNDING: f64 = 1e-12;

/// All numbers from `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least number; may be −∞.
    pub low: f64,
    /// The greatest number; may be ∞.
    pub high: f64,
}

/// 0 · ∞ is 0 here: an end that no number reaches, times nothing.
fn product(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a * b }
}

impl Range {
    /// Any number.
    pub const ALL: Range = Range { low: f64::NEG_INFINITY, high: f64::INFINITY };
    /// 0 to 1.
    pub const UNIT: Range = Range { low: 0.0, high: 1.0 };
    /// Not negative.
    pub const POSITIVE: Range = Range { low: 0.0, high: f64::INFINITY };

    /// One number.
    pub fn at(x: f64) -> Range {
        if x.is_nan() { Range::ALL } else { Range { low: x, high: x } }
    }

    /// From one number to another; any number, where an end is not a number.
    pub fn new(low: f64, high: f64) -> Range {
        if low.is_nan() || high.is_nan() { Range::ALL } else { Range { low, high } }
    }

    /// True where no number is negative.
    pub fn not_negative(self) -> bool {
        self.low >= -ROUNDING
    }

    /// True where no number is positive.
    pub fn not_positive(self) -> bool {
        self.high <= ROUNDING
    }

    /// True where every number is one of `other`, but for rounding.
    pub fn within(self, other: Range) -> bool {
        self.low >= other.low - ROUNDING && self.high <= other.high + ROUNDING
    }

    /// What lies in both; `self`, where nothing does.
    pub fn and(self, other: Range) -> Range {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        if low <= high { Range { low, high } } else { self }
    }

    /// What holds both, and all between.
    pub fn hull(self, other: Range) -> Range {
        Range { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// With 0 in it: what is padded, masked or averaged over nothing is 0.
    pub fn with_zero(self) -> Range {
        self.hull(Range::at(0.0))
    }

    /// Sums.
    pub fn plus(self, other: Range) -> Range {
        Range::new(self.low + other.low, self.high + other.high)
    }

    /// Differences.
    pub fn minus(self, other: Range) -> Range {
        Range::new(self.low - other.high, self.high - other.low)
    }

    /// Products.
    pub fn times(self, other: Range) -> Range {
        let ends = [
            product(self.low, other.low),
            product(self.low, other.high),
            product(self.high, other.low),
            product(self.high, other.high),
        ];
        Range::new(ends.into_iter().fold(f64::INFINITY, f64::min), ends.into_iter().fold(f64::NEG_INFINITY, f64::max))
    }

    /// Quotients; any number, where the divisor may have either sign.
    pub fn over(self, other: Range) -> Range {
        match (other.low >= 0.0, other.high <= 0.0) {
            (true, true) => Range::ALL,
            (true, _) => self.times(Range::new(1.0 / other.high, 1.0 / other.low)),
            // 1 / -0 is not the end that is meant.
            (_, true) => {
                let low = if other.high == 0.0 { f64::NEG_INFINITY } else { 1.0 / other.high };
                self.times(Range::new(low, 1.0 / other.low))
            }
            _ => Range::ALL,
        }
    }

    /// Squares of the same numbers.
    pub fn squared(self) -> Range {
        let size = self.size();
        Range::new(product(size.low, size.low), product(size.high, size.high))
    }

    /// The numbers without their signs.
    pub fn size(self) -> Range {
        match (self.low >= 0.0, self.high <= 0.0) {
            (true, _) => self,
            (_, true) => Range { low: -self.high, high: -self.low },
            _ => Range { low: 0.0, high: self.high.max(-self.low) },
        }
    }

    /// What a function makes of them that never falls.
    pub fn rising(self, f: impl Fn(f64) -> f64) -> Range {
        Range::new(f(self.low), f(self.high))
    }

    /// Sums of any count of them.
    pub fn added_up(self) -> Range {
        let low = if self.not_negative() { 0.0 } else { f64::NEG_INFINITY };
        let high = if self.not_positive() { 0.0 } else { f64::INFINITY };
        Range { low, high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_those_of_the_formula() {
        let unit = Range::UNIT;
        let smoothed = Range::at(0.9).times(unit).plus(Range::at(0.05));
        assert!(smoothed.within(unit) && smoothed.low == 0.05 && !smoothed.within(Range::new(0.0, 0.9)));
        assert_eq!(Range::at(1.0).minus(unit), unit);
        assert_eq!(unit.plus(unit).over(Range::at(2.0)), unit);
        assert_eq!(unit.minus(unit).squared(), unit);
        assert_eq!(Range::new(-3.0, 2.0).size(), Range::new(0.0, 3.0));
        assert_eq!(Range::new(-3.0, -2.0).size(), Range::new(2.0, 3.0));
        assert_eq!(unit.times(Range::POSITIVE), Range::POSITIVE);
        assert_eq!(unit.over(Range::UNIT), Range::POSITIVE);
        assert_eq!(unit.over(Range::new(-1.0, 0.0)), Range::new(f64::NEG_INFINITY, 0.0));
        assert_eq!(unit.over(Range::new(-1.0, 1.0)), Range::ALL);
        assert_eq!(unit.over(Range::at(0.0)), Range::ALL);
        assert_eq!(Range::ALL.minus(Range::ALL), Range::ALL);
        assert_eq!(Range::at(f64::NAN), Range::ALL);
        // As many terms as one likes, rounded at each step.
        let tenth = Range::at(0.1).times(unit);
        assert!((0..9).fold(tenth, |sum, _| sum.plus(tenth)).within(unit));
    }
}
