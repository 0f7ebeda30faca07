//! The window above 4 GiB in which the guest's firmware places large BARs.

use passthru_model::{HostFacts, PciFunction};

use super::{BuildError, Building};
use crate::accel::Accel;
use crate::choice::Topic;
use crate::machine::Cpu;
use crate::size::{MIB, MemorySize};
use crate::spec::{FirmwareKind, GuestSpec};

/// The window of every OVMF by itself, in MiB; since 2023 it takes an eighth of what the processor can address
/// (`PlatformDynamicMmioWindow`, `OvmfPkg/Library/PlatformInitLib/MemDetect.c`), where that is more.
const OWN_MIB: u64 = 32 << 10;

/// The BAR may be placed above 4 GiB (`IORESOURCE_MEM_64`, `include/linux/ioport.h`).
const ABOVE_4G: u64 = 0x10_0000;

/// Decides how large the window is; `None` leaves it to the firmware.
pub(super) fn decide(
    spec: &GuestSpec,
    facts: &HostFacts,
    functions: &[&PciFunction],
    accel: Accel,
    cpu: &Cpu,
    building: &mut Building,
) -> Option<MemorySize> {
    let host_bits = (accel == Accel::Kvm).then(|| facts.cpu.physical_bits.value().copied()).flatten();
    let bits = cpu.address_bits.or(host_bits);
    if let Some(window) = spec.mmio_window {
        if spec.firmware == FirmwareKind::Seabios {
            building.wrong(BuildError::WindowNeedsUefi);
        } else if !window.mib().is_power_of_two() {
            building.wrong(BuildError::WindowUneven(window));
        } else if let Some(bits) = bits.filter(|bits| !fits(window, *bits)) {
            building.wrong(BuildError::WindowTooLarge { window, bits });
        }
        building.say(Topic::Firmware, format!("a window of {window} for large BARs, by hand"));
        return Some(window);
    }
    if spec.firmware == FirmwareKind::Seabios {
        return None;
    }
    let bars = functions.iter().flat_map(|function| &function.resources);
    let sum: u64 = bars
        .filter(|bar| bar.index < 6 && bar.is_memory() && bar.flags & ABOVE_4G != 0)
        .fold(0, |sum, bar| sum.saturating_add(bar.size()));
    // A BAR is placed at a multiple of its size; half as much again leaves room for that and for the bridges.
    let needed = (sum / MIB).saturating_add(sum / MIB / 2).checked_next_power_of_two()?;
    if needed <= OWN_MIB {
        return None;
    }
    let window = MemorySize::from_mib(needed)?;
    if let Some(bits) = bits.filter(|bits| !fits(window, *bits)) {
        building.wrong(BuildError::WindowTooLarge { window, bits });
    }
    building.say(
        Topic::Firmware,
        format!(
            "a window of {window} for the devices' BARs ({} MiB), for which the 32 GiB of OVMF before 2023 are too small; a larger \
             one that OVMF takes by itself stays",
            sum / MIB
        ),
    );
    Some(window)
}

/// Whether a window leaves at least half of the addresses to memory.
fn fits(window: MemorySize, bits: u8) -> bool {
    1_u64.checked_shl(u32::from(bits.saturating_sub(1))).is_none_or(|half| window.bytes() <= half)
}
