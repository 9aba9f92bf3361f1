//! What the targets share: the properties, which the tests hold the corpus to as well.

#[path = "../../tests/properties/mod.rs"]
pub mod properties;

#[path = "../../tests/properties/gds.rs"]
pub mod gds;

pub mod data;
