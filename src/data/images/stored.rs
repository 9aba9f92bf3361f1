//! Pictures of a file in the store: drawn there once, a large one strip by strip, and read from there by every run.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::planes::Page;
use super::strips::{self, At, Strips};
use super::{Images, from_bytes};
use crate::DataError;
use crate::files::unreadable;
use crate::gds::hash;
use crate::picture::{Origin, Picture, PictureLayer, SQUARE, Samples};
use crate::store::manifest::{Drawn, Layer, Manifest};
use crate::store::{DrawingKey, Paint, Shape, Sink, Store};

/// A file, as it was when the run began.
#[derive(Clone)]
struct Source {
    path: PathBuf,
    content: [u8; 32],
    images: Images,
}

/// Draws one picture of a file.
struct Painter {
    source: Source,
    /// Which of the pictures that its file has.
    number: usize,
    open: Mutex<Option<Open>>,
}

/// A picture at hand.
enum Open {
    Whole(Page),
    Strips(Box<Strips>),
}

/// The pictures of a file, and whether an earlier run had read them.
pub fn pictures(path: &Path, images: &Images, store: &Store) -> Result<(Vec<Picture>, bool), DataError> {
    let content = hash(path)?;
    let Images { range, resize, color, .. } = images;
    let key = DrawingKey::new(content, &format!("picture\n{range:?}\n{resize:?}\n{color:?}"));
    let source = Source { path: path.to_path_buf(), content, images: images.clone() };
    let (manifest, cached) = match store.manifest(&key) {
        Some(manifest) => (manifest, true),
        None => {
            let manifest = draw(&source, &key, store)?;
            store.keep_manifest(&key, &manifest)?;
            (manifest, false)
        }
    };
    let origin = Origin { file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(), content };
    let open = |(number, drawn): (usize, &Drawn)| {
        let name = match drawn.page {
            Some(page) => format!("{}#{page}", path.display()),
            None => path.display().to_string(),
        };
        let (width, height) = drawn.size;
        let layer = |layer: &Layer| PictureLayer { name: layer.name.clone(), weight: 1.0 };
        let layers = drawn.layers.iter().map(layer).enumerate().collect();
        let painter = Arc::new(Painter { source: source.clone(), number, open: Mutex::default() });
        let shape = Shape { width, height, layers: drawn.layers.len() };
        let picture = store.open(name, &key, number as u32, shape, layers, painter);
        picture.from_origin(origin.clone()).noted(drawn.notes.clone())
    };
    Ok((manifest.pictures.iter().enumerate().map(open).collect(), cached))
}

/// Draws all pictures of a file.
fn draw(source: &Source, key: &DrawingKey, store: &Store) -> Result<Manifest, DataError> {
    let file = source.path.display().to_string();
    let mut manifest = Manifest { file: file.clone(), ..Manifest::default() };
    let mut one = |number: usize, page: Option<usize>, open: Open| {
        let (size, names) = match &open {
            Open::Whole(page) => ((page.width, page.height), page.planes.iter().map(|(name, _)| *name).collect()),
            Open::Strips(strips) => ((strips.head.width, strips.head.height), strips.plan.names().to_vec()),
        };
        let painter = Painter { source: source.clone(), number, open: Mutex::new(Some(open)) };
        let shape = Shape { width: size.0, height: size.1, layers: names.len() };
        let shares = store.draw(key, number as u32, shape, &painter, &file)?;
        let notes = match painter.open.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(Open::Whole(page)) => page.notes,
            Some(Open::Strips(strips)) => strips.tally.notes(strips.plan),
            None => Vec::new(),
        };
        let layer = |(name, share): (&&str, f64)| Layer { name: (*name).into(), share };
        let layers = names.iter().zip(shares).map(layer).collect();
        manifest.pictures.push(Drawn { size, layers, page, notes, ..Drawn::default() });
        Ok::<(), DataError>(())
    };
    match strips::pictures(&source.path, &source.images)? {
        Some(pictures) => {
            for (number, at) in pictures.into_iter().enumerate() {
                let strips = Strips::open(&source.path, at, &source.images)?;
                one(number, at.page, Open::Strips(Box::new(strips)))?;
            }
            source.unchanged()?;
        }
        None => {
            let pages = source.pages()?;
            let several = pages.len() > 1;
            for (number, page) in pages.into_iter().enumerate() {
                // The name of a page ends in its number.
                let named = page.name.rsplit('#').next().and_then(|text| text.parse().ok()).filter(|_| several);
                one(number, named, Open::Whole(page))?;
            }
        }
    }
    Ok(manifest)
}

impl Source {
    fn changed(&self) -> DataError {
        DataError::Changed { path: self.path.clone() }
    }

    fn unchanged(&self) -> Result<(), DataError> {
        if hash(&self.path)? == self.content { Ok(()) } else { Err(self.changed()) }
    }

    /// All pictures, whole.
    fn pages(&self) -> Result<Vec<Page>, DataError> {
        let bytes = rord_files::whole(&self.path).map_err(|error| unreadable(&self.path, &error.source))?;
        if *blake3::hash(&bytes).as_bytes() != self.content {
            return Err(self.changed());
        }
        from_bytes(&self.path, &bytes, &self.images)
    }

    /// One picture, to draw what is missing of it.
    fn open(&self, number: usize) -> Result<Open, DataError> {
        self.unchanged()?;
        if let Some(pictures) = strips::pictures(&self.path, &self.images)? {
            let at: At = pictures.get(number).copied().ok_or_else(|| self.changed())?;
            return Ok(Open::Strips(Box::new(Strips::open(&self.path, at, &self.images)?)));
        }
        self.pages()?.into_iter().nth(number).map(Open::Whole).ok_or_else(|| self.changed())
    }
}

impl Paint for Painter {
    fn paint(&self, rows: Range<usize>, sink: Sink<'_>) -> Result<(), DataError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let picture = match &mut *open {
            Some(picture) => picture,
            none => none.insert(self.source.open(self.number)?),
        };
        for y in rows.clone().step_by(SQUARE) {
            let part = y..(y + SQUARE).min(rows.end);
            let planes = match picture {
                Open::Whole(page) => page.planes.iter().map(|(_, samples)| cut(samples, page.width, &part)).collect(),
                Open::Strips(strips) => strips.read(part)?,
            };
            planes.into_iter().enumerate().for_each(|(plane, samples)| sink(plane, y, samples));
        }
        Ok(())
    }
}

/// Some rows of a plane.
fn cut(samples: &Samples, width: usize, rows: &Range<usize>) -> Samples {
    let part = rows.start * width..rows.end * width;
    match samples {
        Samples::Eight(v) => Samples::Eight(v.get(part).unwrap_or_default().to_vec()),
        Samples::Sixteen(v) => Samples::Sixteen(v.get(part).unwrap_or_default().to_vec()),
    }
}

/// What a file takes in memory while it is drawn, in bytes: its size where that cannot be told.
pub fn cost(path: &Path, images: &Images) -> u64 {
    let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if let Ok(Some(_)) = strips::pictures(path, images) {
        return 3 * strips::HELD;
    }
    let reader = image::ImageReader::open(path).and_then(image::ImageReader::with_guessed_format);
    let decoder = reader.ok().and_then(|reader| reader.into_decoder().ok());
    let decoded = decoder.map_or(strips::HELD, |decoder| image::ImageDecoder::total_bytes(&decoder));
    // The numbers, and the planes that are made of them.
    decoded.saturating_mul(2).saturating_add(length)
}
