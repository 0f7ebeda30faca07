//! Any bytes as a FAT file system.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_formats::media::fat::Fat;

fuzz_target!(|bytes: &[u8]| {
    let image = bytes.to_vec();
    if let Ok(fat) = Fat::open(&image) {
        if let Ok(Some(entry)) = fat.find(&["EFI", "BOOT", "BOOTX64.EFI"]) {
            let _ = fat.begin(&entry, 4096);
        }
        let _ = fat.names(&["EFI", "BOOT"]);
    }
});
