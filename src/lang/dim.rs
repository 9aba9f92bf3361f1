//! Sizes of axes as linear forms with a divisor: `H`, `H/4`, `2*C + 1`, compared in normal form.
//!
//! `H/4` is exact: an operation that divides requires that 4 divides `H`, and the checker checks that against the
//! data's `patch`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The name of a size that is not a number: the `H` of one `data`, the `width` of one layer.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// Which one: two symbols are equal when their ids are.
    pub id: u32,
    /// How it is shown.
    pub name: Arc<str>,
    /// True where nothing is known about it, so that comparing it proves nothing.
    pub opaque: bool,
}

impl PartialEq for Symbol {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Symbol {}

impl std::hash::Hash for Symbol {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// `(Σ factor·symbol + constant) / divisor` in lowest terms, symbols in order of their ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dim {
    terms: Vec<(Symbol, i64)>,
    constant: i64,
    divisor: i64,
}

impl Dim {
    /// A number.
    pub fn number(n: i64) -> Dim {
        Dim { terms: vec![], constant: n, divisor: 1 }
    }

    /// A symbol.
    pub fn symbol(symbol: Symbol) -> Dim {
        Dim { terms: vec![(symbol, 1)], constant: 0, divisor: 1 }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<i64> {
        (self.terms.is_empty() && self.divisor == 1).then_some(self.constant)
    }

    /// The symbol, if it is one and nothing else.
    pub fn as_symbol(&self) -> Option<&Symbol> {
        match self.terms.as_slice() {
            [(symbol, 1)] if self.constant == 0 && self.divisor == 1 => Some(symbol),
            _ => None,
        }
    }

    /// True where a part of it is unknown, so that comparing it proves nothing.
    pub fn is_opaque(&self) -> bool {
        self.terms.iter().any(|(s, _)| s.opaque)
    }

    /// The symbols in it.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.terms.iter().map(|(s, _)| s)
    }

    /// What it is divided by.
    pub fn divisor(&self) -> i64 {
        self.divisor
    }

    /// The sum; `None` on overflow.
    pub fn add(&self, other: &Dim) -> Option<Dim> {
        let (a, b) = (other.divisor, self.divisor);
        let scaled = |d: &Dim, by: i64| -> Option<Vec<(Symbol, i64)>> {
            d.terms.iter().map(|(s, f)| Some((s.clone(), f.checked_mul(by)?))).collect()
        };
        let mut terms = scaled(self, a)?;
        for (symbol, factor) in scaled(other, b)? {
            match terms.iter_mut().find(|(s, _)| *s == symbol) {
                Some((_, f)) => *f = f.checked_add(factor)?,
                None => terms.push((symbol, factor)),
            }
        }
        let constant = self.constant.checked_mul(a)?.checked_add(other.constant.checked_mul(b)?)?;
        Some(normal(terms, constant, self.divisor.checked_mul(other.divisor)?))
    }

    /// The difference; `None` on overflow.
    pub fn sub(&self, other: &Dim) -> Option<Dim> {
        self.add(&other.times(-1)?)
    }

    /// The product with a number; `None` on overflow.
    pub fn times(&self, by: i64) -> Option<Dim> {
        let terms = self.terms.iter().map(|(s, f)| Some((s.clone(), f.checked_mul(by)?))).collect::<Option<_>>()?;
        Some(normal(terms, self.constant.checked_mul(by)?, self.divisor))
    }

    /// The product; `None` on overflow or where it is not linear.
    pub fn mul(&self, other: &Dim) -> Option<Dim> {
        match (self.as_number(), other.as_number()) {
            (_, Some(n)) => self.times(n),
            (Some(n), _) => other.times(n),
            _ => None,
        }
    }

    /// The exact quotient; `None` on overflow, by zero, or where the number is not divisible.
    pub fn over(&self, by: i64) -> Option<Dim> {
        let divisor = self.divisor.checked_mul(by).filter(|_| by > 0)?;
        let result = normal(self.terms.clone(), self.constant, divisor);
        (!result.terms.is_empty() || result.divisor == 1).then_some(result)
    }

    /// The value, where every symbol has one; `Err` holds the numerator where the division leaves a rest.
    pub fn value(&self, sizes: &HashMap<u32, i64>) -> Option<Result<i64, i64>> {
        let mut sum = self.constant;
        for (symbol, factor) in &self.terms {
            sum = sum.checked_add(sizes.get(&symbol.id)?.checked_mul(*factor)?)?;
        }
        Some(if sum % self.divisor == 0 { Ok(sum / self.divisor) } else { Err(sum) })
    }

    /// What `symbol` must be for this to equal `target`; `None` where no whole answer exists.
    pub fn solve(&self, symbol: u32, target: &Dim) -> Option<Dim> {
        let factor = self.terms.iter().find(|(s, _)| s.id == symbol).map(|(_, f)| *f)?;
        let rest = Dim {
            terms: self.terms.iter().filter(|(s, _)| s.id != symbol).cloned().collect(),
            constant: self.constant,
            divisor: 1,
        };
        let scaled = target.times(self.divisor)?.sub(&rest)?;
        if factor < 0 { scaled.times(-1)?.over(factor.checked_neg()?) } else { scaled.over(factor) }
    }

    /// With every symbol of `with` replaced; `None` on overflow.
    pub fn replace(&self, with: &HashMap<u32, Dim>) -> Option<Dim> {
        let mut sum = Dim::number(self.constant);
        for (symbol, factor) in &self.terms {
            let one = with.get(&symbol.id).cloned().unwrap_or_else(|| Dim::symbol(symbol.clone()));
            sum = sum.add(&one.times(*factor)?)?;
        }
        let divisor = sum.divisor.checked_mul(self.divisor)?;
        Some(normal(sum.terms, sum.constant, divisor))
    }
}

/// The greatest common divisor.
pub fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i64::try_from(a).unwrap_or(i64::MAX)
}

fn normal(mut terms: Vec<(Symbol, i64)>, constant: i64, divisor: i64) -> Dim {
    terms.retain(|(_, f)| *f != 0);
    terms.sort_by_key(|(s, _)| s.id);
    let common = terms.iter().fold(gcd(constant, divisor), |g, (_, f)| gcd(g, *f)).max(1);
    for (_, f) in &mut terms {
        *f /= common;
    }
    Dim { terms, constant: constant / common, divisor: divisor / common }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.terms.len() + usize::from(self.constant != 0);
        let bracketed = self.divisor != 1 && parts > 1;
        if bracketed {
            f.write_str("(")?;
        }
        for (i, (symbol, factor)) in self.terms.iter().enumerate() {
            match (i, factor < &0) {
                (0, false) => {}
                (0, true) => f.write_str("-")?,
                (_, false) => f.write_str(" + ")?,
                (_, true) => f.write_str(" - ")?,
            }
            if factor.abs() != 1 {
                write!(f, "{}*", factor.abs())?;
            }
            f.write_str(&symbol.name)?;
        }
        match (self.terms.is_empty(), self.constant) {
            (true, c) => write!(f, "{c}")?,
            (false, 0) => {}
            (false, c) if c < 0 => write!(f, " - {}", c.unsigned_abs())?,
            (false, c) => write!(f, " + {c}")?,
        }
        if bracketed {
            f.write_str(")")?;
        }
        if self.divisor != 1 {
            write!(f, "/{}", self.divisor)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn symbol(id: u32, name: &str) -> Dim {
        Dim::symbol(Symbol { id, name: name.into(), opaque: false })
    }

    #[test]
    fn forms_are_compared_in_lowest_terms() {
        let h = symbol(0, "H");
        let quarter = h.over(2).unwrap().over(2).unwrap();
        assert_eq!(quarter, h.over(4).unwrap());
        assert_eq!(quarter.times(4).unwrap(), h);
        assert_eq!(h.times(2).unwrap().add(&Dim::number(1)).unwrap().to_string(), "2*H + 1");
        assert_eq!(h.sub(&Dim::number(1)).unwrap().over(2).unwrap().to_string(), "(H - 1)/2");
        assert_eq!(h.sub(&h).unwrap(), Dim::number(0));
    }

    #[test]
    fn values_tell_a_rest() {
        let quarter = symbol(0, "H").over(4).unwrap();
        assert_eq!(quarter.value(&HashMap::from([(0, 128)])), Some(Ok(32)));
        assert_eq!(quarter.value(&HashMap::from([(0, 130)])), Some(Err(130)));
        assert_eq!(quarter.value(&HashMap::new()), None);
    }

    #[test]
    fn overflow_is_no_panic() {
        let huge = Dim::number(i64::MAX);
        assert_eq!(huge.add(&Dim::number(1)), None);
        assert_eq!(huge.times(2), None);
        assert_eq!(symbol(0, "H").over(0), None);
        assert_eq!(Dim::number(7).over(2), None);
    }
}
