//! A file of the store: up to 4 × 4 packed squares of one picture, with a hash of each, so that any one is read and
//! checked alone.
//!
//! `rordtile`, the version, the key of the drawing, which tile of which picture, then for each square where it ends and
//! its hash, a hash of all that, and the squares one after the other.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Squares along the side of a tile: 512 px.
pub const TILE: usize = 4;

const MAGIC: &[u8; 8] = b"rordtile";
/// Magic, version, key, and which tile.
const HEAD: usize = 8 + 4 + 32 + 12 + 4;
const HASH: usize = 16;
const ENTRY: usize = 4 + HASH;

/// Which tile of which drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileId {
    /// What the drawing depends on.
    pub key: [u8; 32],
    /// The number of the picture in its file.
    pub picture: u32,
    /// Column and row of tiles.
    pub at: (u32, u32),
    /// How many squares it holds.
    pub squares: u32,
}

impl TileId {
    /// The name of its file.
    pub fn name(&self) -> String {
        format!("{}-{}-{}.tile", self.picture, self.at.1, self.at.0)
    }

    fn head(&self) -> Vec<u8> {
        let numbers = [self.picture, self.at.0, self.at.1, self.squares].map(u32::to_le_bytes).concat();
        [&MAGIC[..], &super::VERSION.to_le_bytes(), &self.key, &numbers].concat()
    }

    /// The content of its file.
    pub fn file(&self, squares: &[Vec<u8>]) -> Vec<u8> {
        let (mut out, mut end) = (self.head(), 0);
        for square in squares {
            end += square.len() as u32;
            out.extend(end.to_le_bytes());
            out.extend(hash(square));
        }
        let head = hash(&out);
        out.extend(head);
        squares.iter().for_each(|square| out.extend(square));
        out
    }

    /// Reads one square from the tile's file; `None` where the file is another one or broken.
    pub fn read(&self, path: &Path, square: usize) -> io::Result<Option<Vec<u8>>> {
        let mut file = File::open(path)?;
        let mut head = vec![0; HEAD + self.squares as usize * ENTRY + HASH];
        if let Err(error) = file.read_exact(&mut head) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        let Some((place, expected)) = self.place(&head, square) else { return Ok(None) };
        file.seek(SeekFrom::Start((head.len() + place.start) as u64))?;
        let mut packed = Vec::new();
        file.take(place.len() as u64).read_to_end(&mut packed)?;
        Ok((packed.len() == place.len() && hash(&packed) == expected).then_some(packed))
    }

    /// Where a square lies behind the head, and its hash.
    fn place(&self, head: &[u8], square: usize) -> Option<(Range<usize>, [u8; HASH])> {
        let (content, check) = head.split_last_chunk::<HASH>()?;
        if !content.starts_with(&self.head()) || hash(content) != *check {
            return None;
        }
        let entry = |k: usize| content.get(HEAD..)?.chunks_exact(ENTRY).nth(k);
        let end = |k: usize| Some(u32::from_le_bytes(*entry(k)?.first_chunk()?) as usize);
        let start = if square == 0 { 0 } else { end(square - 1)? };
        Some((start..end(square)?, *entry(square)?.last_chunk()?))
    }
}

fn hash(bytes: &[u8]) -> [u8; HASH] {
    let hash = blake3::hash(bytes);
    let mut out = [0; HASH];
    out.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    out
}

/// What a writer's file is called until it is whole.
pub const UNFINISHED: &str = ".part";

/// Writes a file beside its place and renames it, without waiting for the disk: a file that a crash leaves half
/// written is found by its hash.
pub fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}-{number}{UNFINISHED}", std::process::id()));
    let beside = path.with_file_name(name);
    let written = || {
        let mut file = File::create(&beside)?;
        file.write_all(content)?;
        std::fs::rename(&beside, path)
    };
    written().inspect_err(|_| {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&beside);
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn each_square_is_read_alone_and_broken_files_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tile");
        let id = TileId { key: [7; 32], picture: 3, at: (1, 2), squares: 3 };
        let squares = [vec![1, 2, 3], vec![], vec![9; 1000]];
        let whole = id.file(&squares);
        put(&path, &whole).unwrap();
        for (k, square) in squares.iter().enumerate() {
            assert_eq!(id.read(&path, k).unwrap().as_ref(), Some(square));
        }
        for other in [TileId { key: [8; 32], ..id }, TileId { at: (2, 1), ..id }, TileId { squares: 2, ..id }] {
            assert_eq!(other.read(&path, 0).unwrap(), None);
        }
        assert_eq!(id.read(&path, 3).unwrap(), None);
        assert!(id.read(&folder.path().join("gone"), 0).is_err());
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 1;
            std::fs::write(&path, &broken).unwrap();
            let read = (0..3).map(|k| id.read(&path, k).unwrap());
            assert!(read.zip(&squares).any(|(read, square)| read.as_ref() != Some(square)), "byte {at}");
        }
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            assert_eq!(id.read(&path, 2).unwrap(), None, "cut at {end}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left of the writer");
    }
}
