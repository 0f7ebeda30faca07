//! What captures and initramfs images are compressed with, told by its first bytes and unpacked as a stream.
//!
//! The bytes come from outside: a decoder takes no more memory than `MOST_WINDOW` and its own tables, whatever a header
//! asks for. How much comes out is for the caller to bound.

mod lz4;
mod zstd;

use std::io::{self, BufRead, Read};

pub(crate) use lz4::LEGACY as LZ4_LEGACY;

/// How far back a stream may refer, in bytes, which is what its decoder keeps in memory. `xz -9` and `zstd --ultra -22`
/// without `--long` go back 64 and 128 MiB.
const MOST_WINDOW: u32 = 128 * 1024 * 1024;
/// The same for a decoder that counts in KiB, with a tenth more for its tables.
const MOST_KIB: u32 = MOST_WINDOW / 1024 / 10 * 11;

/// A compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// gzip (RFC 1952).
    Gzip,
    /// bzip2.
    Bzip2,
    /// Zstandard (RFC 8878).
    Zstd,
    /// xz, with LZMA2 in it.
    Xz,
    /// LZMA of old, without a container.
    Lzma,
    /// lz4 in its legacy frames.
    Lz4,
}

impl Compression {
    /// The compression by its first bytes, as the kernel tells it (`lib/decompress.c`).
    pub fn of(head: &[u8]) -> Option<Self> {
        let kinds: [(&[u8], Self); 6] = [
            (&[0x1f, 0x8b], Self::Gzip),
            (b"BZh", Self::Bzip2),
            (&zstd::MAGIC, Self::Zstd),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Self::Xz),
            (&[0x5d, 0, 0], Self::Lzma),
            (&LZ4_LEGACY, Self::Lz4),
        ];
        kinds.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| kind)
    }

    /// Unpacks a stream: all parts of it where several follow one another.
    pub fn unpack<'a>(self, packed: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::Frames::new(packed)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(packed, true, MOST_KIB)),
            Self::Lzma => Box::new(lzma_rust2::LzmaReader::new_mem_limit(packed, MOST_KIB, None)?),
            Self::Lz4 => Box::new(lz4::Blocks::new(packed)),
        })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "the tests ask the programs that compress")]
mod programs;

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::Compression;
    use super::programs::{PROGRAMS, packed};

    fn unpacked(packed: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let kind = Compression::of(packed).ok_or(std::io::ErrorKind::InvalidInput)?;
        kind.unpack(packed)?.take(1 << 24).read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn streams_of_several_parts_are_read_to_their_end() {
        let (first, second) = (vec![b'a'; 300_000], b"and the second part\n".to_vec());
        // A stream of lzma is one.
        for (program, arguments) in PROGRAMS.into_iter().filter(|(program, _)| *program != "lzma") {
            let (Some(one), Some(other)) =
                (packed(program, arguments, &first), packed(program, arguments, &second))
            else {
                continue;
            };
            let out = unpacked(&[one, other].concat()).expect(program);
            assert_eq!(out.len(), first.len() + second.len(), "{program}");
            assert!(out.ends_with(&second), "{program}");
        }
    }

    #[test]
    fn a_part_of_zstd_that_is_to_be_skipped_is_skipped() {
        let Some(frame) = packed("zstd", &["-q", "-c"], b"content") else { return };
        let skipped = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
        assert_eq!(unpacked(&[frame.clone(), skipped, frame].concat()).expect("reads"), b"contentcontent");
    }

    #[test]
    fn a_header_that_asks_for_gigabytes_is_refused() {
        for (program, arguments) in
            [("zstd", &["-q", "-c", "--ultra", "--long=30"][..]), ("xz", &["-c", "--lzma2=dict=512MiB"])]
        {
            let Some(bytes) = packed(program, arguments, b"small") else { continue };
            assert!(unpacked(&bytes).is_err(), "{program}");
        }
    }

    #[test]
    fn a_stream_that_is_cut_is_an_error() {
        for (program, arguments) in [("zstd", &["-q", "-c"][..]), ("xz", &["-c"]), ("gzip", &["-c"])] {
            let Some(bytes) = packed(program, arguments, &[b'x'; 5000]) else { continue };
            assert!(unpacked(&bytes[..bytes.len() / 2]).is_err(), "{program}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_them_panic(tail: Vec<u8>) {
            for magic in [
                &[0x1f, 0x8b, 8, 0][..],
                b"BZh9",
                &[0x28, 0xb5, 0x2f, 0xfd],
                &[0xfd, b'7', b'z', b'X', b'Z', 0],
                &[0x5d, 0, 0],
                &[0x02, 0x21, 0x4c, 0x18],
            ] {
                let _ = unpacked(&[magic, &tail].concat());
            }
        }
    }
}
