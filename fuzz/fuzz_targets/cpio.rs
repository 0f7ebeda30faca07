//! Any bytes as a cpio archive; what is read is written and read again alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_formats::cpio;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entries) = cpio::read(bytes)
        && let Ok(written) = cpio::write(&entries)
    {
        assert_eq!(cpio::read(&written).expect("what was written is read").len(), entries.len());
    }
});
