//! Any bytes as a DMAR and as an IVRS table, with and without a header that fits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_formats::acpi;

/// The bytes behind a header whose length is right, so that the walk is reached.
fn framed(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut table = signature.to_vec();
    table.extend(u32::try_from(36 + body.len()).unwrap_or(u32::MAX).to_le_bytes());
    table.extend([0; 28]);
    table.extend(body);
    table
}

fuzz_target!(|bytes: &[u8]| {
    let _ = (acpi::dmar(bytes), acpi::ivrs(bytes));
    let _ = acpi::dmar(&framed(b"DMAR", bytes));
    if let Ok(table) = acpi::ivrs(&framed(b"IVRS", bytes)) {
        let _ = table.body.units().count();
    }
});
