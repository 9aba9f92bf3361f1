//! A choice of layers, as it is written: `66/20`, `68/*`, `1-5/0`, `met1`, and `-236/*` for what is left out.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::matching;
use super::names::LayerNames;
use crate::layer::LayerKey;
use crate::oasis::LayerName;

/// A text that chooses no layer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// Neither numbers nor, of `known` names, one that is known.
    #[error("`{text}` is neither a layer nor one of {known} names of layers")]
    Unknown {
        /// The text.
        text: String,
        /// How many names there are.
        known: usize,
    },
    /// Neither numbers nor one of the `known` names that the file gives to layers.
    #[error("`{text}` is neither a layer nor one of the file's {known} names of layers")]
    NotInFile {
        /// The text.
        text: String,
        /// How many names there are.
        known: usize,
    },
    /// A range that ends before it begins.
    #[error("`{text}` is a range of no layers")]
    EmptyRange {
        /// The text.
        text: String,
    },
}

/// Which layers are drawn, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerChoice {
    wanted: Vec<Item>,
    left_out: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    text: String,
    layers: Layers,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Layers {
    One(LayerKey),
    /// Numbers and datatypes.
    Range(RangeInclusive<u32>, RangeInclusive<u32>),
    Named(Vec<LayerKey>),
    /// A name, or a pattern of names, that only the file itself may know.
    Own(String),
    /// What the file calls so: first and last number, first and last datatype.
    Ranges(Vec<[[u32; 2]; 2]>),
}

impl Layers {
    fn contain(&self, key: LayerKey) -> bool {
        match self {
            Self::One(one) => *one == key,
            Self::Range(layers, datatypes) => layers.contains(&key.layer) && datatypes.contains(&key.datatype),
            Self::Named(keys) => keys.contains(&key),
            Self::Own(_) => false,
            Self::Ranges(ranges) => ranges.iter().any(|[layers, datatypes]| {
                (layers[0]..=layers[1]).contains(&key.layer) && (datatypes[0]..=datatypes[1]).contains(&key.datatype)
            }),
        }
    }
}

impl LayerChoice {
    /// Reads texts, each a layer or several. None: all layers. A layer is `number/datatype`, where a part may be a
    /// number, a range `1-5` or `*`, and the datatype is 0 where it is left out; or it is a name, or a pattern of names.
    /// A `-` before it leaves it out, wherever it comes in the list; a list of nothing else leaves these out of all.
    pub fn parse(texts: &[String], names: &LayerNames) -> Result<Self, ChoiceError> {
        let choice = Self::open(texts, names)?;
        let unknown =
            choice.items().find_map(|item| if let Layers::Own(text) = &item.layers { Some(text) } else { None });
        match unknown {
            Some(text) => Err(ChoiceError::Unknown { text: text.clone(), known: names.len() }),
            None => Ok(choice),
        }
    }

    /// As [`LayerChoice::parse`], but names that are not known may be those of a file, see [`LayerChoice::in_file`].
    pub fn open(texts: &[String], names: &LayerNames) -> Result<Self, ChoiceError> {
        let mut choice = Self::default();
        for text in texts {
            let text = text.trim();
            // A name may begin with a minus.
            let (list, rest) = match text.strip_prefix('-') {
                Some(rest) if names.get(text).is_none() => (&mut choice.left_out, rest.trim_start()),
                _ => (&mut choice.wanted, text),
            };
            list.push(Item { text: text.to_owned(), layers: layers(rest, names)? });
        }
        Ok(choice)
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        self.wanted.iter().chain(&self.left_out)
    }

    /// The same choice in a file that names its layers so. Errors: a name that is not known there either.
    pub fn in_file(&self, own: &[LayerName]) -> Result<Self, ChoiceError> {
        let known = |item: &Item| {
            let Layers::Own(text) = &item.layers else { return Ok(item.clone()) };
            let called = |matches: &dyn Fn(&str) -> bool| -> Vec<[[u32; 2]; 2]> {
                own.iter().filter(|name| matches(&name.name)).map(|name| [name.layers, name.datatypes]).collect()
            };
            let mut ranges = called(&|name| name == text);
            if ranges.is_empty() {
                ranges = called(&|name| matching(text, name));
            }
            if ranges.is_empty() {
                return Err(ChoiceError::NotInFile { text: text.clone(), known: own.len() });
            }
            // Single layers come though they are not present, as those of a file of names do.
            let single = |[layers, datatypes]: &[[u32; 2]; 2]| {
                let key = LayerKey { layer: layers[0], datatype: datatypes[0] };
                (layers[0] == layers[1] && datatypes[0] == datatypes[1]).then_some(key)
            };
            let layers = match ranges.iter().map(single).collect::<Option<BTreeSet<_>>>() {
                Some(keys) => Layers::Named(keys.into_iter().collect()),
                None => Layers::Ranges(ranges),
            };
            Ok(Item { text: item.text.clone(), layers })
        };
        let all = |items: &[Item]| items.iter().map(known).collect::<Result<Vec<_>, _>>();
        Ok(Self { wanted: all(&self.wanted)?, left_out: all(&self.left_out)? })
    }

    /// True where no list was given: all layers.
    pub fn is_all(&self) -> bool {
        self.wanted.is_empty() && self.left_out.is_empty()
    }

    /// Whether a layer is listed and not left out.
    pub fn wants(&self, key: LayerKey) -> bool {
        let listed = self.wanted.is_empty() || self.wanted.iter().any(|item| item.layers.contain(key));
        listed && !self.left_out.iter().any(|item| item.layers.contain(key))
    }

    /// The drawing order, the lowest first: that of the list, and where a text means several layers these by number. A
    /// layer listed by number comes though it is not present, and as often as it is listed so.
    pub fn order(&self, present: &[LayerKey]) -> Vec<LayerKey> {
        let present: BTreeSet<LayerKey> = present.iter().copied().collect();
        let all = [Item { text: String::new(), layers: Layers::Range(0..=u32::MAX, 0..=u32::MAX) }];
        let items = if self.wanted.is_empty() { &all[..] } else { &self.wanted };
        let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
        for item in items {
            match &item.layers {
                Layers::One(key) => {
                    seen.insert(*key);
                    order.push(*key);
                }
                Layers::Named(keys) if !keys.iter().any(|key| present.contains(key)) => {
                    order.extend(keys.iter().copied().filter(|&key| seen.insert(key)));
                }
                layers => {
                    order.extend(present.iter().copied().filter(|&key| layers.contain(key) && seen.insert(key)));
                }
            }
        }
        order.retain(|&key| !self.left_out.iter().any(|item| item.layers.contain(key)));
        order
    }

    /// The texts that mean no layer that is present.
    pub fn without_layer(&self, present: &[LayerKey]) -> Vec<&str> {
        let empty = |item: &&Item| !present.iter().any(|&key| item.layers.contain(key));
        self.items().filter(empty).map(|item| item.text.as_str()).collect()
    }
}

fn layers(text: &str, names: &LayerNames) -> Result<Layers, ChoiceError> {
    if let Some(keys) = names.get(text) {
        return Ok(Layers::Named(keys.to_vec()));
    }
    if text == "*" {
        return Ok(Layers::Range(0..=u32::MAX, 0..=u32::MAX));
    }
    if let Ok(key) = text.parse() {
        return Ok(Layers::One(key));
    }
    let (layer, datatype) = text.split_once('/').unwrap_or((text, "0"));
    if let (Some(layers), Some(datatypes)) = (part(layer), part(datatype)) {
        return match layers.is_empty() || datatypes.is_empty() {
            true => Err(ChoiceError::EmptyRange { text: text.to_owned() }),
            false => Ok(Layers::Range(layers, datatypes)),
        };
    }
    let found: BTreeSet<LayerKey> =
        names.iter().filter(|(name, _)| matching(text, name)).flat_map(|(_, keys)| keys).copied().collect();
    Ok(match found.is_empty() {
        true => Layers::Own(text.to_owned()),
        false => Layers::Named(found.into_iter().collect()),
    })
}

/// `*`, a number or a range.
fn part(text: &str) -> Option<RangeInclusive<u32>> {
    let text = text.trim();
    if text == "*" {
        return Some(0..=u32::MAX);
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    Some(from.trim().parse().ok()?..=to.trim().parse().ok()?)
}
