//! The network that comes with the program: `find` and `demo` use it where no run is named.
//!
//! `networks/find` is the folder of the run that made it, with the command beside it.

use std::path::Path;

use rord_engine::predict::Predictor;
use rord_engine::refusals::Stop;
use rord_lang::report::Report;
use rord_project::outside::Given;
use rord_search::network::Network;

use super::load::{Loaded, Refused, load_text, sound};
use super::using;

/// Its text, as the run kept it.
const TEXT: &str = include_str!("../../networks/find/pipeline.rord");
/// Its best weights.
const WEIGHTS: &[u8] = include_bytes!("../../networks/find/best.safetensors");
/// What reports call them.
pub const NAME: &str = "the network that comes with rord";
/// The parameters of the run that a drawing depends on.
const LAYOUTS: &str =
    r#"layouts=gds("tiles/*.gds.gz", layers=["65/20","66/20","67/20","68/20","69/20"], resolution=10)"#;

/// Its pipeline, with what is changed on the command line.
pub fn load(given: &Given<'_>) -> Result<Loaded, Refused> {
    let set: Vec<String> = std::iter::once(LAYOUTS.to_string()).chain(given.set.iter().cloned()).collect();
    load_text(Path::new(NAME), TEXT, &Given { set: &set, ..*given })
}

/// As [`load`], told to the user; where there is an error, all reports are printed.
pub fn load_sound(given: &Given<'_>) -> Option<Loaded> {
    eprintln!("with the network that comes with rord");
    sound(load(given))
}

/// It, ready for pictures.
pub fn network(loaded: &Loaded) -> Result<Network<'_>, Vec<Report>> {
    Network::new(predictor(loaded)?).map_err(using::refused)
}

/// What computes its exports.
pub fn predictor(loaded: &Loaded) -> Result<Predictor<'_>, Vec<Report>> {
    let predictor = Predictor::from_bytes(&loaded.pipeline, &loaded.vocabulary, WEIGHTS, Path::new(NAME));
    predictor.map_err(Stop::reports)
}
