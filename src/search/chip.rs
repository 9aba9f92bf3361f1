//! Where queries lie in a chip: by windows that overlap, so that each place of a query lies wholly in one of them.

use std::time::{Duration, Instant};

use rord_matching::edges::Edges;
use rord_matching::features::Select;
use rord_matching::instances::{Instances, instances};
use rord_matching::moves::Move;
use rord_matching::search::{Found, Search, Target, View, corners_apart, find};
use rord_matching::template::Grey;

use rord_data::patch::Rect;

use crate::copies::copies;
use crate::index::Index;
use crate::maps::{Maps, Pixels};
use crate::network::{Network, SearchError};
use crate::query::Query;

/// How a chip is searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How a query is looked for.
    pub search: Search,
    /// How instances are looked for; `None`: the best place alone.
    pub all: Option<Instances>,
    /// Pixels of a window's side, without what it overlaps.
    pub window: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { search: Search::default(), all: None, window: 2048 }
    }
}

/// A place where a query lies in a chip.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// From the query's pixels to the chip's.
    pub by: Move,
    /// Pairs of key points that agree with it.
    pub inliers: usize,
    /// How alike the descriptors are under it.
    pub likeness: f64,
    /// How sure it is, from 0 to 1.
    pub score: f64,
}

/// What a search gives.
#[derive(Clone, Debug, Default)]
pub struct Searched {
    /// For each query its answers, the likeliest first.
    pub answers: Vec<Vec<Answer>>,
    /// How long the network looked at the chip.
    pub looking: Duration,
    /// For each query, how long it was matched.
    pub matching: Vec<Duration>,
}

/// A chip that is searched.
pub struct Chip<'a> {
    /// Its pixels.
    pub pixels: &'a dyn Pixels,
    /// How.
    pub options: Options,
    /// What is kept of it, and was seen before.
    pub index: Option<&'a Index>,
}

/// What `progress` hears: pixels that are done, and of how many.
pub type Progress<'a> = dyn FnMut(u64, u64) -> bool + 'a;

impl Chip<'_> {
    /// The answers to each query, the likeliest first. `progress` hears how many pixels are done of how many, and returns
    /// false to stop: then the answers are those found so far.
    pub fn search(
        &self,
        network: &mut Network<'_>,
        queries: &[Query],
        progress: &mut Progress<'_>,
    ) -> Result<Searched, SearchError> {
        let mut found: Vec<Vec<Found>> = vec![Vec::new(); queries.len()];
        let windows = self.windows(queries);
        let all: u64 = windows.iter().map(pixels).sum();
        let (mut done, mut going) = (0, true);
        let (mut looking, mut matching) = (Duration::ZERO, vec![Duration::ZERO; queries.len()]);
        for window in windows {
            if !going {
                break;
            }
            let begin = Instant::now();
            let mut looked = |more: usize| {
                done += more as u64;
                going = progress(done.min(all), all);
                going
            };
            let maps = match self.index {
                Some(index) => index.maps(network, self.pixels, window, &mut looked),
                None => Maps::by_tiles(network, self.pixels, window, &mut looked),
            }?;
            let read = self.pixels.read(window).map_err(SearchError::Pixels)?;
            let picture = Grey::of_planes(&read, [window.width, window.height]).unwrap_or_default();
            let target = target(maps, window, &picture);
            looking += begin.elapsed();
            for ((query, found), took) in queries.iter().zip(&mut found).zip(&mut matching) {
                let begin = Instant::now();
                found.extend(self.in_window(query, &target, &picture, window));
                *took += begin.elapsed();
            }
        }
        let answers = queries.iter().zip(found).map(|(query, found)| self.answers(query, found)).collect();
        Ok(Searched { answers, looking, matching })
    }

    /// Looks at those windows that a search for these queries would look at, that are not kept in the index yet, and that no other process is
    /// at; how many these were, and of how many. `progress` as in [`Chip::search`]; what others do counts as done.
    ///
    /// # Errors
    /// As of [`Index::look`].
    pub fn share(
        &self,
        network: &mut Network<'_>,
        index: &Index,
        queries: &[Query],
        progress: &mut Progress<'_>,
    ) -> Result<(usize, usize), SearchError> {
        let windows = self.windows(queries);
        let all: u64 = windows.iter().map(pixels).sum();
        let (mut before, mut going, mut looked) = (0, progress(0, all), 0);
        for window in &windows {
            if !going {
                break;
            }
            let mut done = 0;
            let mut more = |more: usize| {
                done += more as u64;
                going = progress((before + done).min(all), all);
                going
            };
            looked += usize::from(index.look(network, self.pixels, *window, &mut more)?);
            before += pixels(window);
        }
        Ok((looked, windows.len()))
    }

    /// The windows, row by row. They overlap by the longest diagonal of a query at its largest.
    fn windows(&self, queries: &[Query]) -> Vec<Rect> {
        let [width, height] = self.pixels.size();
        let diagonal = |q: &Query| (q.size[0] as f64).hypot(q.size[1] as f64) * self.options.search.scale.1;
        let overlap = queries.iter().map(diagonal).fold(0.0, f64::max).ceil() as usize + Network::UNIT;
        // Queries of nearly the same size share the windows that are kept.
        let overlap = if self.index.is_some() { overlap.next_multiple_of(256) } else { overlap };
        let starts = |side: usize| -> Vec<(usize, usize)> {
            // What is a little larger than a window is one.
            let step = if side <= self.options.window + overlap { side.max(1) } else { self.options.window };
            (0..side).step_by(step).map(|at| (at, (step + overlap).min(side - at))).collect()
        };
        let mut windows = Vec::new();
        for (y, height) in starts(height) {
            for (x, width) in starts(width) {
                windows.push(Rect { x: x as i64, y: y as i64, width, height });
            }
        }
        windows
    }

    /// What a window has of a query, in the chip's pixels.
    fn in_window(&self, query: &Query, target: &Target, picture: &Grey, window: Rect) -> Vec<Found> {
        let most = if self.options.all.is_some() { 1 } else { 4 };
        let views = query.views();
        let found = find(&views, &query.outline, target, query.size, &self.options.search, most);
        let copied = self.options.all.as_ref().map(|all| copies(&query.grey, picture, found.first(), all.least));
        let found = match (&self.options.all, found.first()) {
            _ if copied.as_ref().is_some_and(|copied| !copied.is_empty()) => copied.unwrap_or_default(),
            (Some(settings), Some(first)) => {
                // The linear part of the move in every view, by that of the one that was found.
                let views: Vec<_> = views.iter().map(|view| (view, linear(first, view))).collect();
                instances(&views, &target.dense, first, query.size, settings)
            }
            _ => found,
        };
        let shift = Move::similarity(0.0, 1.0, false, [window.x as f64, window.y as f64]);
        found.into_iter().map(|f| Found { by: shift.after(&f.by), ..f }).collect()
    }

    /// The likeliest of all windows, each place once.
    fn answers(&self, query: &Query, mut found: Vec<Found>) -> Vec<Answer> {
        found.sort_by(|a, b| b.likeness.total_cmp(&a.likeness).then(b.inliers.cmp(&a.inliers)));
        let best = found.first().map_or(0.0, |f| f.likeness);
        let apart = query.size[0].min(query.size[1]) as f64 / 4.0;
        let mut kept: Vec<Answer> = Vec::new();
        for one in found {
            if self.options.all.as_ref().is_some_and(|all| one.likeness < all.share * best) {
                continue;
            }
            if kept.iter().all(|k| corners_apart(&k.by, &one.by, query.size) > apart) {
                let Found { by, inliers, likeness, .. } = one;
                kept.push(Answer { by, inliers, likeness, score: sure(likeness, inliers) });
            }
        }
        kept
    }
}

/// How many pixels a window has.
fn pixels(window: &Rect) -> u64 {
    window.width as u64 * window.height as u64
}

/// The linear part of the move from a view to copies that lie as the view does. The chip's grid is turned against the
/// query's by some angle between -45° and 45°; where a copy is mirrored and the first is not, by as much the other way.
fn linear(first: &Found, view: &View) -> Move {
    let (turn, scale, mirrored) = first.by.parts();
    let quarter = std::f64::consts::FRAC_PI_2;
    let rest = turn - (turn / quarter).round() * quarter;
    let mirrors = view.mirrored != (view.from_query.growth([0.0, 0.0]) < 0.0);
    let rest = if mirrors == mirrored { rest } else { -rest };
    Move::similarity(view.turn + rest, scale, view.mirrored, [0.0, 0.0])
}

/// The key points and descriptors of a window.
fn target(maps: Maps, window: Rect, picture: &Grey) -> Target {
    /// One key point for so many pixels.
    const PIXELS_A_POINT: usize = 40;
    let size = [window.width, window.height];
    let keep = (size[0] * size[1] / PIXELS_A_POINT).clamp(200, 60_000);
    let features = maps.features(size, &Select { keep, apart: 2.0, border: 2.0, least: 0.0 });
    Target { features, dense: maps.dense, edges: Edges::of(picture) }
}

/// How sure an answer is, from 0 to 1. Of one that key points voted for it counts how many of them agree: how alike the maps are, by which
/// moves of one query are ranked, adds nothing to it. The weights are those of a logistic regression on 600 searches of the network in
/// `networks/find`: for 300 crops of 128 px, drawn in six ways, of two layouts that it never saw, in the one they come from and in the other.
/// Of 205 answers above 0.9, 94 % were right, of 232 below 0.1 it was 3 %. Of copies, which are found by their pixels, only the likeness
/// is known.
fn sure(likeness: f64, inliers: usize) -> f64 {
    let logit = match inliers {
        0 => 14.0 * (likeness - 0.5),
        _ => 4.7 * (inliers as f64).ln_1p() - 17.8,
    };
    1.0 / (1.0 + (-logit).exp())
}
