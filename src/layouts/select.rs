//! Which cells and which layers are meant: patterns of cells' names, and layers by number, by range and by name.
//!
//! ```
//! use rord_layouts::select::{LayerChoice, LayerNames};
//! let names = LayerNames::read("met1 68 20\nmet2 69 20\n").unwrap();
//! let texts = ["met2", "66-68/*", "-*/16"].map(String::from);
//! let choice = LayerChoice::parse(&texts, &names).unwrap();
//! let present = ["66/20", "68/16", "68/20", "69/20"].map(|key| key.parse().unwrap());
//! let order: Vec<String> = choice.order(&present).iter().map(ToString::to_string).collect();
//! assert_eq!(order, ["69/20", "66/20", "68/20"]);
//! ```

mod choice;
mod names;
mod pattern;

pub use choice::{ChoiceError, LayerChoice};
pub use names::{LayerNames, NamesError};
pub use pattern::matching;

#[cfg(test)]
mod tests;
