//! Layers by number.

use std::fmt;
use std::str::FromStr;

/// A layer number and its datatype, written `67/20`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerKey {
    /// Layer number; GDSII has 0 to 65535, OASIS more.
    pub layer: u32,
    /// Datatype (the box type of a BOX).
    pub datatype: u32,
}

impl fmt::Display for LayerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.layer, self.datatype)
    }
}

/// The text is not of the form `67/20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a layer/datatype pair of two numbers from 0 to 4294967295")]
pub struct NotALayerKey;

impl FromStr for LayerKey {
    type Err = NotALayerKey;

    /// Reads `67/20`; a number alone has datatype 0.
    fn from_str(text: &str) -> Result<Self, NotALayerKey> {
        let (layer, datatype) = text.split_once('/').unwrap_or((text, "0"));
        let number = |part: &str| part.trim().parse().map_err(|_| NotALayerKey);
        Ok(Self { layer: number(layer)?, datatype: number(datatype)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_keys_read_what_they_write() {
        for key in [LayerKey { layer: 67, datatype: 20 }, LayerKey { layer: u32::MAX, datatype: 0 }] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        assert_eq!("67".parse(), Ok(LayerKey { layer: 67, datatype: 0 }));
        assert_eq!("40000/0".parse(), Ok(LayerKey { layer: 40_000, datatype: 0 }));
        for wrong in ["", "/", "67/", "a/1", "67/20/3", "-1/0", "4294967296/0"] {
            assert_eq!(wrong.parse::<LayerKey>(), Err(NotALayerKey), "{wrong}");
        }
    }
}
