//! `rord-run predict`: what a trained network makes of pictures and layouts.

use std::time::Instant;

use rord_engine::predict::Predictor;
use rord_lang::report::{Report, runtime};
use rord_matching::features::Select;
use rord_search::detect::features;
use rord_search::drawn::Drawn;
use rord_search::network::{Network, SearchError};
use rord_search::outputs::outputs;

use super::args::{PredictArgs, ReportFormat};
use super::load::{Loaded, load_sound};
use super::predicted::{Out, Predicted, What, object};
use super::using::{self, Reader, Shown};

/// Predicts.
pub fn run(args: &PredictArgs) -> u8 {
    let Some(loaded) = load_sound(args.file.path(), &args.file.changes.given()) else { return super::REFUSED };
    using::ended(attempt(args, &loaded), &loaded)
}

/// What is asked of the network.
enum User<'v> {
    Points(Network<'v>, Select),
    Maps(Predictor<'v>),
}

impl User<'_> {
    fn channels(&self) -> usize {
        match self {
            Self::Points(network, _) => network.channels(),
            Self::Maps(predictor) => predictor.channels(),
        }
        .unwrap_or(1)
    }

    /// What comes of a picture; `None` where somebody asked to stop.
    fn look(&mut self, shown: &Shown, channels: usize) -> Result<Option<What>, SearchError> {
        let drawn = Drawn::new(&shown.picture, channels);
        let bar = using::Bar::new(&format!("looking at {}", shown.name));
        let mut progress = |done, all| bar.at(done, all);
        Ok(match self {
            Self::Points(network, select) => features(network, &drawn, select, &mut progress)?.map(What::Points),
            Self::Maps(predictor) => outputs(predictor, &drawn, &mut progress)?.map(What::Maps),
        })
    }
}

/// False where somebody asked to stop; what was written until then stays.
fn attempt(args: &PredictArgs, loaded: &Loaded) -> Result<bool, Vec<Report>> {
    let mut out = args.out.as_deref().map(Out::new).transpose().map_err(|r| vec![r])?;
    let files = using::files(&args.chips.chips)?;
    if let Some(out) = &out {
        out.holds(&files).map_err(|r| vec![r])?;
    }
    if args.keep == 0 {
        let help = "give how many key points are kept, as in --keep 2048";
        return Err(vec![runtime::failed("R0908", "no key point is kept by --keep 0", help)]);
    }
    using::begin().map_err(|r| vec![r])?;
    let predictor = using::predictor(&args.network, loaded)?;
    let mut user = match Network::is_for_key_points(&predictor) && !args.dense {
        true => {
            let select = Select { keep: args.keep, apart: 2.0, border: 2.0, least: args.least };
            User::Points(Network::any(predictor), select)
        }
        false => User::Maps(predictor),
    };
    let reader = Reader::new(&args.chips.drawn, loaded, user.channels());
    // Lists are written at the end, and need no descriptors.
    let listed = args.format == ReportFormat::Json || out.as_ref().is_some_and(Out::is_list);
    let mut all: Vec<Predicted> = Vec::new();
    'all: for file in files {
        for shown in reader.read(&file)? {
            let begin = Instant::now();
            let Some(what) = user.look(&shown, reader.channels).map_err(using::refused)? else { break 'all };
            let mut one = Predicted::new(&shown, what, begin.elapsed().as_millis() as u64);
            if let Some(out) = out.as_mut().filter(|out| !out.is_list()) {
                out.write(&one, &Drawn::new(&shown.picture, reader.channels)).map_err(|r| vec![r])?;
            }
            if args.format == ReportFormat::Human {
                super::print(&one.line());
            }
            if listed {
                one.let_go();
                all.push(one);
            }
        }
    }
    if args.format == ReportFormat::Json {
        super::print(&format!("{}\n", object(&all)));
    }
    if let Some(out) = &out {
        out.finish(&all).map_err(|r| vec![r])?;
    }
    if let Some(path) = &args.out {
        eprintln!("written to {}", path.display());
    }
    Ok(!super::interrupt::stopped())
}
