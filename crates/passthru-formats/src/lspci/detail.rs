//! The indented lines below a function.

use passthru_model::hex::PciId;
use passthru_model::pci::Resource;

use super::{Block, bracketed};

/// The kernel's bits for an address range (`include/linux/ioport.h`): ports, memory, prefetchable, 64 bits wide.
const PORTS: u64 = 0x0004_0101;
const MEMORY: u64 = 0x0004_0200;
const PREFETCHABLE: u64 = 0x2008;
const WIDE: u64 = 0x0010_0004;

/// Reads one line; says whether it tells of drivers.
pub(super) fn read(block: &mut Block, line: &str) -> bool {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    // What is indented further explains a capability: there are regions of virtual functions, for one.
    if *block.indent.get_or_insert(indent) != indent {
        return false;
    }
    let Some((key, value)) = text.split_once(':') else {
        block.has_rom |= text.starts_with("Expansion ROM at ");
        return false;
    };
    let value = value.trim();
    match key {
        "Kernel driver in use" => block.driver = Some(value.to_owned()).filter(|name| is_a_name(name)),
        "Kernel modules" => {}
        "IOMMU group" => block.group = value.parse().ok(),
        "NUMA node" => block.numa_node = value.parse().ok(),
        "Subsystem" => block.subsystem = subsystem(value),
        "Bus" => {
            block.secondary_bus =
                number_after(value, "secondary=", 16).and_then(|bus| u8::try_from(bus).ok());
        }
        "Flags" => {
            // With a single -v, both are among the flags.
            block.group = number_after(value, "IOMMU group ", 10).or(block.group);
            block.numa_node = number_after(value, "NUMA node ", 10).or(block.numa_node);
        }
        _ => {
            if let Some(index) = key.strip_prefix("Region ").and_then(|index| index.parse::<u8>().ok()) {
                block.is_numbered = true;
                block.resources.extend(region(index, value));
            }
        }
    }
    key.starts_with("Kernel ")
}

/// A driver's name goes into a path.
fn is_a_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains('/')
}

fn subsystem(value: &str) -> Option<PciId> {
    value.parse().ok().or_else(|| bracketed(value))
}

/// The number that follows a mark.
fn number_after(text: &str, mark: &str, radix: u32) -> Option<u32> {
    let (_, rest) = text.split_once(mark)?;
    let end = rest.find(|next: char| !next.is_digit(radix)).unwrap_or(rest.len());
    u32::from_str_radix(rest.get(..end)?, radix).ok()
}

/// `Memory at f800000000 (64-bit, prefetchable) [size=16G]` or `I/O ports at f000 [size=128]`; `None` where the range has no
/// address or no size.
fn region(index: u8, value: &str) -> Option<Resource> {
    let (kind, rest) = value.split_once(" at ")?;
    let (address, _) = rest.split_once(' ')?;
    let start = u64::from_str_radix(address, 16).ok()?;
    let (_, size) = rest.split_once("[size=")?;
    let (size, _) = size.split_once(']')?;
    let digits = size.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let shift = match size.get(digits.len()..)? {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    let size = digits.parse::<u64>().ok()?.checked_mul(1 << shift).filter(|size| *size > 0)?;
    let flags = if kind == "I/O ports" {
        PORTS
    } else {
        let is_prefetchable = rest.contains("prefetchable)") && !rest.contains("non-prefetchable");
        MEMORY
            | if is_prefetchable { PREFETCHABLE } else { 0 }
            | if rest.contains("(64-bit,") { WIDE } else { 0 }
    };
    Some(Resource { index, start, end: start.checked_add(size - 1)?, flags })
}
