//! Pictures drawn once: packed tiles on disk, from which runs read what they need, with a bounded part of it in memory.
//!
//! A drawing has a key, the hash of the file's content and of all else that it depends on. Its tiles lie in a folder of
//! that name; a tile that is missing or broken is drawn anew where it is read, so results depend neither on what is in
//! the cache nor on other processes that write there.
//!
//! ```
//! use rord_data::store::{Settings, Store};
//! let store = Store::new(Settings { memory: 64 << 20, ..Settings::default() });
//! assert_eq!((store.memory().limit(), store.memory().bytes()), (64 << 20, 0));
//! ```

pub mod folder;
pub mod manifest;
pub mod memory;
pub mod packed;
pub mod paint;
pub mod tile;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use crate::DataError;
use crate::picture::{Picture, PictureLayer, Pixels, Square};
pub use folder::{Drawing, Folder, NoPlace, clear, default_folder, list};
pub use manifest::Manifest;
pub use memory::Memory;
pub use paint::{Paint, Shape, Sink};
use tile::{TILE, TileId};

/// The version of drawings: of the files' format, of the readers and of the rasterizer. What another version has drawn
/// is not read.
pub const VERSION: u32 = 4;

/// How far drawing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file that is being drawn.
    pub file: &'a str,
    /// Of its picture, how many tiles are drawn.
    pub done: usize,
    /// And how many there are.
    pub total: usize,
}

/// Hears of progress, from any thread.
pub type Hear = Arc<dyn Fn(Progress<'_>) + Send + Sync>;

/// How pictures are stored.
#[derive(Clone)]
pub struct Settings {
    /// Bytes that pictures may take in memory.
    pub memory: usize,
    /// The folder for what is drawn; `None` for one of this process alone, in the system's temporary folder.
    pub folder: Option<PathBuf>,
    /// Hears of progress.
    pub progress: Option<Hear>,
}

impl Default for Settings {
    /// 512 MB and the user's folder for caches.
    fn default() -> Self {
        Self { memory: memory::DEFAULT, folder: default_folder(), progress: None }
    }
}

/// The pictures of a process.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    memory: Memory,
    folder: Folder,
    progress: Option<Hear>,
}

static PROCESS: OnceLock<Store> = OnceLock::new();

impl Default for Store {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

/// What a drawing depends on, as its folder's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawingKey {
    hash: [u8; 32],
    name: String,
}

impl DrawingKey {
    /// The key of a drawing of content of that hash, by `settings`: everything else that it depends on, as text.
    pub fn new(content: [u8; 32], settings: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&VERSION.to_le_bytes());
        hasher.update(&content);
        hasher.update(settings.as_bytes());
        let hash = hasher.finalize();
        Self { hash: *hash.as_bytes(), name: hash.to_hex().to_string() }
    }
}

impl Store {
    /// A store by these settings.
    pub fn new(settings: Settings) -> Self {
        let folder = Folder::new(settings.folder, std::env::temp_dir());
        Self(Arc::new(Inner { memory: Memory::new(settings.memory), folder, progress: settings.progress }))
    }

    /// The store of this process: as [`Store::begin`] set it, or else the default.
    pub fn of_process() -> Self {
        PROCESS.get_or_init(Self::default).clone()
    }

    /// Sets the store of this process. False where it was set or used before.
    pub fn begin(settings: Settings) -> bool {
        PROCESS.set(Self::new(settings)).is_ok()
    }

    /// What a person should know: that drawings are not kept, and why.
    pub fn warning(&self) -> Option<String> {
        let (folder, why) = self.0.folder.warning()?;
        Some(format!("drawings are kept for this run alone: {}: {why}", folder.display()))
    }

    /// What is in memory.
    pub fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// Where tiles lie.
    pub fn folder(&self) -> &Folder {
        &self.0.folder
    }

    /// The manifest of a drawing, where it is there.
    pub fn manifest(&self, key: &DrawingKey) -> Option<Manifest> {
        let manifest = self.0.folder.read(&key.name, manifest::NAME, Manifest::read)?;
        self.0.folder.used(&key.name, manifest::NAME);
        Some(manifest)
    }

    /// True where a drawing has a manifest, whatever is in it.
    pub fn is_drawn(&self, key: &DrawingKey) -> bool {
        self.0.folder.read(&key.name, manifest::NAME, Manifest::read).is_some()
    }

    /// Keeps the manifest of a drawing, when all its tiles are drawn.
    pub fn keep_manifest(&self, key: &DrawingKey, manifest: &Manifest) -> Result<(), DataError> {
        self.write(key, manifest::NAME, &manifest.bytes(), 0)
    }

    fn write(&self, key: &DrawingKey, name: &str, bytes: &[u8], needed: u64) -> Result<(), DataError> {
        let needed = needed.max(bytes.len() as u64);
        self.0.folder.write(&key.name, name, bytes).map_err(|place| DataError::NoPlace { place, needed })
    }

    /// Draws picture number `picture` of a drawing, all its tiles, and returns the share of the area that each layer
    /// covers. `file` is what progress calls it.
    pub fn draw(
        &self,
        key: &DrawingKey,
        picture: u32,
        shape: Shape,
        painter: &dyn Paint,
        file: &str,
    ) -> Result<Vec<f64>, DataError> {
        let (across, down) = shape.tiles();
        let mut sums = vec![0u128; shape.layers];
        let written = AtomicU64::new(0);
        let hear = |done: usize| {
            let hear = self.0.progress.as_ref();
            hear.into_iter().for_each(|hear| hear(Progress { file, done, total: across * down }));
        };
        hear(0);
        let keep = |row: usize, tiles: Vec<Vec<Vec<u8>>>| -> Result<(), DataError> {
            let file = |(column, squares): (usize, Vec<Vec<u8>>)| {
                let id = tile_id(key, picture, shape, column, row);
                (id.name(), id.file(&squares))
            };
            let files: Vec<(String, Vec<u8>)> = tiles.into_par_iter().enumerate().map(file).collect();
            let now = files.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
            let written = written.fetch_add(now, Ordering::Relaxed) + now;
            // By what the rows so far have taken.
            let needed = written.saturating_mul(down as u64) / (row as u64 + 1);
            files.par_iter().try_for_each(|(name, bytes)| self.write(key, name, bytes, needed))?;
            hear((row + 1) * across);
            Ok(())
        };
        // A row is kept while the next one is drawn.
        let mut waiting = None;
        for row in 0..down {
            let before = waiting.take();
            let (drawn, kept) = rayon::join(
                || paint::tile_row(painter, shape, row),
                || before.map_or(Ok(()), |tiles| keep(row - 1, tiles)),
            );
            kept?;
            let drawn = drawn?;
            sums.iter_mut().zip(&drawn.sums).for_each(|(sum, more)| *sum += more);
            waiting = Some(drawn.tiles);
        }
        waiting.map_or(Ok(()), |tiles| keep(down - 1, tiles))?;
        let area = shape.width as f64 * shape.height as f64 * 65_535.0;
        Ok(sums.iter().map(|&sum| sum as f64 / area.max(1.0)).collect())
    }

    /// A picture that is drawn already: number `picture` of a drawing of `shape`, of which `layers` are shown, each
    /// with its number there. `painter` draws what is missing.
    pub fn open(
        &self,
        name: impl Into<String>,
        key: &DrawingKey,
        picture: u32,
        shape: Shape,
        layers: Vec<(usize, PictureLayer)>,
        painter: Arc<dyn Paint>,
    ) -> Picture {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (shown, layers) = layers.into_iter().unzip();
        let stored = Stored { store: self.clone(), number, key: key.clone(), picture, shape, shown, painter };
        Picture::new(name, (shape.width, shape.height), layers, Arc::new(stored))
    }
}

fn tile_id(key: &DrawingKey, picture: u32, shape: Shape, column: usize, row: usize) -> TileId {
    let (columns, rows) = shape.of_tile(column, row);
    let squares = (columns.len() * rows.len()) as u32;
    TileId { key: key.hash, picture, at: (column as u32, row as u32), squares }
}

/// A picture of which squares are unpacked when they are read.
struct Stored {
    store: Store,
    /// Of all pictures of the process.
    number: u64,
    key: DrawingKey,
    /// Of those of the drawing.
    picture: u32,
    shape: Shape,
    /// The layers that the picture shows.
    shown: Vec<usize>,
    /// Draws what is missing.
    painter: Arc<dyn Paint>,
}

impl Stored {
    /// A square of these bytes, where they are one of the right size; of its layers those that are shown.
    fn unpack(&self, packed: &[u8], column: usize, row: usize) -> Option<Square> {
        let (width, height) = self.shape.square(column, row);
        let square = packed::unpack(packed)?;
        if square.width != width || packed.get(1).map(|h| usize::from(*h)) != Some(height) {
            return None;
        }
        let shown = self.shown.iter().map(|&layer| square.blocks.get(layer).cloned());
        Some(Square { width, blocks: shown.collect::<Option<_>>()? })
    }

    /// Draws the row of tiles in which the square is, keeps it on disk, and returns the packed square.
    fn drawn(&self, column: usize, row: usize) -> Result<Arc<[u8]>, DataError> {
        let drawn = paint::tile_row(self.painter.as_ref(), self.shape, row / TILE)?;
        let mut found = None;
        for (at, squares) in drawn.tiles.iter().enumerate() {
            let id = tile_id(&self.key, self.picture, self.shape, at, row / TILE);
            let bytes = id.file(squares);
            self.store.write(&self.key, &id.name(), &bytes, 0)?;
            if at == column / TILE {
                found = squares.get(self.number_in_tile(column, row)).map(|square| Arc::from(square.as_slice()));
            }
        }
        Ok(found.unwrap_or_else(|| Arc::from([])))
    }

    fn number_in_tile(&self, column: usize, row: usize) -> usize {
        let (columns, _) = self.shape.of_tile(column / TILE, row / TILE);
        row % TILE * columns.len() + column % TILE
    }

    fn read(&self, column: usize, row: usize) -> Result<Square, DataError> {
        let memory = &self.store.0.memory;
        let key = (self.number, column as u32, row as u32);
        if let Some(square) = memory.packed(key).and_then(|packed| self.unpack(&packed, column, row)) {
            return Ok(square);
        }
        let id = tile_id(&self.key, self.picture, self.shape, column / TILE, row / TILE);
        let read = self.store.0.folder.read(&self.key.name, &id.name(), |path| {
            let packed = id.read(path, self.number_in_tile(column, row)).ok().flatten()?;
            Some((self.unpack(&packed, column, row)?, packed.into()))
        });
        let (square, packed) = match read {
            Some(read) => read,
            None => {
                let packed = self.drawn(column, row)?;
                (self.unpack(&packed, column, row).unwrap_or_default(), packed)
            }
        };
        memory.keep_packed(key, &packed);
        Ok(square)
    }
}

impl Pixels for Stored {
    fn square(&self, column: usize, row: usize) -> Result<Arc<Square>, DataError> {
        let key = (self.number, column as u32, row as u32);
        let memory = &self.store.0.memory;
        if let Some(square) = memory.open(key) {
            return Ok(square);
        }
        let square = self.read(column, row)?;
        let square = Arc::new(square);
        memory.keep_open(key, &square);
        Ok(square)
    }
}

#[cfg(test)]
mod tests;
