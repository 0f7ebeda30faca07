//! Domain XML of libvirt: every element and attribute is carried over, seen to by passthru, or lost, and the latter two are
//! said.

use passthru_formats::libvirt_domain::{self, ReadElement};
use passthru_model::HostFacts;

use super::draft::Draft;
use super::libvirt_devices;
use super::{ImportError, Imported, Source};
use crate::libvirt::osinfo_id;
use crate::name::GuestName;
use crate::spec::{AccelChoice, FirmwareKind, Os};

/// Why there is nothing for it yet.
pub(super) const NO_KEY: &str = "a specification has no key for it";

/// Reads a domain.
pub(super) fn import(
    source: &Source<'_>,
    name: Option<GuestName>,
    facts: &HostFacts,
) -> Result<Imported, ImportError> {
    let root = libvirt_domain::tree(source.path, source.bytes)?;
    let mut draft = Draft::new(source, facts);
    draft.accel = match root.attribute("type") {
        Some("kvm") => AccelChoice::Kvm,
        Some("qemu") => AccelChoice::Tcg,
        other => return Err(draft.wrong(root.line, "type of domain that QEMU runs", other.unwrap_or_default())),
    };
    only(&mut draft, &root, &["type", "id"]);
    draft.os = system(&mut draft, &root);
    for element in &root.children {
        top(&mut draft, element)?;
    }
    draft.finish(name, root.child("name").map(|name| name.text.as_str()))
}

/// Says which attributes of an element are not among those that are understood.
pub(super) fn only(draft: &mut Draft<'_>, element: &ReadElement, known: &[&str]) {
    for (name, value) in &element.attributes {
        if !known.contains(&name.as_str()) {
            draft.lost(element.line, format!("{name}='{value}' of <{}>", element.name), NO_KEY);
        }
    }
}

/// What runs in it: by libosinfo's name, and where that is not there by the clock, which Windows alone has in local time.
fn system(draft: &mut Draft<'_>, root: &ReadElement) -> Os {
    let by_clock = || match root.child("clock").and_then(|clock| clock.attribute("offset")) {
        Some("localtime") => Os::Windows10,
        _ => Os::Linux,
    };
    let Some(system) = root.at(&["metadata", "libosinfo", "os"]) else { return by_clock() };
    let id = system.attribute("id").unwrap_or_default();
    if let Some(known) = [Os::Linux, Os::Windows10, Os::Windows11, Os::Other].into_iter().find(|os| osinfo_id(*os) == id) {
        return known;
    }
    let taken = if id.contains("microsoft.com") { Os::Windows10 } else { Os::Linux };
    draft.left_out(system.line, system.tag(), format!("it is taken as os = \"{}\"", taken.word()));
    taken
}

/// An element of the domain.
fn top(draft: &mut Draft<'_>, element: &ReadElement) -> Result<(), ImportError> {
    match element.name.as_str() {
        "name" => {}
        "uuid" | "genid" | "title" | "description" => {
            draft.left_out(element.line, element.tag(), "it names the domain for libvirt");
        }
        "metadata" => {
            for other in element.children.iter().filter(|child| child.name != "libosinfo") {
                draft.left_out(other.line, other.tag(), "it is another program's");
            }
        }
        "memory" => {
            draft.set_memory(element.line, &element.text, libvirt_domain::size(element, "KiB"))?;
            only(draft, element, &["unit", "dumpCore"]);
        }
        "currentMemory" => current_memory(draft, element),
        "vcpu" => {
            draft.set_cpus(element.line, &element.text)?;
            only(draft, element, &["placement"]);
        }
        "os" => os(draft, element),
        "features" => element.children.iter().for_each(|feature| self::feature(draft, feature)),
        "cpu" => cpu(draft, element),
        "clock" => clock(draft, element),
        "devices" => element.children.iter().for_each(|device| libvirt_devices::read(draft, device)),
        "on_poweroff" | "on_reboot" | "on_crash" | "pm" => {
            let usual = matches!(element.text.as_str(), "destroy" | "restart" | "");
            let why = "QEMU ends when the guest shuts down and goes on when it restarts";
            if usual {
                draft.left_out(element.line, element.tag(), why);
            } else {
                draft.lost(element.line, format!("{}{}", element.tag(), element.text), why);
            }
        }
        "seclabel" | "resource" => draft.left_out(element.line, element.tag(), "it is libvirt's"),
        "commandline" => {
            for argument in &element.children {
                let what = argument.attribute("value").or(argument.attribute("name")).unwrap_or_default();
                draft.lost(argument.line, format!("<{}> {what}", argument.name), NO_KEY);
            }
        }
        "cputune" | "iothreads" | "iothreadids" => {
            draft.lost(element.line, element.tag(), "passthru does not pin vCPUs or threads yet");
        }
        _ => draft.lost(element.line, element.tag(), NO_KEY),
    }
    Ok(())
}

fn current_memory(draft: &mut Draft<'_>, element: &ReadElement) {
    let now = libvirt_domain::size(element, "KiB");
    if now.is_some() && now == draft.memory.map(crate::size::MemorySize::bytes) {
        draft.left_out(element.line, element.tag(), "it is all of the memory");
    } else {
        draft.lost(element.line, format!("{}{}", element.tag(), element.text), "a guest has all of its memory from the start");
    }
}

/// Board, firmware, kernel.
fn os(draft: &mut Draft<'_>, os: &ReadElement) {
    if os.attribute("firmware") == Some("efi") {
        draft.firmware = FirmwareKind::Uefi;
    }
    only(draft, os, &["firmware"]);
    for element in &os.children {
        match element.name.as_str() {
            "type" => {
                let machine = element.attribute("machine").unwrap_or_default();
                if machine != "q35" && !machine.starts_with("pc-q35-") {
                    draft.lost(element.line, element.tag(), "the board is always q35, which has PCI Express");
                } else if machine != "q35" {
                    draft.left_out(element.line, element.tag(), "the board is the newest q35 of the QEMU that runs it");
                }
            }
            "loader" => loader(draft, element),
            "nvram" if element.text.is_empty() => {}
            "nvram" => draft.left_out(
                element.line,
                format!("{}{}", element.tag(), element.text),
                "the guest begins with fresh UEFI variables",
            ),
            "firmware" => {
                for feature in &element.children {
                    if feature.attribute("enabled") == Some("yes") {
                        draft.lost(feature.line, feature.tag(), "passthru does not give a guest Secure Boot yet");
                    }
                }
            }
            "boot" | "bootmenu" => draft.left_out(element.line, element.tag(), "disks are tried first, then discs"),
            _ => draft.lost(element.line, format!("{}{}", element.tag(), element.text), NO_KEY),
        }
    }
}

fn loader(draft: &mut Draft<'_>, loader: &ReadElement) {
    draft.firmware = FirmwareKind::Uefi;
    if loader.attribute("secure") == Some("yes") {
        draft.lost(loader.line, loader.tag(), "passthru does not give a guest Secure Boot yet");
    }
    if !loader.text.is_empty() {
        draft.left_out(loader.line, loader.text.clone(), "the firmware is found by QEMU's descriptors");
    }
}

fn feature(draft: &mut Draft<'_>, feature: &ReadElement) {
    let state = feature.attribute("state");
    match (feature.name.as_str(), state) {
        ("acpi" | "apic" | "pae", _) | ("vmport", Some("off")) => {}
        ("ioapic", _) if feature.attribute("driver") == Some("kvm") => {}
        ("hyperv", _) => draft.lost(feature.line, feature.tag(), "passthru does not set Hyper-V's enlightenments yet"),
        ("kvm", _) => {
            let hidden = feature.child("hidden").is_some_and(|hidden| hidden.attribute("state") == Some("on"));
            let why = "KVM is not hidden; drivers from 2021 on need no hiding";
            if hidden {
                draft.lost(feature.line, "<kvm><hidden state='on'>", why);
            } else {
                draft.left_out(feature.line, feature.tag(), why);
            }
        }
        ("smm", _) => draft.lost(feature.line, feature.tag(), "passthru does not give a guest Secure Boot yet"),
        (_, Some("off")) => draft.left_out(feature.line, feature.tag(), "it is off anyway"),
        _ => draft.lost(feature.line, feature.tag(), NO_KEY),
    }
}

fn cpu(draft: &mut Draft<'_>, cpu: &ReadElement) {
    let why = "with KVM the guest has the host's processor, else all that QEMU emulates";
    match (cpu.attribute("mode"), draft.accel) {
        (Some("host-passthrough"), AccelChoice::Kvm) | (Some("maximum"), AccelChoice::Tcg) => {}
        _ => draft.lost(cpu.line, cpu.tag(), why),
    }
    only(draft, cpu, &["mode", "check", "migratable", "match"]);
    for element in &cpu.children {
        match element.name.as_str() {
            "topology" => {
                let parts: Vec<(&str, &str)> =
                    element.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                draft.topology(element.line, element.tag(), &parts);
            }
            "model" => draft.lost(element.line, format!("{}{}", element.tag(), element.text), why),
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
}

fn clock(draft: &mut Draft<'_>, clock: &ReadElement) {
    let wanted = if draft.os.is_windows() { "localtime" } else { "utc" };
    if clock.attribute("offset") != Some(wanted) {
        let why = format!("os = \"{}\" has a clock in {wanted}", draft.os.word());
        draft.lost(clock.line, clock.tag(), why);
    }
    for timer in &clock.children {
        draft.lost(timer.line, timer.tag(), "timers are QEMU's defaults");
    }
}
