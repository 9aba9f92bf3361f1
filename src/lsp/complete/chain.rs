//! What a chain has made so far, for the order of what may follow it: behind `sigmoid` come losses of probabilities
//! before what takes any value.

use super::{List, takes_tensor};
use crate::brackets::Before;
use crate::hints::type_of;
use crate::hover::brief;
use crate::signature::{Callee, callees};
use rord_lang::types::Kind;

impl List<'_> {
    /// The kind of the value before the `|>` at the place, as far as names and signatures say.
    pub(super) fn chained(&self) -> Option<Kind> {
        let mut at = self.before.len().checked_sub(2)?;
        loop {
            let name = callee_before(self.before, at)?;
            let word = self.before.word(name)?;
            let piped = self.before.piped(name);
            let called = self.before.mark(name + 1) == Some("(") || piped;
            let found = if called { self.made_by(word) } else { self.named(word) };
            match found {
                Some(kind) => return Some(kind),
                // What keeps the kind of what goes in is as that is.
                None if piped => at = name.checked_sub(2)?,
                None => return None,
            }
        }
    }

    /// The kind that a call gives, where its signature names one below that of any value or map.
    fn made_by(&self, callee: &str) -> Option<Kind> {
        let operation = self.world.vocabulary.operation(callee).and_then(|o| o.result.as_ref());
        let function = self.world.vocabulary.function(callee).and_then(|f| f.function.result.as_ref());
        let own = callees(self.world, &self.doc.unit, callee).into_iter().find_map(|c| c.result);
        let named = operation.or(function).map(|ty| ty.kind.text.clone()).or(own)?;
        let word: String = named.chars().take_while(|c| c.is_alphanumeric()).collect();
        Kind::named(&word).filter(|k| !matches!(k, Kind::Values | Kind::Map))
    }

    /// The kind of a name.
    fn named(&self, word: &str) -> Option<Kind> {
        let doc = self.doc;
        let seen = doc.unit.index.visible(self.before.prefix.start).filter(|(_, s)| s.name == word).last();
        let symbol = seen.map(|(_, symbol)| symbol)?;
        let shown = type_of(doc, symbol.span).unwrap_or_else(|| brief(doc, symbol));
        let kind: String = shown.chars().take_while(|c| c.is_alphanumeric()).collect();
        Kind::named(&kind)
    }

    /// Where something stands in the list of what may follow a value of a kind: the closer its first parameter is to
    /// that kind the earlier, and last what does not take it.
    pub(super) fn rank(callee: Option<&Callee>, kind: Option<Kind>) -> u8 {
        const LAST: u8 = 9;
        let (Some(callee), Some(kind)) = (callee, kind) else { return 0 };
        let first = callee.params.first().and_then(|p| Kind::named(&p.kind));
        let Some(wanted) = first.filter(|k| kind.is(*k) && takes_tensor(callee)) else { return LAST };
        let (mut steps, mut at) = (0, kind);
        while at != wanted {
            let Some(above) = at.above() else { return LAST };
            (steps, at) = (steps + 1, above);
        }
        steps
    }
}

/// The name of the value or call that ends at a token: `conv` of `conv(3, 3)`.
fn callee_before(before: &Before<'_>, at: usize) -> Option<usize> {
    if before.word(at).is_some() {
        return Some(at);
    }
    let (mut depth, mut at) = (0usize, at);
    loop {
        match before.mark(at) {
            Some(")" | "]") => depth += 1,
            Some("(" | "[") => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at = at.checked_sub(1)?;
        if depth == 0 {
            return before.word(at).map(|_| at);
        }
    }
}
