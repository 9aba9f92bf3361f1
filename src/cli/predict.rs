//! `rord-run predict`: what a trained network makes of pictures and layouts.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

use rord_data::picture::Picture;
use rord_engine::predict::Predictor;
use rord_lang::report::{Report, runtime};
use rord_matching::features::Select;
use rord_search::detect::features;
use rord_search::drawn::Drawn;
use rord_search::maps::Pixels;
use rord_search::network::{Network, SearchError};
use rord_search::outputs::{TOGETHER, outputs, outputs_together};

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
    /// With whether it may be fed several pictures at once.
    Maps(Predictor<'v>, bool),
}

impl User<'_> {
    fn channels(&self) -> usize {
        match self {
            Self::Points(network, _) => network.channels(),
            Self::Maps(predictor, _) => predictor.channels(),
        }
        .unwrap_or(1)
    }

    /// Pictures of this size that are looked at together.
    fn at_once(&self, picture: &Picture) -> usize {
        match self {
            Self::Maps(_, true) => TOGETHER / (picture.width * picture.height).max(1),
            _ => 1,
        }
    }

    /// What comes of pictures of one size, with the milliseconds that each took; fewer where somebody asked to stop.
    fn look_at(&mut self, all: &[Shown], channels: usize) -> Result<Vec<(What, u64)>, SearchError> {
        let begin = Instant::now();
        if super::interrupt::stopped() {
            return Ok(Vec::new());
        }
        if let (Self::Maps(predictor, true), [_, _, ..]) = (&mut *self, all) {
            let drawn: Vec<Drawn> = all.iter().map(|shown| Drawn::new(&shown.picture, channels)).collect();
            let pixels: Vec<&dyn Pixels> = drawn.iter().map(|d| d as &dyn Pixels).collect();
            let found = outputs_together(predictor, &pixels)?;
            let ms = begin.elapsed().as_millis() as u64 / all.len() as u64;
            return Ok(found.into_iter().map(|maps| (What::Maps(maps), ms)).collect());
        }
        let mut found = Vec::new();
        for shown in all {
            let begin = Instant::now();
            let Some(what) = self.look(shown, channels)? else { break };
            found.push((what, begin.elapsed().as_millis() as u64));
        }
        Ok(found)
    }

    /// What comes of a picture; `None` where somebody asked to stop.
    fn look(&mut self, shown: &Shown, channels: usize) -> Result<Option<What>, SearchError> {
        let drawn = Drawn::new(&shown.picture, channels);
        let bar = using::Bar::new(&format!("looking at {}", shown.name));
        let mut progress = |done, all| bar.at(done, all);
        Ok(match self {
            Self::Points(network, select) => features(network, &drawn, select, &mut progress)?.map(What::Points),
            Self::Maps(predictor, _) => outputs(predictor, &drawn, &mut progress)?.map(What::Maps),
        })
    }
}

/// The pictures of files in their order, those that are looked at together in one group.
struct Groups<'a> {
    reader: &'a Reader,
    files: std::slice::Iter<'a, PathBuf>,
    next: VecDeque<Shown>,
    /// Why a file could not be read, after which none is.
    failed: Option<Vec<Report>>,
}

impl Groups<'_> {
    /// The next group: pictures of one size, as many as `at_once` says of the first; `None` where there are no more.
    fn next(&mut self, at_once: impl Fn(&Picture) -> usize) -> Option<Vec<Shown>> {
        let first = self.shown()?;
        let (size, most) = ([first.picture.width, first.picture.height], at_once(&first.picture));
        let mut group = vec![first];
        while group.len() < most {
            let Some(shown) = self.shown() else { break };
            if [shown.picture.width, shown.picture.height] != size {
                self.next.push_front(shown);
                break;
            }
            group.push(shown);
        }
        Some(group)
    }

    fn shown(&mut self) -> Option<Shown> {
        while self.next.is_empty() && self.failed.is_none() {
            match self.reader.read(self.files.next()?) {
                Ok(shown) => self.next.extend(shown),
                Err(reports) => self.failed = Some(reports),
            }
        }
        self.next.pop_front()
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
        false => {
            let several = predictor.takes_several();
            User::Maps(predictor, several)
        }
    };
    let reader = Reader::new(&args.chips.drawn, loaded, user.channels());
    // Lists are written at the end, and need no descriptors.
    let listed = args.format == ReportFormat::Json || out.as_ref().is_some_and(Out::is_list);
    let mut all: Vec<Predicted> = Vec::new();
    let mut groups = Groups { reader: &reader, files: files.iter(), next: VecDeque::new(), failed: None };
    while let Some(group) = groups.next(|picture| user.at_once(picture)) {
        let looked = user.look_at(&group, reader.channels).map_err(using::refused)?;
        let stopped = looked.len() < group.len();
        for (shown, (what, ms)) in group.into_iter().zip(looked) {
            let mut one = Predicted::new(&shown, what, ms);
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
        if stopped {
            break;
        }
    }
    if let Some(reports) = groups.failed {
        return Err(reports);
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
