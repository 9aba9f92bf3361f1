//! What the targets share: the properties, which the tests check on the corpus as well.

#[path = "../../tests/language/properties/mod.rs"]
pub mod properties;
