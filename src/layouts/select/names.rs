//! Names of layers, from files that other tools write: KLayout's layer properties (`.lyp`), layer maps of KLayout and of
//! place and route tools, and plain lists.

use std::collections::BTreeMap;

use crate::layer::LayerKey;

/// Nesting of elements is not followed further; KLayout nests groups, few of them.
const MOST_NODES: u32 = 1_000_000;

/// The layers that each name means, in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerNames {
    names: BTreeMap<String, Vec<LayerKey>>,
}

/// Why a file has no names of layers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// It begins as XML and is not well-formed.
    #[error("not well-formed XML: {reason}")]
    Xml {
        /// What is wrong, and where.
        reason: String,
    },
    /// No line and no element names a layer.
    #[error("no names of layers")]
    NoNames,
}

impl LayerNames {
    /// Reads a file's text: `.lyp` where it begins as XML, otherwise one layer a line.
    ///
    /// A line has a name, perhaps purposes, and a layer's numbers: `met1 68 20`, `met1 drawing 68 20`, `met1: 68/20`,
    /// `68/20 : met1`, `met1 NET,SPNET 68 20`. A comment begins with `#` or `//`. With a purpose a layer is called `met1.drawing`,
    /// `met1/drawing`, and, where the purpose is `drawing` or there is none called so, `met1`.
    pub fn read(text: &str) -> Result<Self, NamesError> {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let names = if text.starts_with('<') { properties(text)? } else { lines(text) };
        match names.names.is_empty() {
            true => Err(NamesError::NoNames),
            false => Ok(names),
        }
    }

    /// The layers of that name.
    pub fn get(&self, name: &str) -> Option<&[LayerKey]> {
        self.names.get(name).map(Vec::as_slice)
    }

    /// All names in the order of the alphabet, with their layers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[LayerKey])> {
        self.names.iter().map(|(name, keys)| (name.as_str(), keys.as_slice()))
    }

    /// What a layer is called: of its names the one that means the fewest layers, then the shortest.
    pub fn of(&self, key: LayerKey) -> Option<&str> {
        let names = self.names.iter().filter(|(_, keys)| keys.binary_search(&key).is_ok());
        names.min_by_key(|(name, keys)| (keys.len(), name.len())).map(|(name, _)| name.as_str())
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Gives a layer a name, beside those it has.
    pub fn add(&mut self, name: &str, key: LayerKey) {
        let name = name.trim();
        if name.is_empty() {
            return;
        }
        let keys = self.names.entry(name.to_owned()).or_default();
        if let Err(place) = keys.binary_search(&key) {
            keys.insert(place, key);
        }
    }
}

/// KLayout's layer properties: of each `properties` element (or `group-members`, which is one in a group) the `source`,
/// `68/20@1` or `name 68/20@1`, and the `name`.
fn properties(text: &str) -> Result<LayerNames, NamesError> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, nodes_limit: MOST_NODES, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(text, options)
        .map_err(|error| NamesError::Xml { reason: error.to_string() })?;
    let mut names = LayerNames::default();
    for node in document.descendants() {
        if !matches!(node.tag_name().name(), "properties" | "group-members") {
            continue;
        }
        let child = |name: &str| {
            node.children().find(|child| child.tag_name().name() == name).and_then(|child| child.text()).unwrap_or("")
        };
        let source = child("source");
        let source = source.rsplit_once('@').map_or(source, |(before, _)| before).trim();
        let (before, last) = source.rsplit_once(char::is_whitespace).unwrap_or(("", source));
        let Some(key) = pair(last) else { continue };
        names.add(before, key);
        // Some names repeat the numbers: `met1.drawing - 68/20`.
        let name = child("name").trim();
        names.add(name, key);
        if let Some((short, last)) = name.rsplit_once(char::is_whitespace)
            && pair(last).is_some()
        {
            names.add(short.trim_end().trim_end_matches(['-', ':', '(']), key);
        }
    }
    Ok(names)
}

fn lines(text: &str) -> LayerNames {
    let mut names = LayerNames::default();
    // What `met1` means if no purpose is called drawing.
    let mut others = LayerNames::default();
    for line in text.lines() {
        let line = line.split_once("//").map_or(line, |(line, _)| line);
        let line = line.split_once('#').map_or(line, |(line, _)| line);
        let separates = |letter: char| letter.is_whitespace() || ":;=()[]\"".contains(letter);
        let tokens: Vec<&str> = line.split(separates).filter(|token| !token.is_empty()).collect();
        let Some((words, key)) = words(&tokens) else { continue };
        let Some((name, purposes)) = words.split_first() else { continue };
        let purposes = || purposes.iter().flat_map(|purposes| purposes.split(','));
        for purpose in purposes() {
            names.add(&format!("{name}.{purpose}"), key);
            names.add(&format!("{name}/{purpose}"), key);
        }
        let drawing = |purpose: &str| ["drawing", "drw"].contains(&purpose.to_ascii_lowercase().as_str());
        if purposes().next().is_none() || purposes().any(drawing) {
            names.add(name, key);
        } else {
            others.add(name, key);
        }
    }
    for (name, keys) in others.names {
        names.names.entry(name).or_insert(keys);
    }
    names
}

/// A line's words and its layer: a token `68/20`, or the last two numbers.
fn words<'a>(tokens: &[&'a str]) -> Option<(Vec<&'a str>, LayerKey)> {
    let is_number = |token: &&&str| token.parse::<u32>().is_ok();
    if let Some(key) = tokens.iter().find_map(|token| pair(token)) {
        let words = tokens.iter().filter(|token| pair(token).is_none() && !is_number(token)).copied();
        return Some((words.collect(), key));
    }
    let mut numbers = tokens.iter().filter(is_number).rev();
    let (datatype, layer) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    let words = tokens.iter().filter(|token| !is_number(token)).copied();
    Some((words.collect(), LayerKey { layer, datatype }))
}

/// `68/20`, both written out.
fn pair(text: &str) -> Option<LayerKey> {
    text.contains('/').then(|| text.parse().ok())?
}
