//! Braces as shells read them: `a{1,2}b` is `a1b` and `a2b`.

/// As many texts as are made of one.
const LIMIT: usize = 10_000;
/// How deep braces may lie in braces.
const DEPTH: usize = 16;

/// All texts that `text` stands for, in order. Braces without a comma, or without their end, mean themselves. Errors:
/// more texts, or deeper braces, than are followed.
pub fn expand(text: &str) -> Result<Vec<String>, &'static str> {
    deep(text, 0)
}

fn deep(text: &str, depth: usize) -> Result<Vec<String>, &'static str> {
    if depth > DEPTH {
        return Err("braces lie too deep in braces");
    }
    let Some((before, choices, after)) = first(text) else { return Ok(vec![text.into()]) };
    let mut middles = Vec::new();
    for choice in choices {
        middles.append(&mut deep(choice, depth + 1)?);
    }
    let ends = deep(after, depth + 1)?;
    if middles.len().saturating_mul(ends.len()) > LIMIT {
        return Err("braces stand for more than 10,000 paths");
    }
    let all = middles.iter().flat_map(|m| ends.iter().map(move |e| format!("{before}{m}{e}")));
    Ok(all.collect())
}

/// What is before the first braces with a comma, their choices, and what is behind them.
fn first(text: &str) -> Option<(&str, Vec<&str>, &str)> {
    for (open, _) in text.match_indices('{') {
        let (mut depth, mut from, mut choices) = (0usize, open + 1, Vec::new());
        for (at, c) in text.get(open..)?.char_indices().map(|(i, c)| (open + i, c)) {
            match c {
                '{' => depth += 1,
                ',' if depth == 1 => {
                    choices.push(text.get(from..at)?);
                    from = at + 1;
                }
                '}' => {
                    depth -= 1;
                    if depth == 0 {
                        if choices.is_empty() {
                            break;
                        }
                        choices.push(text.get(from..at)?);
                        return Some((text.get(..open)?, choices, text.get(at + 1..)?));
                    }
                }
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_read_as_shells_do() {
        for (text, expected) in [
            ("a", &["a"][..]),
            ("a{1,2}b", &["a1b", "a2b"]),
            ("{a,b}/{1,2}", &["a/1", "a/2", "b/1", "b/2"]),
            ("x{a,b{1,2}}", &["xa", "xb1", "xb2"]),
            ("{a}{,b}", &["{a}", "{a}b"]),
            ("{{a,b}", &["{a", "{b"]),
            ("a}{", &["a}{"]),
            ("é{ü,ö}", &["éü", "éö"]),
        ] {
            assert_eq!(
                expand(text).as_deref(),
                Ok(expected.iter().map(|s| s.to_string()).collect::<Vec<_>>().as_slice())
            );
        }
        assert!(expand(&"{a,b}".repeat(14)).is_err() && expand(&"{a,".repeat(1000)).is_ok());
        assert!(expand(&format!("{}a{}", "{b,".repeat(40), "}".repeat(40))).is_err());
    }
}
