//! A file's library: GDSII or OASIS, plain or gzip, known by its content and never by its name.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use flate2::bufread::MultiGzDecoder;

use crate::{ReadError, ReadLibrary, gds, oasis};

/// The most bytes that are read of a file, after decompression.
pub const MOST_BYTES: u64 = 8 << 30;
/// A gzip stream may grow by this much whatever its size, and beyond that by [`MOST_GROWTH`] times its size: layouts
/// grow five- to fiftyfold, and a stream that grows a thousandfold was made to.
const FREE_GROWTH: u64 = 64 << 20;
const MOST_GROWTH: u64 = 200;
/// As many bytes tell what a file is.
const HEAD: usize = 16;

/// Reads a GDSII or an OASIS file, plain or gzip. Never goes by the file's name. Errors: see [`ReadError`].
pub fn read(path: &Path) -> Result<ReadLibrary, ReadError> {
    let (file, size) = rord_files::open(path).map_err(|error| ReadError::unreadable(path, &error.source))?;
    source(path, file, size, MOST_BYTES, &kept)
}

/// Bytes that the library of a file takes in memory while it is read and sorted, about: all of it is read, and nothing kept.
/// Errors: as [`read`].
pub fn weigh(path: &Path) -> Result<u64, ReadError> {
    let (file, size) = rord_files::open(path).map_err(|error| ReadError::unreadable(path, &error.source))?;
    source(path, file, size, MOST_BYTES, &weighed)
}

/// As [`read`], of the content of a file. `path` is only what errors call it.
pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<ReadLibrary, ReadError> {
    at_most(path, bytes, MOST_BYTES)
}

/// As [`from_bytes`], of at most `limit` bytes after decompression.
pub fn at_most(path: &Path, bytes: Vec<u8>, limit: u64) -> Result<ReadLibrary, ReadError> {
    let size = bytes.len() as u64;
    source(path, Cursor::new(bytes), size, limit, &kept)
}

/// All bytes of a file, decompressed where it begins as gzip does.
pub fn content(path: &Path) -> Result<Vec<u8>, ReadError> {
    let (file, size) = rord_files::open(path).map_err(|error| ReadError::unreadable(path, &error.source))?;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let gzip = file.fill_buf().map_err(|error| ReadError::unreadable(path, &error))?.starts_with(&[0x1f, 0x8b]);
    match gzip {
        false => whole(path, file, MOST_BYTES, false),
        true => {
            let limit = MOST_BYTES.min(FREE_GROWTH.saturating_add(size.saturating_mul(MOST_GROWTH)));
            whole(path, MultiGzDecoder::new(file), limit, true)
        }
    }
}

/// What is made of the bytes of a layout: its path, its first bytes, all of them, the most that are read, and whether they are unpacked.
type Make<'a, T> = &'a dyn Fn(&Path, &[u8], &mut dyn Read, u64, bool) -> Result<T, ReadError>;

/// Makes something of `source`, a file of `size` bytes.
fn source<T>(
    path: &Path,
    mut source: impl Read + Send,
    size: u64,
    limit: u64,
    make: Make<'_, T>,
) -> Result<T, ReadError> {
    let head = head(&mut source).map_err(|error| ReadError::unreadable(path, &error))?;
    let gzip = head.starts_with(&[0x1f, 0x8b]);
    let mut whole = BufReader::with_capacity(1 << 16, Cursor::new(head.clone()).chain(source));
    if !gzip {
        return make(path, &head, &mut whole, limit, false);
    }
    let limit = limit.min(FREE_GROWTH.saturating_add(size.saturating_mul(MOST_GROWTH)));
    let mut source = MultiGzDecoder::new(whole);
    let broken = |error: std::io::Error| ReadError::Gzip { path: path.to_path_buf(), reason: error.to_string() };
    // What is no layout is not unpacked as a whole.
    let head = self::head(&mut source).map_err(broken)?;
    let mut whole = BufReader::with_capacity(1 << 16, Cursor::new(head.clone()).chain(source));
    if size < PACKED_AHEAD {
        return make(path, &head, &mut whole, limit, true);
    }
    let whole = Mutex::new(whole);
    let taken = || whole.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        let (sender, pieces) = sync_channel(PIECES);
        let unpack = move || send(&mut *taken(), &sender);
        match std::thread::Builder::new().name("rord-unpack".into()).spawn_scoped(scope, unpack) {
            Ok(_) => make(path, &head, &mut Pieces { pieces, now: Cursor::default() }, limit, true),
            // Without another thread it goes on by itself.
            Err(_) => make(path, &head, &mut *taken(), limit, true),
        }
    })
}

/// From this size on a file is unpacked by a thread of its own while what is there is read.
const PACKED_AHEAD: u64 = 1 << 16;
/// Bytes of an unpacked piece, and how many wait.
const PIECE: usize = 1 << 17;
const PIECES: usize = 4;

/// Sends all of a source piece by piece, and the error that ends it; stops where nobody takes any more.
fn send(source: &mut impl Read, to: &SyncSender<std::io::Result<Vec<u8>>>) {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let read = source.take(PIECE as u64).read_to_end(&mut piece);
        // What was unpacked before an error is there, as it would be without a thread.
        let more = !piece.is_empty() && to.send(Ok(piece)).is_ok();
        match read {
            Ok(_) if more => {}
            Ok(_) => return,
            Err(error) => {
                // Nobody may be there to hear it.
                let _ = to.send(Err(error));
                return;
            }
        }
    }
}

/// What [`send`] sends.
struct Pieces {
    pieces: Receiver<std::io::Result<Vec<u8>>>,
    now: Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match self.now.read(out)? {
                0 if !out.is_empty() => match self.pieces.recv() {
                    Ok(piece) => self.now = Cursor::new(piece?),
                    // The sender is gone: that was all.
                    Err(_) => return Ok(0),
                },
                count => return Ok(count),
            }
        }
    }
}

/// The first bytes.
fn head(source: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    source.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Its library.
fn kept(path: &Path, head: &[u8], source: &mut dyn Read, limit: u64, packed: bool) -> Result<ReadLibrary, ReadError> {
    let read = if head.is_empty() {
        return Err(ReadError::EmptyFile { path: path.to_path_buf() });
    } else if gds::is_gds(head) {
        gds::read(path, source, limit, packed)?
    } else if oasis::is_oasis(head) {
        oasis::read(path, &whole(path, source, limit, packed)?)?
    } else {
        return Err(ReadError::NotLayout { path: path.to_path_buf(), looks: looks(head) });
    };
    match read.library.cells.is_empty() {
        true => Err(ReadError::NoCells { path: path.to_path_buf() }),
        false => Ok(read),
    }
}

/// What its library takes.
fn weighed(path: &Path, head: &[u8], source: &mut dyn Read, limit: u64, packed: bool) -> Result<u64, ReadError> {
    match head {
        head if gds::is_gds(head) => gds::weigh(path, source, limit, packed),
        head if oasis::is_oasis(head) => oasis::weigh(path, &whole(path, source, limit, packed)?),
        _ => Ok(0),
    }
}

/// All bytes of `source`.
fn whole(path: &Path, source: impl Read, limit: u64, packed: bool) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    source.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| match packed {
        true => ReadError::Gzip { path: path.to_path_buf(), reason: error.to_string() },
        false => ReadError::unreadable(path, &error),
    })?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::FileTooLarge { path: path.to_path_buf(), limit });
    }
    Ok(bytes)
}

/// What a file that is no layout begins as.
fn looks(head: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 10] = [
        (b"BZh", "a bzip2 file"),
        (b"\xfd7zXZ\0", "an xz file"),
        (b"\x28\xb5\x2f\xfd", "a zstd file"),
        (b"PK\x03\x04", "a zip file"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z file"),
        (b"\x1f\x8b", "a gzip file in a gzip file"),
        (b"magic", "a Magic file"),
        (b"version https://git-", "a pointer of Git LFS, without the file"),
        (b"<!DOCTYPE", "an HTML page"),
        (b"<html", "an HTML page"),
    ];
    let starts = |start: &[u8]| head.starts_with(start.get(..start.len().min(HEAD)).unwrap_or(start));
    KINDS.iter().find(|(start, _)| starts(start)).map(|(_, name)| *name)
}
