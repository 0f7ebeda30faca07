//! Reading a part of an image that may be too large to hold.

/// Why an image cannot be read or understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The image ends before what it points to.
    #[error("it points to byte {offset:#x}, which lies behind its end")]
    Outside {
        /// Where, in bytes.
        offset: u64,
    },
    /// The system could not read.
    #[error("byte {offset:#x} cannot be read: {why}")]
    Io {
        /// Where, in bytes.
        offset: u64,
        /// What the system said.
        why: String,
    },
    /// The bytes make no sense.
    #[error("at byte {offset:#x}: {why}")]
    Wrong {
        /// Where, in bytes.
        offset: u64,
        /// What is wrong there.
        why: &'static str,
    },
}

/// Something whose bytes can be read at any place.
pub trait ReadAt {
    /// Bytes in all.
    fn size(&self) -> u64;

    /// Fills all of `into` from a place, or fails.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), MediaError>;
}

impl ReadAt for [u8] {
    fn size(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), MediaError> {
        let outside = || MediaError::Outside { offset };
        let at = usize::try_from(offset).map_err(|_| outside())?;
        let end = at.checked_add(into.len()).ok_or_else(outside)?;
        into.copy_from_slice(self.get(at..end).ok_or_else(outside)?);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.as_slice().size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), MediaError> {
        self.as_slice().read_at(offset, into)
    }
}

/// `COUNT` bytes at a place.
pub(crate) fn bytes<const COUNT: usize>(
    image: &(impl ReadAt + ?Sized),
    offset: u64,
) -> Result<[u8; COUNT], MediaError> {
    let mut into = [0; COUNT];
    image.read_at(offset, &mut into)?;
    Ok(into)
}

/// A part of an image, such as a partition.
pub struct Window<'a> {
    image: &'a dyn ReadAt,
    offset: u64,
    length: u64,
}

impl<'a> Window<'a> {
    /// `length` bytes from a place, or as many as there are.
    pub fn new(image: &'a dyn ReadAt, offset: u64, length: u64) -> Self {
        Self { image, offset, length: length.min(image.size().saturating_sub(offset)) }
    }
}

impl std::fmt::Debug for Window<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window")
            .field("offset", &self.offset)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl ReadAt for Window<'_> {
    fn size(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), MediaError> {
        let count = u64::try_from(into.len()).unwrap_or(u64::MAX);
        if offset.checked_add(count).is_none_or(|end| end > self.length) {
            return Err(MediaError::Outside { offset });
        }
        self.image.read_at(self.offset.saturating_add(offset), into)
    }
}
