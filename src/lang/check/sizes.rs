//! Sizes that must divide: collected while checking, discharged at the end against the data.

use super::Checker;
use crate::dim::{Dim, gcd};
use crate::report::shapes;
use crate::source::Span;

/// `by` must divide `dim`.
pub struct Owed {
    /// What is divided.
    pub dim: Dim,
    /// By what.
    pub by: i64,
    /// Who divides.
    pub span: Span,
    /// Its name.
    pub op: &'static str,
}

/// A size whose value the data sets.
#[derive(Clone, Debug)]
pub struct SizeOrigin {
    /// The symbol.
    pub symbol: u32,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: i64,
    /// The text that sets it.
    pub set_at: Span,
}

/// A text that sets a size, and the largest number that should divide it.
struct Undivided {
    set_at: Span,
    value: i64,
    names: Vec<String>,
    divisor: i64,
    at: Span,
    op: &'static str,
}

impl Checker<'_> {
    /// Reports every size that does not divide, once for each text that sets it.
    pub fn discharge(&mut self, origins: &[SizeOrigin], declared: &[(Span, String)]) {
        let mut by_text: Vec<Undivided> = Vec::new();
        for owed in &self.logs.owed {
            let Some(over) = owed.dim.over(owed.by) else { continue };
            if !matches!(over.value(&self.out.sizes), Some(Err(_))) {
                continue;
            }
            // `(H - 1)/2` and the like speak of more than one size; then the numerator itself is what does not divide.
            let Some(origin) = over.symbols().find_map(|s| origins.iter().find(|o| o.symbol == s.id)) else { continue };
            let same = origins.iter().filter(|o| o.set_at == origin.set_at).map(|o| o.name.clone()).collect();
            match by_text.iter_mut().find(|u| u.set_at == origin.set_at) {
                Some(u) => {
                    let both = u.divisor / gcd(u.divisor, over.divisor()) * over.divisor();
                    if both > u.divisor {
                        (u.divisor, u.at, u.op) = (both, owed.span, owed.op);
                    }
                }
                None => by_text.push(Undivided {
                    set_at: origin.set_at,
                    value: origin.value,
                    names: same,
                    divisor: over.divisor(),
                    at: owed.span,
                    op: owed.op,
                }),
            }
        }
        for u in by_text {
            let mut names = u.names;
            names.dedup();
            let suffix = format!("/{}", u.divisor);
            let stated = declared.iter().find(|(_, text)| names.iter().any(|n| *text == format!("{n}{suffix}")));
            let stated = stated.map(|(span, _)| *span);
            self.logs.reports.push(shapes::does_not_divide(u.set_at, u.value, &names, u.divisor, u.at, u.op, stated));
        }
    }
}
