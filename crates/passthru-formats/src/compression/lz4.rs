//! lz4's legacy frames, the only ones that the kernel reads (`lib/decompress_unlz4.c`).

use std::io::{self, BufRead, Read};

/// How a frame begins.
pub(crate) const LEGACY: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
/// Each block of a frame unpacks to this at most.
const MOST_BLOCK: usize = 8 * 1024 * 1024;
/// What lz4 makes of a block that it cannot make smaller (`LZ4_compressBound`).
const MOST_PACKED: u64 = (MOST_BLOCK + MOST_BLOCK / 255 + 16) as u64;

/// A stream of blocks: the length of each as four bytes, then the block.
pub(super) struct Blocks<R> {
    packed: R,
    block: Vec<u8>,
    at: usize,
}

impl<R: BufRead> Blocks<R> {
    pub(super) fn new(packed: R) -> Self {
        Self { packed, block: Vec::new(), at: 0 }
    }

    /// The next block; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        let mut word = LEGACY;
        while word == LEGACY {
            if let Err(error) = self.packed.read_exact(&mut word) {
                return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(false) } else { Err(error) };
            }
        }
        let length = u64::from(u32::from_le_bytes(word));
        let mut block = Vec::new();
        // After the last block the kernel's build writes the unpacked length, which is no block.
        let read = self.packed.by_ref().take(length.min(MOST_PACKED)).read_to_end(&mut block)?;
        if length == 0 || u64::try_from(read) != Ok(length) {
            return Ok(false);
        }
        self.block = lz4_flex::block::decompress(&block, MOST_BLOCK).map_err(io::Error::other)?;
        self.at = 0;
        Ok(true)
    }
}

impl<R: BufRead> Read for Blocks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.block.len() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let count = self.block.get(self.at..).unwrap_or_default().read(buffer)?;
        self.at += count;
        Ok(count)
    }
}
