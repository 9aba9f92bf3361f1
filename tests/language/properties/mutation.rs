//! Nearly valid pipelines: a text with a few of its tokens changed, which finds what bytes at random never reach.

use rord_lang::lex::{ITEMS, KEYWORDS, TokenKind, lex};
use rord_lang::source::FileId;

/// What replaces a token, beside the tokens of the same and of another text: numbers at the ends of their ranges, marks, words.
const ODD: [&str; 62] = [
    "0",
    "1",
    "2",
    "-1",
    "0.0",
    "1e-300",
    "1e300",
    "255",
    "65536",
    "4294967295",
    "4294967296",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "99999999999999999999999",
    "0px",
    "1px",
    "64px",
    "9007199254740993px",
    "4611686018427387904px",
    "1e18px",
    "0.5px",
    "3epochs",
    "1e18epochs",
    "7steps",
    "90deg",
    "1e9deg",
    "true",
    "false",
    "none",
    "mean",
    "sum",
    "\"\"",
    "\"a\"",
    "\"é\"",
    "_",
    "B",
    "H",
    "W",
    "H / 2",
    "2 * H",
    "H * W",
    "H - H",
    "@orig",
    "@moved",
    "@f->g",
    "()",
    "[]",
    "{}",
    "[1, 2, 3]",
    "0..1",
    "1..0",
    "|> relu",
    "|> conv(8, 3)",
    "inv(H)",
    "x",
    "é",
    "\0",
    "\r",
    "##\n",
    "#\n",
];

/// Numbers at random (SplitMix64).
pub struct Choice(u64);

impl Choice {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `most`, or 0.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % most.max(1) as u64) as usize
    }
}

/// A text cut into its tokens, each with what lies before it; what is behind the last one goes with it.
fn pieces(text: &str) -> Vec<(&str, &str)> {
    let (tokens, _, _) = lex(text, FileId(0));
    let mut at = 0;
    let mut out = Vec::with_capacity(tokens.len());
    for token in tokens.iter().filter(|t| t.kind != TokenKind::End) {
        let (start, end) = (token.span.start as usize, token.span.end as usize);
        out.push((text.get(at..start).unwrap_or(""), text.get(start..end).unwrap_or("")));
        at = end;
    }
    out
}

/// Where the item around a token begins and ends.
fn item(tokens: &[(&str, &str)], at: usize) -> (usize, usize) {
    let starts = |i: usize| tokens[i].0.contains('\n') && ITEMS.contains(&tokens[i].1);
    let begin = (0..=at).rev().find(|i| starts(*i)).unwrap_or(0);
    let end = (at + 1..tokens.len()).find(|i| starts(*i)).unwrap_or(tokens.len());
    (begin, end)
}

/// `text` with one to four changes; `other` lends tokens and items.
pub fn mutated(text: &str, other: &str, seed: u64) -> String {
    let mut choose = Choice::new(seed);
    let lent = pieces(other);
    let mut tokens = pieces(text);
    for _ in 0..1 + choose.below(4) {
        if tokens.is_empty() {
            tokens.push(("", ODD[choose.below(ODD.len())]));
        }
        let at = choose.below(tokens.len());
        let from = choose.below(tokens.len());
        let (begin, end) = item(&tokens, at);
        match choose.below(14) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[from]),
            2 => tokens[at].1 = tokens[from].1,
            3 => {
                let (a, b) = (tokens[at].1, tokens[from].1);
                (tokens[at].1, tokens[from].1) = (b, a);
            }
            4 | 5 => tokens[at].1 = ODD[choose.below(ODD.len())],
            6 => tokens[at].1 = KEYWORDS[choose.below(KEYWORDS.len())],
            7 if !lent.is_empty() => tokens[at].1 = lent[choose.below(lent.len())].1,
            8 => tokens.insert(at, (" ", ODD[choose.below(ODD.len())])),
            // A number by an odd number, a name by a name of the same file: what is more likely to parse.
            9 => {
                let numbers: Vec<usize> =
                    (0..tokens.len()).filter(|i| tokens[*i].1.starts_with(|c: char| c.is_ascii_digit())).collect();
                if !numbers.is_empty() {
                    tokens[numbers[choose.below(numbers.len())]].1 = ODD[choose.below(28)];
                }
            }
            10 | 11 => {
                let names: Vec<usize> =
                    (0..tokens.len()).filter(|i| tokens[*i].1.starts_with(|c: char| c.is_alphabetic())).collect();
                if !names.is_empty() {
                    let (to, with) = (names[choose.below(names.len())], names[choose.below(names.len())]);
                    tokens[to].1 = tokens[with].1;
                }
            }
            // Items: gone, twice, elsewhere, another text's.
            12 => drop(tokens.drain(begin..end)),
            _ if !lent.is_empty() && choose.below(2) == 0 => {
                let (a, b) = item(&lent, choose.below(lent.len()));
                tokens.splice(begin..begin, lent[a..b].iter().copied());
            }
            _ => {
                let moved: Vec<_> = tokens[begin..end].to_vec();
                let to = item(&tokens, from).0;
                tokens.splice(to..to, moved);
            }
        }
    }
    tokens.iter().flat_map(|(before, token)| [*before, *token]).collect()
}
