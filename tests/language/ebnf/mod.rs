//! An interpreter for `grammar/rord.ebnf`: it reads the file, tells whether a text is a sentence of it, and makes sentences up.
//!
//! It shares nothing with the parser in `src/lang`, tokens included.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The right side of a production, or a part of it. Every node has a number.
#[derive(Debug, Clone)]
pub enum Node {
    Literal(String),
    Words(String),
    Rule(String),
    /// `commas(a)`
    Commas(usize, Box<Node>),
    Sequence(Vec<Node>),
    Choice(usize, Vec<Node>),
    Optional(usize, Box<Node>),
    Repeat(usize, Box<Node>),
    Except(Box<Node>, Box<Node>),
}

/// All productions.
pub struct Grammar {
    pub rules: BTreeMap<String, Node>,
    pub order: Vec<String>,
    marks: Vec<String>,
    keywords: BTreeSet<String>,
}

/// Names in capitals are tokens: what is inside them is characters.
fn is_token(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_uppercase())
}

impl Grammar {
    /// The grammar in the repository.
    pub fn shipped() -> Self {
        Self::read(&std::fs::read_to_string("grammar/rord.ebnf").unwrap())
    }

    pub fn read(text: &str) -> Self {
        let mut pieces = Vec::new();
        let chars: Vec<char> = text.chars().collect();
        let mut i = 0;
        while i < chars.len() {
            let c = chars[i];
            let until = |from: usize, end: &str| {
                let end: Vec<char> = end.chars().collect();
                (from..chars.len()).find(|j| chars[*j..].starts_with(&end)).unwrap_or_else(|| panic!("no {end:?}"))
            };
            if c.is_whitespace() {
                i += 1;
            } else if c == '(' && chars.get(i + 1) == Some(&'*') {
                i = until(i + 2, "*)") + 2;
            } else if c == '?' {
                let end = until(i + 1, "?");
                pieces.push(format!("?{}", chars[i + 1..end].iter().collect::<String>().trim()));
                i = end + 1;
            } else if c == '"' || c == '\'' {
                let end = until(i + 1, &c.to_string());
                pieces.push(format!("'{}", chars[i + 1..end].iter().collect::<String>()));
                i = end + 1;
            } else if c.is_alphabetic() {
                let end = (i..chars.len()).find(|j| !chars[*j].is_alphabetic()).unwrap();
                pieces.push(chars[i..end].iter().collect());
                i = end;
            } else {
                pieces.push(c.to_string());
                i += 1;
            }
        }
        let mut reader = Reader { pieces, at: 0, nodes: 0 };
        let (mut rules, mut order) = (BTreeMap::new(), Vec::new());
        while reader.at < reader.pieces.len() {
            let name = reader.next();
            assert_eq!(reader.next(), "=", "after {name}");
            let body = reader.choice();
            assert_eq!(reader.next(), ";", "after the production of {name}");
            assert!(rules.insert(name.clone(), body).is_none(), "{name} twice");
            order.push(name);
        }
        let mut grammar = Self { rules, order, marks: Vec::new(), keywords: BTreeSet::new() };
        grammar.marks = grammar.all_marks();
        grammar.keywords = grammar.parts("KEYWORD").1;
        grammar
    }

    /// Names that are used and not defined.
    pub fn missing(&self) -> Vec<String> {
        let mut used = BTreeSet::new();
        for body in self.rules.values() {
            names(body, &mut used);
        }
        used.into_iter().filter(|n| !self.rules.contains_key(n)).collect()
    }

    /// Names that no other production uses.
    pub fn unused(&self) -> Vec<String> {
        let mut used = BTreeSet::new();
        for body in self.rules.values() {
            names(body, &mut used);
        }
        self.order.iter().filter(|n| !used.contains(*n)).cloned().collect()
    }

    /// Every name and quoted word of one production.
    pub fn parts(&self, rule: &str) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut used, mut quoted) = (BTreeSet::new(), BTreeSet::new());
        names(&self.rules[rule], &mut used);
        literals(&self.rules[rule], &mut quoted);
        (used, quoted)
    }

    /// The keywords.
    pub fn keywords(&self) -> &BTreeSet<String> {
        &self.keywords
    }

    /// Every quoted mark outside of tokens, longest first.
    fn all_marks(&self) -> Vec<String> {
        let mut all = BTreeSet::new();
        for (_, body) in self.rules.iter().filter(|(n, _)| !is_token(n)) {
            literals(body, &mut all);
        }
        let mut marks: Vec<String> = all.into_iter().filter(|m| !m.chars().all(char::is_alphabetic)).collect();
        marks.sort_by_key(|m| std::cmp::Reverse(m.len()));
        marks
    }

    // ---- Reading

    /// The ends of `node` at `at` in `text`, as characters.
    fn spell(&self, node: &Node, text: &[char], at: usize) -> BTreeSet<usize> {
        match node {
            Node::Literal(word) => {
                let word: Vec<char> = word.chars().collect();
                text[at..].starts_with(&word).then_some(at + word.len()).into_iter().collect()
            }
            Node::Words(words) => in_words(words, text, at).into_iter().collect(),
            Node::Rule(name) => self.spell(&self.rules[name], text, at),
            Node::Sequence(parts) => parts.iter().fold(BTreeSet::from([at]), |ends, part| {
                ends.into_iter().flat_map(|end| self.spell(part, text, end)).collect()
            }),
            Node::Choice(_, parts) => parts.iter().flat_map(|p| self.spell(p, text, at)).collect(),
            Node::Optional(_, part) => {
                let mut ends = self.spell(part, text, at);
                ends.insert(at);
                ends
            }
            Node::Repeat(_, part) => {
                let (mut ends, mut fresh) = (BTreeSet::from([at]), vec![at]);
                while let Some(end) = fresh.pop() {
                    fresh.extend(self.spell(part, text, end).into_iter().filter(|e| ends.insert(*e)));
                }
                ends
            }
            Node::Except(part, but) => {
                let longest = self.spell(part, text, at).into_iter().next_back();
                longest.filter(|end| !self.spell(but, text, at).contains(end)).into_iter().collect()
            }
            Node::Commas(..) => panic!("a list inside a token"),
        }
    }

    fn longest(&self, rule: &str, text: &[char], at: usize) -> Option<usize> {
        self.spell(&Node::Rule(rule.into()), text, at).into_iter().next_back().filter(|end| *end > at)
    }

    /// The tokens of a text; nothing where it has a character that begins none.
    pub fn tokens(&self, text: &str) -> Option<Vec<Token>> {
        let text: Vec<char> = text.chars().collect();
        let (marks, keywords) = (&self.marks, &self.keywords);
        let (mut at, mut tokens) = (0, Vec::new());
        while at < text.len() {
            if matches!(text[at], ' ' | '\t' | '\n' | '\r') {
                at += 1;
                continue;
            }
            if let ('#', Some(end)) = (text[at], self.longest("DOC", &text, at)) {
                tokens.push(Token { class: "DOC", text: text[at..end].iter().collect() });
                at = end;
                continue;
            }
            if let ('#', Some(end)) = (text[at], self.longest("COMMENT", &text, at)) {
                at = end;
                continue;
            }
            let classes = ["WORD", "NUMBER", "STRING"];
            let found = classes.iter().find_map(|c| self.longest(c, &text, at).map(|end| (*c, end)));
            let mark = |m: &&String| text[at..].starts_with(&m.chars().collect::<Vec<_>>());
            let (class, end) = found.or_else(|| marks.iter().find(mark).map(|m| ("MARK", at + m.chars().count())))?;
            let written: String = text[at..end].iter().collect();
            let class = if class == "WORD" && !keywords.contains(&written) { "NAME" } else { class };
            tokens.push(Token { class, text: written });
            at = end;
        }
        Some(tokens)
    }

    /// Whether a text is a `file` of the grammar.
    pub fn accepts(&self, text: &str) -> bool {
        self.tokens(text).is_some_and(|tokens| self.accepts_tokens(&tokens))
    }

    /// Whether these tokens are a `file` of the grammar.
    pub fn accepts_tokens(&self, tokens: &[Token]) -> bool {
        let memo = RefCell::new(HashMap::new());
        self.match_rule("file", tokens, 0, &memo).contains(&tokens.len())
    }

    fn match_rule(&self, name: &str, tokens: &[Token], at: usize, memo: &Memo) -> Vec<usize> {
        if is_token(name) {
            let fits = tokens.get(at).is_some_and(|t| match name {
                "WORD" => matches!(t.class, "NAME" | "WORD"),
                "AXIS" => t.class == "NAME" && !t.text.starts_with(|c: char| c.is_ascii_uppercase()),
                "INT" => t.class == "NUMBER" && t.text.chars().all(|c| c.is_ascii_digit()),
                _ => t.class == name,
            });
            return if fits { vec![at + 1] } else { vec![] };
        }
        let (name, body) = self.rules.get_key_value(name).unwrap();
        let key = (name.as_ptr() as usize, at);
        if let Some(known) = memo.borrow().get(&key) {
            return known.clone();
        }
        let ends = self.matches(body, tokens, at, memo);
        memo.borrow_mut().insert(key, ends.clone());
        ends
    }

    fn matches(&self, node: &Node, tokens: &[Token], at: usize, memo: &Memo) -> Vec<usize> {
        let sorted = |mut ends: Vec<usize>| {
            ends.sort_unstable();
            ends.dedup();
            ends
        };
        let repeat = |part: &dyn Fn(usize) -> Vec<usize>, starts: Vec<usize>| {
            let (mut ends, mut fresh) = (starts.clone(), starts);
            while let Some(end) = fresh.pop() {
                for next in part(end) {
                    if !ends.contains(&next) {
                        ends.push(next);
                        fresh.push(next);
                    }
                }
            }
            sorted(ends)
        };
        match node {
            Node::Literal(word) => {
                let fits = tokens.get(at).is_some_and(|t| t.text == *word && !matches!(t.class, "STRING" | "DOC"));
                if fits { vec![at + 1] } else { vec![] }
            }
            Node::Rule(name) => self.match_rule(name, tokens, at, memo),
            Node::Sequence(parts) => parts.iter().fold(vec![at], |ends, part| {
                sorted(ends.into_iter().flat_map(|end| self.matches(part, tokens, end, memo)).collect())
            }),
            Node::Choice(_, parts) => sorted(parts.iter().flat_map(|p| self.matches(p, tokens, at, memo)).collect()),
            Node::Optional(_, part) => {
                let mut ends = self.matches(part, tokens, at, memo);
                ends.push(at);
                sorted(ends)
            }
            Node::Repeat(_, part) => repeat(&|end| self.matches(part, tokens, end, memo), vec![at]),
            Node::Commas(_, item) => {
                let comma = |end: usize| tokens.get(end).is_some_and(|t| t.class == "MARK" && t.text == ",");
                let first = self.matches(item, tokens, at, memo);
                let next = |end: usize| if comma(end) { self.matches(item, tokens, end + 1, memo) } else { vec![] };
                let mut ends = repeat(&next, first);
                ends.extend(ends.clone().into_iter().filter(|e| comma(*e)).map(|e| e + 1));
                ends.push(at);
                sorted(ends)
            }
            Node::Words(_) | Node::Except(..) => panic!("characters outside of a token"),
        }
    }

    // ---- Making up

    /// The least number of productions on the way from each name to tokens.
    fn depths(&self) -> BTreeMap<&str, usize> {
        let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
        for _ in 0..self.rules.len() {
            for (name, body) in &self.rules {
                if let Some(depth) = depth(body, &depths) {
                    depths.insert(name, depth + 1);
                }
            }
        }
        depths
    }

    /// A sentence made of choices; `deepest` bounds how far productions go into each other.
    pub fn derive(
        &self,
        choices: &mut dyn FnMut(usize) -> usize,
        deepest: usize,
        seen: &mut BTreeSet<(usize, usize)>,
    ) -> Vec<String> {
        let depths = self.depths();
        let mut maker = Maker { grammar: self, depths, choices, seen, out: Vec::new() };
        maker.make(&Node::Rule("file".into()), deepest);
        maker.out
    }

    /// Every choice there is outside of tokens: number of the node, number of the alternative.
    pub fn choices(&self) -> BTreeSet<(usize, usize)> {
        fn walk(node: &Node, all: &mut BTreeSet<(usize, usize)>) {
            match node {
                Node::Choice(id, parts) => {
                    all.extend((0..parts.len()).map(|i| (*id, i)));
                    parts.iter().for_each(|p| walk(p, all));
                }
                Node::Optional(id, part) => {
                    all.extend([(*id, 0), (*id, 1)]);
                    walk(part, all);
                }
                Node::Repeat(id, part) => {
                    all.extend([(*id, 0), (*id, 1), (*id, 2)]);
                    walk(part, all);
                }
                // None, one, several; the same with a comma at the end.
                Node::Commas(id, part) => {
                    all.extend([(*id, 0), (*id, 1), (*id, 2), (*id, 3), (*id, 4)]);
                    walk(part, all);
                }
                Node::Sequence(parts) => parts.iter().for_each(|p| walk(p, all)),
                Node::Literal(_) | Node::Words(_) | Node::Rule(_) | Node::Except(..) => {}
            }
        }
        let mut all = BTreeSet::new();
        for (_, body) in self.rules.iter().filter(|(n, _)| !is_token(n)) {
            walk(body, &mut all);
        }
        all
    }
}

type Memo = RefCell<HashMap<(usize, usize), Vec<usize>>>;

/// A token as the grammar sees it.
#[derive(Debug, Clone)]
pub struct Token {
    pub class: &'static str,
    pub text: String,
}

struct Reader {
    pieces: Vec<String>,
    at: usize,
    nodes: usize,
}

impl Reader {
    fn peek(&self) -> &str {
        self.pieces.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        let piece = self.peek().to_string();
        self.at += 1;
        piece
    }

    fn number(&mut self) -> usize {
        self.nodes += 1;
        self.nodes
    }

    fn choice(&mut self) -> Node {
        let mut parts = vec![self.sequence()];
        while self.peek() == "|" {
            self.next();
            parts.push(self.sequence());
        }
        if parts.len() == 1 { parts.remove(0) } else { Node::Choice(self.number(), parts) }
    }

    fn sequence(&mut self) -> Node {
        let mut parts = vec![self.except()];
        while self.peek() == "," {
            self.next();
            parts.push(self.except());
        }
        if parts.len() == 1 { parts.remove(0) } else { Node::Sequence(parts) }
    }

    fn except(&mut self) -> Node {
        let part = self.part();
        if self.peek() != "-" {
            return part;
        }
        self.next();
        Node::Except(Box::new(part), Box::new(self.part()))
    }

    fn part(&mut self) -> Node {
        let piece = self.next();
        let mut inside = |close: &str| {
            let inner = Box::new(self.choice());
            assert_eq!(self.next(), close);
            inner
        };
        match piece.as_str() {
            "(" => *inside(")"),
            "[" => {
                let inner = inside("]");
                Node::Optional(self.number(), inner)
            }
            "{" => {
                let inner = inside("}");
                Node::Repeat(self.number(), inner)
            }
            "commas" => {
                assert_eq!(self.next(), "(");
                let inner = Box::new(self.choice());
                assert_eq!(self.next(), ")");
                Node::Commas(self.number(), inner)
            }
            quoted if quoted.starts_with('\'') => Node::Literal(quoted[1..].into()),
            words if words.starts_with('?') => Node::Words(words[1..].into()),
            name if name.chars().all(char::is_alphabetic) => Node::Rule(name.into()),
            other => panic!("`{other}` in the grammar"),
        }
    }
}

/// What the grammar says in words.
fn in_words(words: &str, text: &[char], at: usize) -> Option<usize> {
    let next = text.get(at).copied();
    let rest = || text[at..].iter().position(|c| *c == '\n').map_or(text.len(), |n| at + n);
    let one = |holds: bool| holds.then_some(at + 1);
    match words {
        "any character but \", \\ and a newline" => one(!matches!(next?, '"' | '\\' | '\n')),
        "the rest of the line, not beginning with #" => (next != Some('#')).then(rest),
        "the rest of the line" => Some(rest()),
        "alphabetic in the sense of Unicode" => one(next?.is_alphabetic()),
        "numeric in the sense of Unicode, and no superscript" => {
            one(next?.is_numeric() && !matches!(next?, '¹' | '²' | '³' | '⁰'..='⁹'))
        }
        "no LETTER, NUMERAL or _ follows" => {
            (!next.is_some_and(|c| c.is_alphabetic() || c.is_numeric() || c == '_')).then_some(at)
        }
        other => panic!("`{other}` is not known"),
    }
}

fn names(node: &Node, out: &mut BTreeSet<String>) {
    match node {
        Node::Rule(name) => {
            out.insert(name.clone());
        }
        Node::Sequence(parts) | Node::Choice(_, parts) => parts.iter().for_each(|p| names(p, out)),
        Node::Optional(_, p) | Node::Repeat(_, p) | Node::Commas(_, p) => names(p, out),
        Node::Except(a, b) => [a, b].into_iter().for_each(|p| names(p, out)),
        Node::Literal(_) | Node::Words(_) => {}
    }
}

fn literals(node: &Node, out: &mut BTreeSet<String>) {
    match node {
        Node::Literal(word) => {
            out.insert(word.clone());
        }
        Node::Commas(_, p) => {
            out.insert(",".into());
            literals(p, out);
        }
        Node::Sequence(parts) | Node::Choice(_, parts) => parts.iter().for_each(|p| literals(p, out)),
        Node::Optional(_, p) | Node::Repeat(_, p) => literals(p, out),
        Node::Except(a, b) => [a, b].into_iter().for_each(|p| literals(p, out)),
        Node::Rule(_) | Node::Words(_) => {}
    }
}

fn depth(node: &Node, depths: &BTreeMap<&str, usize>) -> Option<usize> {
    match node {
        Node::Rule(name) if is_token(name) => Some(0),
        Node::Rule(name) => depths.get(name.as_str()).copied(),
        Node::Sequence(parts) => parts.iter().map(|p| depth(p, depths)).try_fold(0, |a, b| Some(a.max(b?))),
        Node::Choice(_, parts) => parts.iter().filter_map(|p| depth(p, depths)).min(),
        _ => Some(0),
    }
}

/// Beyond this many tokens a sentence comes to its end.
const MOST_TOKENS: usize = 300;

struct Maker<'a> {
    grammar: &'a Grammar,
    depths: BTreeMap<&'a str, usize>,
    choices: &'a mut dyn FnMut(usize) -> usize,
    seen: &'a mut BTreeSet<(usize, usize)>,
    out: Vec<String>,
}

impl Maker<'_> {
    fn choose(&mut self, id: usize, most: usize) -> usize {
        let choice = (self.choices)(most);
        self.seen.insert((id, choice));
        choice
    }

    fn fits(&self, node: &Node, left: usize) -> bool {
        depth(node, &self.depths).is_some_and(|d| d <= left)
    }

    fn make(&mut self, node: &Node, left: usize) {
        // Long enough: from here on only what has to be there.
        let left = if self.out.len() > MOST_TOKENS { 0 } else { left };
        match node {
            Node::Literal(word) => self.out.push(word.clone()),
            Node::Rule(name) if is_token(name) => {
                let text = self.token(name);
                self.out.push(text);
            }
            Node::Rule(name) => {
                let body = self.grammar.rules[name].clone();
                self.make(&body, left.saturating_sub(1));
            }
            Node::Sequence(parts) => parts.iter().for_each(|p| self.make(p, left)),
            Node::Choice(id, parts) => {
                let mut open: Vec<usize> = (0..parts.len()).filter(|i| self.fits(&parts[*i], left.max(1))).collect();
                if open.is_empty() {
                    open = (0..parts.len()).collect();
                    open.sort_by_key(|i| depth(&parts[*i], &self.depths));
                    open.truncate(1);
                }
                let choice = open[(self.choices)(open.len())];
                self.seen.insert((*id, choice));
                self.make(&parts[choice], left);
            }
            Node::Optional(id, part) => {
                let most = if self.fits(part, left) { 2 } else { 1 };
                if self.choose(*id, most) == 1 {
                    self.make(part, left);
                }
            }
            Node::Repeat(id, part) => {
                // Files are longer than anything in them.
                let most = if self.fits(part, left) { 3 } else { 1 };
                for _ in 0..self.choose(*id, most) {
                    self.make(part, left);
                }
            }
            Node::Commas(id, part) => {
                let most = if self.fits(part, left) { 5 } else { 1 };
                let choice = self.choose(*id, most);
                let count = [0, 1, 3, 1, 2][choice];
                for i in 0..count {
                    if i > 0 {
                        self.out.push(",".into());
                    }
                    self.make(part, left);
                }
                if choice > 2 {
                    self.out.push(",".into());
                }
            }
            Node::Words(_) | Node::Except(..) => panic!("characters outside of a token"),
        }
    }

    /// A token of a class, from a few that are unlike each other.
    fn token(&mut self, class: &str) -> String {
        let some: Vec<String> = match class {
            "NAME" => ["x", "det", "unit", "a_1", "ümlaut", "_y", "a_name_that_is_rather_long", "B"]
                .map(String::from)
                .to_vec(),
            "AXIS" => ["row", "x", "a_1", "_y"].map(String::from).to_vec(),
            "WORD" if (self.choices)(2) == 0 => return self.token("NAME"),
            "WORD" => self.grammar.keywords.iter().cloned().collect(),
            "INT" => ["0", "1", "128"].map(String::from).to_vec(),
            "NUMBER" => ["0", "1", "1.50", "1e-3", "2.5E+3", "8px", "90deg", "3epochs", "100steps", "0.5px"]
                .map(String::from)
                .to_vec(),
            "STRING" => [r#""""#, r#""a text, with # and (""#, r#""\"\\\n\t""#, "\"é\""].map(String::from).to_vec(),
            "DOC" => ["##", "## what follows", "##tight  and  wide"].map(String::from).to_vec(),
            other => panic!("no token of the class {other}"),
        };
        some[(self.choices)(some.len())].clone()
    }
}

/// Numbers made of a seed, for choices: SplitMix64.
pub fn choices(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |most| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % most.max(1) as u64) as usize
    }
}

/// A whole program: items of the grammar, at random, without comments. `size` is how many files' worth of items.
pub fn program(grammar: &Grammar, seed: u64, deepest: usize, seen: &mut BTreeSet<(usize, usize)>) -> Vec<String> {
    let mut choices = choices(seed);
    grammar.derive(&mut choices, deepest, seen)
}

/// Tokens to text with spaces, line ends, empty lines and comments between them, at random. How often is `untidy`, of 10.
pub fn scatter(tokens: &[String], seed: u64, untidy: usize) -> String {
    let mut choose = choices(seed ^ 0x5eed);
    let mut out = String::new();
    let mut comments = 0;
    let bracket = |c: Option<char>| c.is_some_and(|c| "()[]{},".contains(c));
    let mut previous: Option<&String> = None;
    for token in tokens {
        if let Some(before) = previous {
            if before.starts_with("##") {
                out.push('\n');
            }
            let glued = bracket(before.chars().last()) || bracket(token.chars().next());
            let documented = before.starts_with("##");
            match if choose(10) < untidy { choose(8) } else { 0 } {
                0 | 1 if glued && choose(2) == 0 => {}
                2 | 3 => out.push('\n'),
                4 => out.push_str("\n\n\n  "),
                5 => {
                    comments += 1;
                    out.push_str(&format!("  # note {comments}\n"));
                }
                6 if !documented => {
                    comments += 1;
                    out.push_str(&format!("\n\n#note {comments} \r\n   #! more of {comments}\n\n"));
                }
                7 => out.push_str("\t \r\n"),
                _ => out.push(' '),
            }
        }
        out.push_str(token);
        previous = Some(token);
    }
    if previous.is_some_and(|t| t.starts_with("##")) || choose(2) == 0 {
        out.push('\n');
    }
    if choose(3) == 0 {
        out.push_str("# the end");
    }
    out
}
