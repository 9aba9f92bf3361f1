//! Sizes of axes as sums of products with a divisor: `H`, `H/4`, `2*C + 1`, `B*N`, compared in normal form.
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

/// A product of symbols, in order of their ids; one that stands twice is squared.
type Product = Vec<Symbol>;

/// The most terms of a sum: a size with more is none that anybody means.
const MOST_TERMS: usize = 32;

/// `(Σ factor·symbol·… + constant) / divisor` in lowest terms, products of symbols in order of their ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dim {
    terms: Vec<(Product, i64)>,
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
        Dim { terms: vec![(vec![symbol], 1)], constant: 0, divisor: 1 }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<i64> {
        (self.terms.is_empty() && self.divisor == 1).then_some(self.constant)
    }

    /// The symbol, if it is one and nothing else.
    pub fn as_symbol(&self) -> Option<&Symbol> {
        match self.terms.as_slice() {
            [(product, 1)] if self.constant == 0 && self.divisor == 1 => match product.as_slice() {
                [symbol] => Some(symbol),
                _ => None,
            },
            _ => None,
        }
    }

    /// True where a part of it is unknown, so that comparing it proves nothing.
    pub fn is_opaque(&self) -> bool {
        self.symbols().any(|s| s.opaque)
    }

    /// The symbols in it.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.terms.iter().flat_map(|(product, _)| product)
    }

    /// What it is divided by.
    pub fn divisor(&self) -> i64 {
        self.divisor
    }

    /// The sum; `None` on overflow.
    pub fn add(&self, other: &Dim) -> Option<Dim> {
        let (a, b) = (other.divisor, self.divisor);
        let scaled = |d: &Dim, by: i64| -> Option<Vec<(Product, i64)>> {
            d.terms.iter().map(|(s, f)| Some((s.clone(), f.checked_mul(by)?))).collect()
        };
        let mut terms = scaled(self, a)?;
        for (product, factor) in scaled(other, b)? {
            match terms.iter_mut().find(|(s, _)| *s == product) {
                Some((_, f)) => *f = f.checked_add(factor)?,
                None => terms.push((product, factor)),
            }
        }
        let constant = self.constant.checked_mul(a)?.checked_add(other.constant.checked_mul(b)?)?;
        normal(terms, constant, self.divisor.checked_mul(other.divisor)?)
    }

    /// The difference; `None` on overflow.
    pub fn sub(&self, other: &Dim) -> Option<Dim> {
        self.add(&other.times(-1)?)
    }

    /// The product with a number; `None` on overflow.
    pub fn times(&self, by: i64) -> Option<Dim> {
        let terms = self.terms.iter().map(|(s, f)| Some((s.clone(), f.checked_mul(by)?))).collect::<Option<_>>()?;
        normal(terms, self.constant.checked_mul(by)?, self.divisor)
    }

    /// The product; `None` on overflow.
    pub fn mul(&self, other: &Dim) -> Option<Dim> {
        let mut sum = Dim::number(0);
        for (a, f) in self.parts() {
            for (b, g) in other.parts() {
                let mut product: Product = a.iter().chain(b).cloned().collect();
                product.sort_by_key(|s| s.id);
                let factor = f.checked_mul(g)?;
                let part = match product.is_empty() {
                    true => Dim::number(factor),
                    false => Dim { terms: vec![(product, factor)], constant: 0, divisor: 1 },
                };
                sum = sum.add(&part)?;
            }
        }
        normal(sum.terms, sum.constant, self.divisor.checked_mul(other.divisor)?)
    }

    /// The terms and the constant, which is a product of nothing.
    fn parts(&self) -> impl Iterator<Item = (&[Symbol], i64)> {
        let constant: (&[Symbol], i64) = (&[], self.constant);
        self.terms.iter().map(|(p, f)| (p.as_slice(), *f)).chain(std::iter::once(constant)).filter(|(_, f)| *f != 0)
    }

    /// The exact quotient; `None` on overflow, by zero, or where the number is not divisible.
    pub fn over(&self, by: i64) -> Option<Dim> {
        let divisor = self.divisor.checked_mul(by).filter(|_| by > 0)?;
        let result = normal(self.terms.clone(), self.constant, divisor)?;
        (!result.terms.is_empty() || result.divisor == 1).then_some(result)
    }

    /// The value, where every symbol has one; `Err` holds the numerator where the division leaves a rest.
    pub fn value(&self, sizes: &HashMap<u32, i64>) -> Option<Result<i64, i64>> {
        let mut sum = self.constant;
        for (product, factor) in &self.terms {
            let mut term = *factor;
            for symbol in product {
                term = term.checked_mul(*sizes.get(&symbol.id)?)?;
            }
            sum = sum.checked_add(term)?;
        }
        Some(if sum % self.divisor == 0 { Ok(sum / self.divisor) } else { Err(sum) })
    }

    /// What `symbol` must be for this to equal `target`; `None` where no whole answer exists.
    pub fn solve(&self, symbol: u32, target: &Dim) -> Option<Dim> {
        let has = |product: &Product| product.iter().filter(|s| s.id == symbol).count();
        let mut with = self.terms.iter().filter(|(p, _)| has(p) > 0);
        let (product, factor) = with.next().filter(|(p, _)| has(p) == 1)?;
        if with.next().is_some() {
            return None;
        }
        let rest = Dim {
            terms: self.terms.iter().filter(|(p, _)| has(p) == 0).cloned().collect(),
            constant: self.constant,
            divisor: 1,
        };
        let scaled = target.times(self.divisor)?.sub(&rest)?;
        let others: Product = product.iter().filter(|s| s.id != symbol).cloned().collect();
        let scaled = scaled.without(&others)?;
        if *factor < 0 { scaled.times(-1)?.over(factor.checked_neg()?) } else { scaled.over(*factor) }
    }

    /// The quotient by a product of symbols, which every term must have in it.
    fn without(&self, by: &[Symbol]) -> Option<Dim> {
        let mut out = self.clone();
        for symbol in by {
            if out.constant != 0 {
                return None;
            }
            let mut next = Dim { terms: vec![], constant: 0, divisor: out.divisor };
            for (product, factor) in &out.terms {
                let at = product.iter().position(|s| s == symbol)?;
                let left: Product =
                    product.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, s)| s.clone()).collect();
                match left.is_empty() {
                    true => next.constant = next.constant.checked_add(*factor)?,
                    false => next.terms.push((left, *factor)),
                }
            }
            out = normal(next.terms, next.constant, next.divisor)?;
        }
        Some(out)
    }

    /// With every symbol of `with` replaced; `None` on overflow.
    pub fn replace(&self, with: &HashMap<u32, Dim>) -> Option<Dim> {
        let mut sum = Dim::number(self.constant);
        for (product, factor) in &self.terms {
            let mut term = Dim::number(*factor);
            for symbol in product {
                let one = with.get(&symbol.id).cloned().unwrap_or_else(|| Dim::symbol(symbol.clone()));
                term = term.mul(&one)?;
            }
            sum = sum.add(&term)?;
        }
        let divisor = sum.divisor.checked_mul(self.divisor)?;
        normal(sum.terms, sum.constant, divisor)
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

/// In lowest terms; `None` where there are too many.
fn normal(mut terms: Vec<(Product, i64)>, constant: i64, divisor: i64) -> Option<Dim> {
    terms.retain(|(_, f)| *f != 0);
    let most = terms.iter().map(|(p, _)| p.len()).max().unwrap_or(0);
    if terms.len() > MOST_TERMS || most > MOST_TERMS {
        return None;
    }
    let ids = |product: &Product| product.iter().map(|s| s.id).collect::<Vec<u32>>();
    terms.sort_by_cached_key(|(product, _)| ids(product));
    let common = terms.iter().fold(gcd(constant, divisor), |g, (_, f)| gcd(g, *f)).max(1);
    for (_, f) in &mut terms {
        *f /= common;
    }
    Some(Dim { terms, constant: constant / common, divisor: divisor / common })
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.terms.len() + usize::from(self.constant != 0);
        let bracketed = self.divisor != 1 && parts > 1;
        if bracketed {
            f.write_str("(")?;
        }
        for (i, (product, factor)) in self.terms.iter().enumerate() {
            match (i, factor < &0) {
                (0, false) => {}
                (0, true) => f.write_str("-")?,
                (_, false) => f.write_str(" + ")?,
                (_, true) => f.write_str(" - ")?,
            }
            if factor.abs() != 1 {
                write!(f, "{}*", factor.abs())?;
            }
            let names: Vec<&str> = product.iter().map(|s| &*s.name).collect();
            f.write_str(&names.join("*"))?;
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
    fn products_of_names_are_sizes() {
        let (b, n) = (symbol(0, "B"), symbol(1, "N"));
        let both = b.mul(&n).unwrap();
        assert_eq!(both, n.mul(&b).unwrap());
        assert_eq!(both.to_string(), "B*N");
        assert_eq!(n.mul(&n).unwrap().times(2).unwrap().over(4).unwrap().to_string(), "N*N/2");
        assert_eq!(both.value(&HashMap::from([(0, 3), (1, 5)])), Some(Ok(15)));
        let sum = b.add(&Dim::number(1)).unwrap().mul(&n.sub(&Dim::number(1)).unwrap()).unwrap();
        assert_eq!(sum.to_string(), "-B + B*N + N - 1");
        assert_eq!(both.solve(1, &both), Some(n.clone()));
        assert_eq!(both.solve(1, &n), None);
        assert_eq!(n.mul(&n).unwrap().solve(1, &Dim::number(4)), None);
        let replaced = both.replace(&HashMap::from([(0, b.add(&n).unwrap())])).unwrap();
        assert_eq!(replaced.to_string(), "B*N + N*N");
        let mut power = symbol(2, "x").add(&symbol(3, "y")).unwrap();
        let doubled = (0..8).try_for_each(|_| power.mul(&power).map(|p| power = p));
        assert_eq!(doubled, None, "a size of hundreds of terms");
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
