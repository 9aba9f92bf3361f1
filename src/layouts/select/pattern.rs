//! Patterns of names: `*` any characters, `?` one, `[a-c]` one of these, `[!a-c]` one of the others.

/// True where the whole name matches. A `[` that is not closed stands for itself. Letters match as they are written.
///
/// ```
/// use rord_layouts::select::matching;
/// assert!(matching("sky130_*_buf_?", "sky130_fd_sc_hd__buf_1") && matching("[a-c]1", "b1"));
/// assert!(!matching("[!a-c]*", "b1") && !matching("top", "top2"));
/// ```
pub fn matching(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut next) = (0, 0);
    // Behind the last star, and where what it takes ends: on a mismatch it takes one more.
    let mut star = None;
    while let Some(&letter) = name.get(next) {
        let rest = pattern.get(at..).unwrap_or_default();
        if rest.first() == Some(&'*') {
            at += 1;
            star = Some((at, next));
        } else if let Some(length) = one(rest, letter) {
            (at, next) = (at + length, next + 1);
        } else if let Some((behind, end)) = star {
            (at, next) = (behind, end + 1);
            star = Some((behind, next));
        } else {
            return false;
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|&rest| rest == '*')
}

/// How many characters of a pattern stand for this letter; `None` where they stand for others.
fn one(pattern: &[char], letter: char) -> Option<usize> {
    match *pattern {
        ['?', ..] => Some(1),
        ['[', ref rest @ ..] if closing(rest).is_some() => {
            let end = closing(rest)?;
            let set = rest.get(..end)?;
            let (not, mut set) = match set {
                ['!' | '^', set @ ..] if !set.is_empty() => (true, set),
                set => (false, set),
            };
            let mut found = false;
            while let [first, ..] = *set {
                if let [_, '-', last, ref behind @ ..] = *set {
                    found |= (first..=last).contains(&letter);
                    set = behind;
                } else {
                    found |= first == letter;
                    set = set.get(1..).unwrap_or_default();
                }
            }
            (found != not).then_some(end + 2)
        }
        [first, ..] if first == letter => Some(1),
        _ => None,
    }
}

/// Where a set ends; its first character, and the first behind `!`, belong to it whatever they are.
fn closing(set: &[char]) -> Option<usize> {
    let from = if matches!(set, ['!' | '^', ..]) { 2 } else { 1 };
    set.iter().enumerate().skip(from).find(|&(_, &letter)| letter == ']').map(|(end, _)| end)
}
