//! Any bytes as an option ROM, and the packed program in one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_formats::{efi_compression, option_rom};

fuzz_target!(|bytes: &[u8]| {
    let rom = option_rom::parse(bytes);
    for image in &rom.images {
        assert!(image.offset + image.length <= bytes.len());
    }
    assert!(efi_compression::unpack_begin(bytes, 4096).map_or(0, |out| out.len()) <= 4096);
});
