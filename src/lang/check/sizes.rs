//! Sizes that must divide: collected while checking, discharged at the end against the data.

use super::Checker;
use crate::lang::dim::Dim;
use crate::lang::report::shapes;
use crate::lang::source::Span;

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

impl Checker<'_> {
    /// Reports every size that does not divide, once for each text that sets it.
    pub fn discharge(&mut self, origins: &[SizeOrigin], declared: &[(Span, String)]) {
        let mut by_text: Vec<(Span, i64, Vec<String>, i64, Span, &'static str)> = Vec::new();
        for owed in &self.owed {
            let Some(over) = owed.dim.over(owed.by) else { continue };
            if !matches!(over.value(&self.out.sizes), Some(Err(_))) {
                continue;
            }
            // `(H - 1)/2` and the like speak of more than one size; then the numerator itself is what does not divide.
            let Some(origin) = over.symbols().find_map(|s| origins.iter().find(|o| o.symbol == s.id)) else { continue };
            let same = origins.iter().filter(|o| o.set_at == origin.set_at).map(|o| o.name.clone()).collect();
            match by_text.iter_mut().find(|(span, ..)| *span == origin.set_at) {
                Some(entry) if entry.3 < over.divisor() => {
                    (entry.3, entry.4, entry.5) = (over.divisor(), owed.span, owed.op);
                }
                Some(_) => {}
                None => by_text.push((origin.set_at, origin.value, same, over.divisor(), owed.span, owed.op)),
            }
        }
        for (set_at, value, mut names, divisor, at, op) in by_text {
            names.dedup();
            let suffix = format!("/{divisor}");
            let stated = declared.iter().find(|(_, text)| names.iter().any(|n| *text == format!("{n}{suffix}")));
            let report = shapes::does_not_divide(set_at, value, &names, divisor, at, op, stated.map(|(s, _)| *s));
            self.reports.push(report);
        }
    }
}
