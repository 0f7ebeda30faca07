//! Domain XML of libvirt (<https://libvirt.org/formatdomain.html>), read for what checks ask. It is never written here.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::address::PciAddress;
use passthru_model::virtualisation::{Domain, DomainFirmware, DomainPci, DomainTopology};
use roxmltree::{Document, Node};

/// Why a file is no domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// It is no XML.
    #[error("{path}: {why}")]
    Xml {
        /// The file.
        path: String,
        /// What the parser says, with line and column.
        why: String,
    },
    /// It is XML about something else.
    #[error("{path}: its root is <{found}>, not <domain>")]
    Root {
        /// The file.
        path: String,
        /// The root that was found.
        found: String,
    },
}

/// The text without what is nobody's business: passwords of graphics, serial numbers of disks and machines. It stays the
/// same domain, and line numbers stay.
pub fn without_secrets(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut line = line.to_owned();
        for quote in ['\'', '"'] {
            blank(&mut line, &format!("passwd={quote}"), quote);
        }
        blank(&mut line, "<serial>", '<');
        for name in ["serial", "asset"] {
            for quote in ['\'', '"'] {
                blank(&mut line, &format!("name={quote}{name}{quote}>"), '<');
            }
        }
        out.push_str(&line);
    }
    out.into_bytes()
}

/// Takes out what stands between a text and the next `end`.
fn blank(line: &mut String, start: &str, end: char) {
    if let Some(at) = line.find(start).map(|at| at + start.len())
        && let Some(length) = line.get(at..).and_then(|rest| rest.find(end))
    {
        line.replace_range(at..at + length, "");
    }
}

/// Elements are not nested deeper than this in any domain; a file that is would cost the parser its stack.
const DEEPEST: usize = 128;

/// Reads a domain. What is missing or cannot be read as what it should be is left at nothing.
pub fn parse(path: &str, bytes: &[u8]) -> Result<Domain, DomainError> {
    let wrong = |why: String| DomainError::Xml { path: path.to_owned(), why };
    let text = std::str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
    let text = &without_comments(text);
    if depth(text) > DEEPEST {
        return Err(wrong(format!("elements are nested more than {DEEPEST} deep")));
    }
    let document = Document::parse(text).map_err(|error| wrong(error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "domain" {
        return Err(DomainError::Root { path: path.to_owned(), found: root.tag_name().name().to_owned() });
    }
    let mut domain = Domain {
        path: path.to_owned(),
        name: text_of(root, "name").unwrap_or_default(),
        kind: attribute(root, "type").unwrap_or_default(),
        memory: child(root, "memory").and_then(bytes_of),
        vcpus: text_of(root, "vcpu").and_then(|count| count.parse().ok()),
        ..Domain::default()
    };
    domain.os = root
        .descendants()
        .find(|node| {
            node.tag_name().name() == "os"
                && node.tag_name().namespace().is_some_and(|uri| uri.contains("libosinfo"))
        })
        .and_then(|node| attribute(node, "id"));
    if let Some(os) = child(root, "os") {
        domain.machine = child(os, "type").and_then(|kind| attribute(kind, "machine"));
        domain.firmware = firmware(os);
    }
    processor(root, &mut domain);
    features(root, &mut domain);
    if let Some(devices) = child(root, "devices") {
        domain.emulator = text_of(devices, "emulator");
        for device in devices.children().filter(Node::is_element) {
            one_device(device, &mut domain);
        }
    }
    if let Some(line) = child(root, "commandline") {
        for node in line.children().filter(Node::is_element) {
            match (node.tag_name().name(), attribute(node, "name"), attribute(node, "value")) {
                ("arg", _, Some(value)) => domain.qemu_arguments.push(value),
                ("env", Some(name), value) => {
                    domain.qemu_environment.insert(name, value.unwrap_or_default());
                }
                _ => {}
            }
        }
    }
    Ok(domain)
}

/// The text with blanks in the place of comments: people put dashes into them, which XML forbids, and mean no harm.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("<!--") {
        let Some((comment, after)) = comment.split_once("-->") else { break };
        out.push_str(before);
        // Lines keep their numbers.
        out.extend(comment.chars().filter(|c| *c == '\n'));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// How deep elements could be nested at most, counted without parsing: an opening tag goes down, a closing one up.
fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0_usize);
    for tag in text.split('<').skip(1) {
        if tag.starts_with('/') {
            now = now.saturating_sub(1);
        } else if !tag.starts_with(['!', '?'])
            && !tag.split('>').next().is_some_and(|inside| inside.ends_with('/'))
        {
            now += 1;
            most = most.max(now);
        }
    }
    most
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name)
        .and_then(|child| child.text())
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

fn attribute(node: Node<'_, '_>, name: &str) -> Option<String> {
    node.attribute(name).map(str::to_owned)
}

/// A size: `<memory unit='KiB'>`. KiB is libvirt's unit where none is named.
fn bytes_of(node: Node<'_, '_>) -> Option<u64> {
    let number: u64 = node.text()?.trim().parse().ok()?;
    number.checked_mul(unit(node.attribute("unit").unwrap_or("KiB"))?)
}

fn unit(name: &str) -> Option<u64> {
    let letters = name.trim();
    if matches!(letters, "b" | "bytes") {
        return Some(1);
    }
    let base: u64 = if letters.ends_with("iB") || letters.len() == 1 { 1024 } else { 1000 };
    let power = match letters.chars().next()?.to_ascii_lowercase() {
        'k' => 1,
        'm' => 2,
        'g' => 3,
        't' => 4,
        _ => return None,
    };
    base.checked_pow(power)
}

fn firmware(os: Node<'_, '_>) -> DomainFirmware {
    match child(os, "loader") {
        Some(loader) if loader.text().is_some_and(|text| !text.trim().is_empty()) => DomainFirmware::File {
            code: loader.text().unwrap_or_default().trim().to_owned(),
            kind: attribute(loader, "type").unwrap_or_else(|| "rom".to_owned()),
            vars: text_of(os, "nvram"),
            template: child(os, "nvram").and_then(|nvram| attribute(nvram, "template")),
        },
        _ if os.attribute("firmware") == Some("efi") => DomainFirmware::Automatic,
        _ => DomainFirmware::Bios,
    }
}

fn processor(root: Node<'_, '_>, domain: &mut Domain) {
    if let Some(cpu) = child(root, "cpu") {
        domain.cpu_mode = attribute(cpu, "mode");
        let number = |node: Node<'_, '_>, name: &str| node.attribute(name).and_then(|text| text.parse().ok());
        domain.topology = child(cpu, "topology").and_then(|node| {
            Some(DomainTopology {
                sockets: number(node, "sockets")?,
                dies: number(node, "dies").unwrap_or(1),
                clusters: number(node, "clusters").unwrap_or(1),
                cores: number(node, "cores")?,
                threads: number(node, "threads")?,
            })
        });
        for feature in cpu.children().filter(|node| node.tag_name().name() == "feature") {
            if let (Some(name), Some(policy)) = (attribute(feature, "name"), attribute(feature, "policy")) {
                domain.cpu_features.insert(name, policy);
            }
        }
    }
    if let Some(tune) = child(root, "cputune") {
        for pin in tune.children().filter(Node::is_element) {
            let cpus = attribute(pin, "cpuset");
            match pin.tag_name().name() {
                "vcpupin" => {
                    let vcpu = pin.attribute("vcpu").and_then(|number| number.parse().ok());
                    domain.vcpu_pins.extend(vcpu.zip(cpus));
                }
                "emulatorpin" => domain.emulator_pin = cpus,
                _ => {}
            }
        }
    }
    if let Some(pages) = child(root, "memoryBacking").and_then(|backing| child(backing, "hugepages")) {
        let sizes = pages.children().filter(|node| node.tag_name().name() == "page").filter_map(|page| {
            let size: u64 = page.attribute("size")?.parse().ok()?;
            size.checked_mul(unit(page.attribute("unit").unwrap_or("KiB"))?)
        });
        domain.hugepages = Some(sizes.collect::<BTreeSet<u64>>());
    }
}

fn features(root: Node<'_, '_>, domain: &mut Domain) {
    let Some(features) = child(root, "features") else { return };
    if let Some(hyperv) = child(features, "hyperv") {
        let mut states =
            hyperv.children().filter(Node::is_element).filter(|node| node.tag_name().name() != "vendor_id");
        let mut any = false;
        domain.hyperv_off = states.all(|node| {
            any = true;
            node.attribute("state") == Some("off")
        }) && any;
        domain.vendor_id = child(hyperv, "vendor_id")
            .filter(|node| node.attribute("state") == Some("on"))
            .map(|node| attribute(node, "value").unwrap_or_default());
    }
    domain.kvm_hidden = child(features, "kvm")
        .and_then(|kvm| child(kvm, "hidden"))
        .is_some_and(|hidden| hidden.attribute("state") == Some("on"));
}

fn one_device(device: Node<'_, '_>, domain: &mut Domain) {
    let kind = || attribute(device, "type").unwrap_or_default();
    let model = || child(device, "model").and_then(|model| attribute(model, "type")).unwrap_or_default();
    match device.tag_name().name() {
        "hostdev" => match device.attribute("type") {
            Some("pci") => domain.pci.extend(host_function(device)),
            Some("usb") => domain.usb.extend(child(device, "source").and_then(usb_source)),
            _ => {}
        },
        "input" if kind() == "evdev" => {
            domain.evdev.extend(child(device, "source").and_then(|source| attribute(source, "dev")));
        }
        "shmem" => {
            let size = child(device, "size").and_then(|size| {
                size.text()?
                    .trim()
                    .parse::<u64>()
                    .ok()?
                    .checked_mul(unit(size.attribute("unit").unwrap_or("b"))?)
            });
            domain.shared_memory.insert(attribute(device, "name").unwrap_or_default(), size);
        }
        "graphics" => domain.graphics.push(kind()),
        "video" => domain.video.push(model()),
        "sound" => domain.sound.push(attribute(device, "model").unwrap_or_default()),
        "audio" => domain.audio.push(kind()),
        "tpm" => {
            let backend =
                child(device, "backend").and_then(|backend| attribute(backend, "type")).unwrap_or_default();
            domain.tpm.push((attribute(device, "model").unwrap_or_default(), backend));
        }
        "filesystem" => {
            domain.virtiofs |=
                child(device, "driver").is_some_and(|driver| driver.attribute("type") == Some("virtiofs"));
        }
        "disk" => {
            let source = child(device, "source");
            let file =
                source.and_then(|source| attribute(source, "file").or_else(|| attribute(source, "dev")));
            domain.disks.extend(file.map(|file| (file, device.attribute("device") == Some("cdrom"))));
        }
        "interface" if kind() == "network" => {
            domain.networks.extend(child(device, "source").and_then(|source| attribute(source, "network")));
        }
        _ => {}
    }
}

/// A number as libvirt writes it: `0x1f`, `31`.
fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn host_function(device: Node<'_, '_>) -> Option<DomainPci> {
    let part = |node: Node<'_, '_>, name: &str| node.attribute(name).map_or(Some(0), number);
    let small = |node: Node<'_, '_>, name: &str| u8::try_from(part(node, name)?).ok();
    let source = child(child(device, "source")?, "address")?;
    let address = PciAddress::new(
        part(source, "domain")?,
        small(source, "bus")?,
        small(source, "slot")?,
        small(source, "function")?,
    )
    .ok()?;
    let guest = child(device, "address")
        .and_then(|place| Some((small(place, "bus")?, small(place, "slot")?, small(place, "function")?)));
    Some(DomainPci {
        address,
        managed: device.attribute("managed") == Some("yes"),
        rom_file: child(device, "rom").and_then(|rom| attribute(rom, "file")),
        guest,
    })
}

fn usb_source(source: Node<'_, '_>) -> Option<String> {
    let id =
        |name: &str| child(source, name).and_then(|node| attribute(node, "id")).and_then(|id| number(&id));
    if let (Some(vendor), Some(product)) = (id("vendor"), id("product")) {
        return Some(format!("{vendor:04x}:{product:04x}"));
    }
    let place = child(source, "address")?;
    Some(format!(
        "{}.{}",
        attribute(place, "bus")?,
        attribute(place, "device").or_else(|| attribute(place, "port"))?
    ))
}

/// The sizes that QEMU arguments give a Looking Glass buffer: `"size":67108864` or `size=64M` of an object that is shared
/// memory for ivshmem, by its path.
pub fn shared_memory_of_arguments(arguments: &[String]) -> BTreeMap<String, Option<u64>> {
    let mut found = BTreeMap::new();
    for argument in arguments.iter().filter(|argument| argument.contains("memory-backend-file")) {
        let value = |name: &str| {
            let at = argument.find(name)?;
            let rest = argument.get(at + name.len()..)?.trim_start_matches(['"', '\'', ':', '=', ' ']);
            Some(rest.split(['"', '\'', ',', '}', ' ']).next().unwrap_or_default().to_owned())
        };
        if let Some(path) = value("mem-path") {
            let size = value("size").and_then(|size| {
                let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                let letters = size.get(digits.len()..).unwrap_or_default();
                let factor = if letters.is_empty() { 1 } else { unit(letters.get(..1)?)? };
                digits.parse::<u64>().ok()?.checked_mul(factor)
            });
            found.insert(path, size);
        }
    }
    found
}

#[cfg(test)]
#[path = "libvirt_domain/tests.rs"]
mod tests;
