//! Any text as a list and as a mask of CPUs; what is read is written and read again alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_model::cpu_set::CpuSet;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = CpuSet::from_mask(&text);
    if let Ok(set) = text.parse::<CpuSet>() {
        let again: CpuSet = set.to_string().parse().expect("what was written is read");
        assert_eq!(again, set);
        assert_eq!(set.iter().count(), set.len());
    }
});
