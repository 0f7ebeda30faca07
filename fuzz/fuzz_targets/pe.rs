//! Any bytes as a program of EFI, and as what follows the right beginning of one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_formats::pe;

fuzz_target!(|bytes: &[u8]| {
    let _ = pe::parse(bytes);
    let mut program = b"MZ".to_vec();
    program.resize(0x3c, 0);
    program.extend(0x40_u32.to_le_bytes());
    program.extend(b"PE\0\0");
    program.extend(bytes);
    let _ = pe::parse(&program);
});
