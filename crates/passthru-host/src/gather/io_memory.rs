//! Who has which physical addresses.

use passthru_formats::iomem;
use passthru_model::fact::Fact;
use passthru_model::io_memory::IoMemory;

use super::because;
use crate::host::Host;

const IOMEM: &str = "/proc/iomem";

pub(super) fn of(host: &Host) -> Fact<IoMemory> {
    match host.read(IOMEM) {
        Ok(bytes) => match iomem::parse(&bytes) {
            Some(map) => {
                let seen = format!("{} ranges", map.ranges.len());
                Fact::known(map, IOMEM, seen)
            }
            // Without CAP_SYS_ADMIN all addresses read as zero (`r_show`, `kernel/resource.c`).
            None => Fact::unknown(format!("only root sees the addresses in {IOMEM}")),
        },
        Err(error) => because(&error),
    }
}
