//! Generated tiles that memory does not hold: drawn into the store as files are.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::{LAYERS, Process, Synth, cells};
use crate::DataError;
use crate::layout::Layout;
use crate::picture::{Picture, PictureLayer, SQUARE, Samples};
use crate::raster::Edges;
use crate::store::manifest::{Drawn, Manifest};
use crate::store::{DrawingKey, Paint, Shape, Sink, Store};

/// Draws one tile of a recipe.
struct Tile {
    synth: Synth,
    number: usize,
    layout: Mutex<Option<Arc<Layout>>>,
}

impl Tile {
    /// The layout, made where it is not there.
    fn layout(&self) -> Arc<Layout> {
        let held = || self.layout.lock().unwrap_or_else(PoisonError::into_inner);
        let there = held().clone();
        there.unwrap_or_else(|| {
            let process = Process::new(self.synth.seed);
            let made = Arc::new(self.synth.tile(&process, &cells::library(&process, self.synth.seed), self.number));
            *held() = Some(made.clone());
            made
        })
    }
}

impl Paint for Tile {
    fn paint(&self, rows: Range<usize>, sink: Sink<'_>) -> Result<(), DataError> {
        let layout = self.layout();
        let width = crate::raster::pixels(&layout, self.synth.resolution)?.0 as usize;
        layout.layers.par_iter().enumerate().for_each(|(number, layer)| {
            let mut edges = Edges::default();
            edges.push_all(&layout, layer, self.synth.resolution, (rows.start as f64, rows.end as f64));
            for y in rows.clone().step_by(SQUARE).filter(|_| !edges.is_empty()) {
                let part = y..(y + SQUARE).min(rows.end);
                sink(number, y, Samples::Eight(edges.fill_rows(width, part)));
            }
        });
        Ok(())
    }
}

/// Draws the tiles that are not drawn yet, and opens all.
pub fn load(synth: &Synth, store: &Store) -> Result<Vec<Picture>, DataError> {
    // Checks the settings.
    Synth { tiles: 0, ..synth.clone() }.layouts()?;
    let one = |number: usize| {
        let Synth { seed, size, resolution, .. } = synth;
        let key = DrawingKey::new([0; 32], &format!("synth\n{seed}\n{size:?}\n{resolution:?}\n{number}"));
        let tile = Arc::new(Tile { synth: synth.clone(), number, layout: Mutex::default() });
        let name = format!("synth-{number}");
        let manifest = match store.manifest(&key) {
            Some(manifest) => manifest,
            None => {
                let (width, height) = crate::raster::pixels(&tile.layout(), *resolution)?;
                let size = (width as usize, height as usize);
                let shape = Shape { width: size.0, height: size.1, layers: LAYERS.len() };
                store.draw(&key, 0, shape, tile.as_ref(), &name)?;
                let drawn = Drawn { size, ..Drawn::default() };
                let manifest = Manifest { file: name.clone(), pictures: vec![drawn], ..Manifest::default() };
                store.keep_manifest(&key, &manifest)?;
                manifest
            }
        };
        *tile.layout.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let (width, height) = manifest.pictures.first().map_or((0, 0), |drawn| drawn.size);
        let layers = LAYERS.iter().map(|&(name, .., weight)| PictureLayer { name: name.into(), weight });
        let shape = Shape { width, height, layers: LAYERS.len() };
        Ok(store.open(name, &key, 0, shape, layers.enumerate().collect(), tile))
    };
    let pictures: Vec<Result<Picture, DataError>> = (0..synth.tiles).into_par_iter().map(one).collect();
    pictures.into_iter().collect()
}
