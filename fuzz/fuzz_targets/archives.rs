//! Any bytes as a capture: as they are, and after the beginnings by which gzip, bzip2, zstd and xz are known.
//! What can be opened is read whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_host::{Host, gather};

fuzz_target!(|bytes: &[u8]| {
    for magic in [
        &[][..],
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3],
        b"BZh91AY&SY",
        &[0x28, 0xb5, 0x2f, 0xfd],
        // The header of a stream with a checksum of its two bytes, so that the blocks are reached.
        &[0xfd, b'7', b'z', b'X', b'Z', 0, 0, 1, 0x69, 0x22, 0xde, 0x36],
    ] {
        let mut archive = magic.to_vec();
        archive.extend(bytes);
        if let Ok(host) = Host::from_archive(archive.as_slice()) {
            let _ = gather(&host);
        }
    }
});
