//! What `lspci` prints (lspci(8)): a line a function, with ids where it was asked for them (`-n`, `-nn`), details in
//! indented lines (`-v`, `-vv`, `-k`), and configuration space as a hexadecimal dump (`-x`, `-xxx`, `-xxxx`).
//!
//! The text comes from forums and reports, so functions may be named with or without their domain, be listed twice (once
//! with drivers, once with a dump), and have spaces in place of tabs. What is no line of lspci's is an error.

mod detail;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use passthru_model::address::PciAddress;
use passthru_model::hex::{ClassCode, Hex16, PciId};
use passthru_model::pci::Resource;

use crate::bytes::le16;
use crate::config_space::{EXTENDED, answers, header_type};
use crate::error::FormatError;

/// A function as far as the text tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// The line that names it, counted from 1.
    pub line: usize,
    /// Vendor and device: what the kernel says where ids are printed, else from the dump.
    pub id: PciId,
    /// What kind of function it is. Without a dump and without `-v`, its last two digits are 00.
    pub class: ClassCode,
    /// The chip's revision; lspci leaves it out where it is 0.
    pub revision: u8,
    /// The maker of the board, where the text tells.
    pub subsystem: Option<PciId>,
    /// Vendor and device in words; empty where names were not printed.
    pub name: String,
    /// The driver that has it, where one has and the text tells of drivers.
    pub driver: Option<String>,
    /// Its IOMMU group, where it has one and the text tells of groups.
    pub group: Option<u32>,
    /// Its NUMA node, where the text tells.
    pub numa_node: Option<u32>,
    /// Address ranges; `None` where the text does not number them (it does with `-vv`).
    pub resources: Option<Vec<Resource>>,
    /// Whether it has a ROM; `None` where the text has no details of it.
    pub has_rom: Option<bool>,
    /// Of a bridge, the bus right behind it; 0 where none is. `None` of other functions, and where the text does not tell.
    pub secondary_bus: Option<u8>,
    /// Configuration space: 64, 256 or 4096 bytes; empty where there is no dump.
    pub config: Vec<u8>,
}

impl Function {
    /// Whether it is a bridge to another bus, by class or header.
    pub fn is_bridge(&self) -> bool {
        self.class.is_pci_bridge() || matches!(header_type(&self.config), Some(1 | 2))
    }
}

/// All that a text tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The functions by address.
    pub functions: BTreeMap<PciAddress, Function>,
    /// Whether drivers are told, so that a function without one has none (`-k`, `-v`).
    pub tells_drivers: bool,
    /// Whether IOMMU groups are told (`-v` of pciutils 3.3 and later, where the kernel has groups).
    pub tells_groups: bool,
}

/// A function while its lines are read.
#[derive(Debug, Default)]
struct Block {
    line: usize,
    id: Option<PciId>,
    class: Option<ClassCode>,
    revision: Option<u8>,
    name: String,
    subsystem: Option<PciId>,
    driver: Option<String>,
    group: Option<u32>,
    numa_node: Option<u32>,
    resources: Vec<Resource>,
    has_rom: bool,
    secondary_bus: Option<u8>,
    /// How far the first line of details is indented; those indented further belong to a capability.
    indent: Option<usize>,
    is_numbered: bool,
    config: Vec<u8>,
}

/// Whether a text looks like lspci's: its first line that is not empty names a function.
pub fn is_listing(text: &str) -> bool {
    text.lines().find(|line| !is_beside(line)).is_some_and(|line| heading(line).is_some())
}

/// Whether a line is none of the list: empty, or what lspci complains of, which goes to the same place where both of its
/// outputs are kept.
fn is_beside(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with("lspci: ") || line.starts_with("pcilib: ")
}

/// Reads a text whole.
pub fn parse(text: &str) -> Result<Listing, FormatError> {
    let mut blocks: BTreeMap<PciAddress, Block> = BTreeMap::new();
    let mut current = None;
    let mut tells_drivers = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim_end();
        let wrong = |reason: String| FormatError::new("lspci's text", number, reason);
        // So does nvidia-bug-report.sh part its sections: the listing has come to its end.
        if line.starts_with("________") && !blocks.is_empty() {
            break;
        }
        if is_beside(line) {
            continue;
        }
        if let Some((address, rest)) = heading(line) {
            let block = blocks.entry(address).or_insert_with(|| Block { line: number, ..Block::default() });
            block.indent = None;
            title(block, rest).map_err(|reason| wrong(format!("{address} {reason}")))?;
            current = Some(address);
            continue;
        }
        let Some(block) = current.and_then(|address| blocks.get_mut(&address)) else {
            return Err(wrong(format!("‘{}’ is not the address of a PCI function", shortened(line))));
        };
        if let Some((offset, bytes)) = row(line) {
            if offset != block.config.len() {
                return Err(wrong(format!(
                    "the dump goes on at {offset:#x}, where {:#x} was to follow",
                    block.config.len()
                )));
            }
            block.config.extend(bytes);
            if block.config.len() > EXTENDED {
                return Err(wrong("the dump is longer than configuration space".to_owned()));
            }
        } else if line.starts_with([' ', '\t']) {
            tells_drivers |= detail::read(block, line);
        } else {
            return Err(wrong(format!("‘{}’ is no line of lspci's", shortened(line))));
        }
    }
    if blocks.is_empty() {
        return Err(FormatError::new("lspci's text", 1, "it names no PCI function"));
    }
    let tells_groups = blocks.values().any(|block| block.group.is_some());
    let functions = blocks
        .into_iter()
        .map(|(address, block)| Ok((address, finish(address, block)?)))
        .collect::<Result<_, FormatError>>()?;
    Ok(Listing { functions, tells_drivers, tells_groups })
}

/// The address and the rest of a line that names a function.
fn heading(line: &str) -> Option<(PciAddress, &str)> {
    let (first, rest) = line.split_once(' ')?;
    Some((first.parse().ok()?, rest))
}

/// The class and the ids in a heading, however it was asked for.
fn title(block: &mut Block, rest: &str) -> Result<(), String> {
    let after = |mark: &str, digits: usize| {
        let at = rest.rfind(mark)? + mark.len();
        u32::from_str_radix(rest.get(at..at + digits)?, 16).ok()
    };
    if let Some(revision) = after(" (rev ", 2).and_then(|bits| u8::try_from(bits).ok()) {
        block.revision = Some(revision);
    }
    let interface = after(" (prog-if ", 2).unwrap_or(0);
    let end = [" (rev ", " (prog-if "].iter().filter_map(|mark| rest.find(mark)).min().unwrap_or(rest.len());
    let names = rest.get(..end).unwrap_or(rest);
    // `0300: 10de:2216` with -n, `VGA compatible controller [0300]: NVIDIA … [10de:2216]` with -nn.
    let (class, id, name) =
        if let Some((class, id)) = names.split_once(": ").filter(|(class, _)| is_hex(class, 4)) {
            (Some(class), id.trim().parse().ok(), "")
        } else {
            let (before, after) = names.split_once(": ").unwrap_or((names, ""));
            let class =
                before.strip_suffix(']').and_then(|text| text.rsplit_once(" [")).map(|(_, digits)| digits);
            (class.filter(|class| is_hex(class, 4)), bracketed(after), after)
        };
    if let (Some(known), Some(id)) = (block.id, id)
        && known != id
    {
        return Err(format!("is {id} here and was {known} on line {}", block.line));
    }
    block.id = block.id.or(id);
    if !name.is_empty() {
        let bare = name.rfind(" [").filter(|_| id.is_some()).and_then(|at| name.get(..at)).unwrap_or(name);
        bare.trim().clone_into(&mut block.name);
    }
    if let Some(bits) = class.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
        block.class = ClassCode::new(bits << 8 | interface);
    }
    Ok(())
}

/// The last `[vvvv:dddd]` of a text.
fn bracketed(text: &str) -> Option<PciId> {
    let (_, rest) = text.rsplit_once('[')?;
    let (inside, _) = rest.split_once(']')?;
    inside.parse().ok()
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A row of a dump: `1f0: 00 01 …`, up to sixteen bytes.
fn row(line: &str) -> Option<(usize, Vec<u8>)> {
    let (offset, bytes) = line.split_once(": ")?;
    if !is_hex(offset, 2) && !is_hex(offset, 3) {
        return None;
    }
    let offset = usize::from_str_radix(offset, 16).ok()?;
    let bytes = bytes
        .split_ascii_whitespace()
        .map(|word| if is_hex(word, 2) { u8::from_str_radix(word, 16).ok() } else { None })
        .collect::<Option<Vec<u8>>>()?;
    (!bytes.is_empty() && bytes.len() <= 16).then_some((offset, bytes))
}

/// Puts together what the lines told, the dump's numbers where they told none.
fn finish(address: PciAddress, mut block: Block) -> Result<Function, FormatError> {
    let whole = [4096, 256, 64].into_iter().find(|size| block.config.len() >= *size).unwrap_or(0);
    block.config.truncate(whole);
    let config = block.config.as_slice();
    let number = |at: usize| le16(config, at).filter(|_| answers(config)).map(Hex16);
    let pair = |at: usize| Some(PciId { vendor: number(at)?, device: number(at + 2)? });
    let dumped_class = config.get(0x09..0x0c).filter(|_| answers(config)).and_then(|bytes| {
        let [interface, sub, base] = bytes.try_into().ok()?;
        ClassCode::new(u32::from_be_bytes([0, base, sub, interface]))
    });
    let unknown = |what: &str, how: &str| {
        let reason = format!("{address} has no {what}: neither {how}, nor a dump (lspci -x)");
        FormatError::new("lspci's text", block.line, reason)
    };
    let header = header_type(config);
    let id = block.id.or(pair(0x00)).ok_or_else(|| unknown("ids", "ids in the line (lspci -nn)"))?;
    let class = dumped_class.or(block.class).ok_or_else(|| unknown("class", "its number (lspci -nn)"))?;
    let subsystem = block.subsystem.or_else(|| pair(0x2c).filter(|_| header == Some(0)));
    let has_details = block.indent.is_some();
    Ok(Function {
        line: block.line,
        id,
        class,
        revision: config.get(0x08).copied().filter(|_| answers(config)).or(block.revision).unwrap_or(0),
        subsystem,
        name: block.name,
        driver: block.driver,
        group: block.group,
        numa_node: block.numa_node,
        resources: (block.is_numbered || (has_details && block.resources.is_empty() && header == Some(0)))
            .then_some(block.resources),
        has_rom: has_details.then_some(block.has_rom),
        secondary_bus: config
            .get(0x19)
            .copied()
            .filter(|_| matches!(header, Some(1 | 2)))
            .or(block.secondary_bus),
        config: block.config,
    })
}

/// The beginning of a line, for a message.
fn shortened(line: &str) -> String {
    line.chars().take(40).collect()
}
