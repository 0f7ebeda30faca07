//! Any bytes as a boot catalog, and as the descriptors of a disc with one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_formats::media::{self, el_torito};

fuzz_target!(|bytes: &[u8]| {
    let _ = el_torito::parse(bytes);
    // The descriptors begin at sector 16; what lies before them is of no use to a disc.
    let mut disc = vec![0; 16 * 2048];
    disc.extend_from_slice(bytes);
    let _ = media::look(&disc);
});
