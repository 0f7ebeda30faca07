//! Any bytes as a disk: its MBR, its GPT, and what its partitions hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_formats::media;

fuzz_target!(|bytes: &[u8]| {
    let image = bytes.to_vec();
    let _ = media::gpt::read(&image);
    let _ = media::mbr::read(&image);
    let _ = media::look(&image);
});
