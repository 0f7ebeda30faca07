//! Any bytes as a capture: as they are, and after the beginnings by which gzip, bzip2 and zstd are known.
//! What can be opened is read whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_host::{Host, gather};

fuzz_target!(|bytes: &[u8]| {
    for magic in [&[][..], &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], b"BZh91AY&SY", &[0x28, 0xb5, 0x2f, 0xfd]] {
        let mut archive = magic.to_vec();
        archive.extend(bytes);
        if let Ok(host) = Host::from_archive(archive.as_slice()) {
            let _ = gather(&host);
        }
    }
});
