//! What a network saw of chips, kept in a folder: a search of a window that is there need not look again.
//!
//! A window is known by its pixels and the network by what it makes of a picture of noise, so nothing is ever taken for what
//! it is not: another chip, drawing or network finds nothing in the folder and adds its own. One file holds one window;
//! each is written beside and renamed, so that several searches may share a folder and one that is stopped keeps what it saw.
//! Descriptors are kept, and used, in half precision: 2 bytes for each of their numbers.

use std::fs;
use std::path::{Path, PathBuf};

use half::f16;
use rord_data::patch::Rect;
use rord_engine::predict::Picture;
use rord_files::{Lock, LockError};
use rord_matching::dense::Dense;
use rord_random::Stream;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use crate::maps::{Maps, Pixels};
use crate::network::{Network, SearchError};

/// A folder of windows that one network saw.
pub struct Index {
    folder: PathBuf,
    /// What the network makes of noise.
    network: blake3::Hash,
}

/// Pixels of a side of the picture of noise.
const PROBE: usize = 64;
/// The largest file that is read, in bytes: a window of 2,048 px with what it overlaps has some 100 MB.
const LIMIT: u64 = 4 << 30;

impl Index {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    /// A folder that cannot be made, or a path that is something else; a network that cannot be run.
    pub fn open(folder: &Path, network: &mut Network<'_>) -> Result<Self, SearchError> {
        let failed = |e: std::io::Error| SearchError::Index { path: folder.into(), why: rord_files::plain(&e) };
        fs::create_dir_all(folder).map_err(failed)?;
        let [height, width] = network.fixed().map(|side| side.unwrap_or(PROBE));
        let channels = network.channels().unwrap_or(1);
        let mut stream = Stream::new(0, &[u64::from_le_bytes(*b"theprobe")]);
        let values: Vec<f32> = (0..channels * height * width).map(|_| stream.range(0.0, 1.0) as f32).collect();
        let raw = network.maps(&Picture { values: &values, channels, height, width })?;
        let mut hash = blake3::Hasher::new();
        for numbers in [&raw.scores.2, &raw.descriptors.3] {
            hash.update(&(numbers.len() as u64).to_le_bytes());
            numbers.iter().for_each(|x| _ = hash.update(&x.to_le_bytes()));
        }
        Ok(Self { folder: folder.into(), network: hash.finalize() })
    }

    /// The maps of a window: those that are kept, else as the network makes them, which are kept. `progress` as in
    /// [`Maps::by_tiles`]; what is stopped is not kept.
    pub fn maps(
        &self,
        network: &mut Network<'_>,
        pixels: &dyn Pixels,
        window: Rect,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Maps, SearchError> {
        let file = self.file(&self.key(pixels, window)?);
        if let Some(maps) = read(&file, window) {
            progress(window.width * window.height);
            return Ok(maps);
        }
        make(network, pixels, window, &file, progress)
    }

    fn file(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.safetensors"))
    }

    /// Looks at a window for others to come, where it is not kept yet and no other process is at it; false where it was left. `progress`
    /// as in [`Maps::by_tiles`].
    ///
    /// # Errors
    /// As of [`Index::maps`]; a file system that has no locks.
    pub fn look(
        &self,
        network: &mut Network<'_>,
        pixels: &dyn Pixels,
        window: Rect,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<bool, SearchError> {
        let key = self.key(pixels, window)?;
        let file = self.file(&key);
        if file.exists() {
            return Ok(false);
        }
        let failed = |why: String| SearchError::Index { path: self.folder.clone(), why };
        let claim = match Lock::take(&self.folder.join(format!("{key}.lock"))) {
            Ok(claim) if !claim.holds() => {
                return Err(failed("the file system has no locks: two processes would look at one window".into()));
            }
            Ok(claim) => claim,
            Err(LockError::InUse { .. }) => return Ok(false),
            Err(LockError::File(e)) => return Err(failed(e.to_string())),
        };
        // Another one may have ended meanwhile.
        if file.exists() {
            return Ok(false);
        }
        make(network, pixels, window, &file, progress)?;
        drop(claim);
        Ok(true)
    }

    /// By what a window is known: its pixels as far as tiles reach beyond it, and the network.
    fn key(&self, pixels: &dyn Pixels, window: Rect) -> Result<String, SearchError> {
        let seen = window.grown(crate::maps::HALO);
        let mut hash = blake3::Hasher::new();
        hash.update(self.network.as_bytes());
        for side in [window.width, window.height, pixels.channels()] {
            hash.update(&(side as u64).to_le_bytes());
        }
        // By rows, so that no second copy of a large window is held.
        for row in 0..seen.height {
            let line = Rect { y: seen.y + row as i64, height: 1, ..seen };
            for value in pixels.read(line).map_err(SearchError::Pixels)? {
                hash.update(&value.to_le_bytes());
            }
        }
        Ok(hash.finalize().to_hex().as_str().chars().take(32).collect())
    }
}

/// The maps of a window as the network makes them, which are kept in a file unless `progress` stops them.
fn make(
    network: &mut Network<'_>,
    pixels: &dyn Pixels,
    window: Rect,
    file: &Path,
    progress: &mut dyn FnMut(usize) -> bool,
) -> Result<Maps, SearchError> {
    let mut going = true;
    let made = Maps::by_tiles(network, pixels, window, &mut |more| {
        going = progress(more);
        going
    })?;
    let kept = halved(made);
    if going {
        let failed = |why: String| SearchError::Index { path: file.into(), why };
        let bytes = bytes(&kept).map_err(failed)?;
        rord_files::write_atomic(file, &bytes).map_err(|e| failed(e.to_string()))?;
    }
    Ok(kept)
}

/// With descriptors as they are kept.
fn halved(mut maps: Maps) -> Maps {
    maps.dense.values.iter_mut().for_each(|x| *x = f16::from_f32(*x).to_f32());
    maps
}

const DESCRIPTORS: &str = "descriptors";
const SCORES: &str = "scores";

fn bytes(maps: &Maps) -> Result<Vec<u8>, String> {
    let Dense { values, height, width, channels, .. } = &maps.dense;
    let descriptors: Vec<u8> = values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect();
    let scores: Vec<u8> = maps.scores.iter().flat_map(|x| x.to_le_bytes()).collect();
    let tensors = [
        (DESCRIPTORS, TensorView::new(Dtype::F16, vec![*height, *width, *channels], &descriptors)),
        (SCORES, TensorView::new(Dtype::F32, maps.cells.to_vec(), &scores)),
    ];
    let whole = tensors.into_iter().map(|(name, view)| view.map(|view| (name, view)));
    let whole: Vec<_> = whole.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    serialize(whole, None).map_err(|e| e.to_string())
}

/// The maps that a file holds; `None` where it is not there, or not whole: then they are made again.
fn read(file: &Path, window: Rect) -> Option<Maps> {
    let bytes = rord_files::read(file, LIMIT).ok()?;
    let held = SafeTensors::deserialize(&bytes).ok()?;
    let (descriptors, scores) = (held.tensor(DESCRIPTORS).ok()?, held.tensor(SCORES).ok()?);
    if descriptors.dtype() != Dtype::F16 || scores.dtype() != Dtype::F32 {
        return None;
    }
    let &[height, width, channels] = descriptors.shape() else { return None };
    let &[rows, columns] = scores.shape() else { return None };
    let size = [window.width, window.height].map(|side| side.next_multiple_of(Network::UNIT));
    let fits = |side: usize, cells: usize| cells > 0 && side.is_multiple_of(cells);
    if !(fits(size[0], width) && fits(size[1], height) && fits(size[0], columns) && fits(size[1], rows)) {
        return None;
    }
    let number = |b: &[u8]| b.try_into().map(f32::from_le_bytes).ok();
    let half = |b: &[u8]| b.try_into().map(|b| f16::from_le_bytes(b).to_f32()).ok();
    let values = descriptors.data().chunks_exact(2).map(half).collect::<Option<Vec<f32>>>()?;
    let scores = scores.data().chunks_exact(4).map(number).collect::<Option<Vec<f32>>>()?;
    Some(Maps { dense: Dense { values, height, width, channels, size }, scores, cells: [rows, columns] })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_read_as_it_was_written_and_not_where_it_does_not_fit() {
        let window = Rect { x: 0, y: 0, width: 60, height: 30 };
        let dense = Dense { values: vec![0.25; 16 * 8 * 3], height: 8, width: 16, channels: 3, size: [64, 32] };
        let maps = Maps { dense, scores: (0..128).map(|i| i as f32).collect(), cells: [8, 16] };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("w.safetensors");
        assert!(read(&file, window).is_none());
        let whole = bytes(&maps).unwrap();
        fs::write(&file, &whole).unwrap();
        let back = read(&file, window).unwrap();
        assert_eq!((back.dense, back.scores, back.cells), (maps.dense, maps.scores, maps.cells));
        // Of every cut file, nothing.
        for end in 0..whole.len() {
            fs::write(&file, whole.get(..end).unwrap()).unwrap();
            assert!(read(&file, window).is_none(), "{end}");
        }
    }
}
