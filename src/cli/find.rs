//! `rord-run find`: where crops lie in chips.

use std::time::Instant;

use rord_lang::report::{Report, plural};
use rord_matching::instances::Instances;
use rord_search::chip::{Chip, Options};
use rord_search::drawn::Drawn;
use rord_search::index::Index;
use rord_search::query::Query;

use super::args::{FindArgs, ReportFormat};
use super::found::{Found, Hit};
use super::load::{Loaded, load_sound};
use super::{queries, shipped, using};

/// Finds the queries.
pub fn run(args: &FindArgs) -> u8 {
    // What is to be said of the text was said before it was trained.
    let given = args.changes.given();
    let loaded = match &args.run {
        Some(run) => load_sound(run, &given),
        None => shipped::load_sound(&given),
    };
    let Some(loaded) = loaded else { return super::REFUSED };
    using::ended(attempt(args, &loaded), &loaded)
}

/// False where somebody asked to stop; what was found until then is printed.
fn attempt(args: &FindArgs, loaded: &Loaded) -> Result<bool, Vec<Report>> {
    using::begin().map_err(|r| vec![r])?;
    let mut network = match (&args.run, &args.network.weights) {
        (None, None) => shipped::network(loaded)?,
        _ => using::network(&args.network, loaded)?,
    };
    let chips = using::chips(&args.chips, loaded)?;
    let asked = queries::read(&args.query, &chips)?;
    let all = args.all.then(Instances::default);
    let options = Options { all, ..Options::default() };
    let (mut views, mut ms) = (Vec::new(), Vec::new());
    for one in &asked {
        let begin = Instant::now();
        views.push(Query::new(&mut network, &one.pixels).map_err(using::refused)?);
        ms.push(begin.elapsed().as_millis() as u64);
    }
    let kept =
        args.index.as_ref().map(|folder| Index::open(folder, &mut network)).transpose().map_err(using::refused)?;
    let mut hits: Vec<Vec<Hit>> = asked.iter().map(|_| Vec::new()).collect();
    let mut index_ms = 0;
    for (index, shown) in chips.iter().enumerate() {
        let bar = using::Bar::new(&format!("searching {}", shown.picture.name));
        let drawn = Drawn::new(&shown.picture, 1);
        let chip = Chip { pixels: &drawn, options, index: kept.as_ref() };
        if let Some(index) = kept.as_ref().filter(|_| args.worker) {
            let looked = chip.share(&mut network, index, &views, &mut |done, all| bar.at(done, all));
            let (looked, all) = looked.map_err(using::refused)?;
            drop(bar);
            super::print(&format!("{}: looked at {looked} of {}\n", shown.picture.name, plural(all, "window")));
            continue;
        }
        let searched = chip.search(&mut network, &views, &mut |done, all| bar.at(done, all));
        let searched = searched.map_err(using::refused)?;
        index_ms += searched.looking.as_millis() as u64;
        ms.iter_mut().zip(&searched.matching).for_each(|(ms, took)| *ms += took.as_millis() as u64);
        for (hits, answers) in hits.iter_mut().zip(searched.answers) {
            hits.extend(answers.into_iter().map(|answer| Hit { chip: index, answer }));
        }
    }
    if args.worker {
        return Ok(!super::interrupt::stopped());
    }
    for hits in &mut hits {
        hits.retain(|hit| hit.answer.score >= args.least);
        hits.sort_by(|a, b| b.answer.score.total_cmp(&a.answer.score));
        if !args.all {
            hits.truncate(1);
        }
    }
    let found = Found { asked: &asked, chips: &chips, hits, ms, index_ms };
    match args.format {
        ReportFormat::Json => super::print(&format!("{}\n", found.json())),
        ReportFormat::Human => super::print(&found.lines()),
    }
    if let Some(out) = &args.out {
        found.write(out).map_err(|r| vec![r])?;
        eprintln!("written to {}", out.display());
    }
    Ok(!super::interrupt::stopped())
}
