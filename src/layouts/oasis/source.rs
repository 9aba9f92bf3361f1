//! The bytes of a file in the order in which records have them: those of a compressed block (CBLOCK) take the block's
//! place.

use flate2::{Decompress, FlushDecompress, Status};

use super::fault::Fault;
use super::limits::Limits;

/// How much of a block is inflated at a time, so that a block of any length takes no more memory than this.
const WINDOW: usize = 1 << 16;

/// A position in the file; in a compressed block, the position of the block's record and the byte within its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Byte of the file.
    pub at: u64,
    /// Byte of the block's content.
    pub within: Option<u64>,
}

/// A compressed block being read.
struct Block {
    /// Where its record lies in the file.
    record: u64,
    inflate: Decompress,
    /// Where its bytes end in the file.
    end: usize,
    /// The inflated bytes at hand, how many of them are read, and how many came before.
    window: Vec<u8>,
    next: usize,
    before: u64,
    /// The length that its record gives.
    stated: u64,
    done: bool,
}

/// A file being read.
pub(super) struct Source<'a> {
    file: &'a [u8],
    at: usize,
    block: Option<Box<Block>>,
    /// How many bytes blocks may inflate to, in all, and how many of these are left.
    most: u64,
    left: u64,
    /// How many points one list may have.
    points: u64,
    /// Blocks whose length differs from what their records give: how many, and where the first is.
    pub odd_blocks: Option<(u64, u64)>,
}

impl<'a> Source<'a> {
    /// Reads `file` from byte `at`.
    pub fn new(file: &'a [u8], at: usize, limits: Limits) -> Self {
        let Limits { inflated, points } = limits;
        Self { file, at, block: None, most: inflated, left: inflated, points, odd_blocks: None }
    }

    /// The fault of a list that becomes longer than lists may be.
    #[inline]
    pub fn holds(&self, points: usize) -> Result<(), Fault> {
        if points as u64 > self.points { Err(Fault::TooManyPoints(self.points)) } else { Ok(()) }
    }

    /// Where the next byte lies.
    pub fn place(&self) -> Place {
        match &self.block {
            Some(block) => Place { at: block.record, within: Some(block.before + block.next as u64) },
            None => Place { at: self.at as u64, within: None },
        }
    }

    /// The whole file.
    pub fn file(&self) -> &'a [u8] {
        self.file
    }

    /// Bytes of the file behind those that were read; a block counts as a whole.
    pub fn rest(&self) -> &'a [u8] {
        self.file.get(self.at..).unwrap_or_default()
    }

    /// The next byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, Fault> {
        if let Some(block) = &mut self.block {
            if let Some(&byte) = block.window.get(block.next) {
                block.next += 1;
                return Ok(byte);
            }
        } else if let Some(&byte) = self.file.get(self.at) {
            self.at += 1;
            return Ok(byte);
        }
        self.byte_behind_the_window()?.ok_or(Fault::EndOfData)
    }

    /// The byte that begins a record; `None` at the end of the file.
    pub fn record(&mut self) -> Result<Option<u8>, Fault> {
        match &mut self.block {
            Some(block) if block.next < block.window.len() => self.byte().map(Some),
            None if self.at < self.file.len() => self.byte().map(Some),
            _ => self.byte_behind_the_window(),
        }
    }

    /// True while a compressed block is read.
    pub fn in_block(&self) -> bool {
        self.block.is_some()
    }

    /// Goes on with the block whose `length` compressed bytes are next. `record` is where its record lies.
    pub fn enter(&mut self, record: u64, stated: u64, length: u64) -> Result<(), Fault> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let Some(end) = end.filter(|&end| end <= self.file.len()) else {
            return Err(Fault::BlockBeyondEnd { length, left: self.rest().len() as u64 });
        };
        let window = Vec::with_capacity(WINDOW);
        let inflate = Decompress::new(false);
        let block = Block { record, inflate, end, window, next: 0, before: 0, stated, done: false };
        self.block = Some(Box::new(block));
        Ok(())
    }

    #[cold]
    fn byte_behind_the_window(&mut self) -> Result<Option<u8>, Fault> {
        while let Some(block) = &mut self.block {
            if block.next < block.window.len() || self.inflate()? {
                return self.byte().map(Some);
            }
        }
        let byte = self.file.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    /// Fills the window anew; leaves the block and returns false where nothing is left in it.
    fn inflate(&mut self) -> Result<bool, Fault> {
        let Some(block) = &mut self.block else { return Ok(false) };
        block.before += block.window.len() as u64;
        block.next = 0;
        block.window.clear();
        while !block.done && block.window.is_empty() {
            let compressed = self.file.get(self.at..block.end).unwrap_or_default();
            let before = block.inflate.total_in();
            let status = block.inflate.decompress_vec(compressed, &mut block.window, FlushDecompress::None);
            let taken = (block.inflate.total_in() - before) as usize;
            self.at += taken;
            match status {
                Ok(Status::StreamEnd) => block.done = true,
                Ok(_) if taken > 0 || !block.window.is_empty() => {}
                Ok(_) => return Err(Fault::BlockCut),
                Err(_) => return Err(Fault::NotDeflated),
            }
        }
        let length = block.window.len() as u64;
        let Some(left) = self.left.checked_sub(length) else { return Err(Fault::InflatesBeyond(self.most)) };
        self.left = left;
        if length > 0 {
            return Ok(true);
        }
        self.at = block.end;
        if block.before != block.stated {
            let (times, first) = self.odd_blocks.unwrap_or((0, block.record));
            self.odd_blocks = Some((times + 1, first));
        }
        self.block = None;
        Ok(false)
    }
}
