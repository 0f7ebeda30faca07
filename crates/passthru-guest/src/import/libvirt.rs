//! Domain XML of libvirt: every element and attribute is carried over, seen to by passthru, or lost, and the latter two are
//! said.

use passthru_formats::libvirt_domain::{self, ReadElement};
use passthru_formats::qemu_command::QemuOption;
use passthru_model::HostFacts;

use super::desktop;
use super::draft::Draft;
use super::reasons::{
    ALL_CPUS, ALL_MEMORY, BOARD, BOOT_ORDER, FIRMWARE, NEWEST_BOARD, NO_KEY, ONE_THREAD, SECURE_SMM,
};
use super::{ImportError, Imported, Source};
use super::{libvirt_devices, libvirt_memory, libvirt_tuning};
use crate::libvirt::{is_mark, osinfo_id};
use crate::name::GuestName;
use crate::spec::{AccelChoice, Display, FirmwareKind, Os};

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
        other => {
            return Err(draft.wrong(root.line, "type of domain that QEMU runs", other.unwrap_or_default()));
        }
    };
    only(&mut draft, &root, &["type", "id"]);
    // Unless a display comes.
    draft.display = Some(Display::None);
    draft.os = system(&mut draft, &root);
    // How many vCPUs there are is asked for by what says where they run.
    let (first, others): (Vec<_>, Vec<_>) = root.children.iter().partition(|element| element.name == "vcpu");
    let cells = libvirt_domain::memory_of_cells(&root);
    for element in first.into_iter().chain(others) {
        match cells {
            Some(bytes) if element.name == "memory" => memory_by_cells(&mut draft, element, bytes)?,
            _ => top(&mut draft, element)?,
        }
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

/// What runs in it: by libosinfo's name, and where that is not there by what only a Windows is given.
fn system(draft: &mut Draft<'_>, root: &ReadElement) -> Os {
    let Some(system) = root.at(&["metadata", "libosinfo", "os"]) else {
        let local = root.child("clock").is_some_and(|clock| clock.attribute("offset") == Some("localtime"));
        let named = root.child("name").is_some_and(|name| is_windows_name(&name.text));
        let enlightened = root.at(&["features", "hyperv"]).is_some();
        return if local || named || enlightened { Os::Windows10 } else { Os::Linux };
    };
    let id = system.attribute("id").unwrap_or_default();
    if let Some(known) =
        [Os::Linux, Os::Windows10, Os::Windows11, Os::Other].into_iter().find(|os| osinfo_id(*os) == id)
    {
        return known;
    }
    let taken = if id.contains("microsoft.com") { Os::Windows10 } else { Os::Linux };
    draft.left_out(system.line, system.tag(), format!("it is taken as os = \"{}\"", taken.word()));
    taken
}

/// Whether a guest's name says that it is a Windows, as the rules about guests take it too.
pub(super) fn is_windows_name(name: &str) -> bool {
    name.to_ascii_lowercase().starts_with("win")
}

/// Whether a firmware image that is no flash chip is UEFI, by its name.
pub(super) fn is_uefi_image(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    ["ovmf", "edk2", "uefi"].iter().any(|word| path.contains(word))
}

/// An element of the domain.
fn top(draft: &mut Draft<'_>, element: &ReadElement) -> Result<(), ImportError> {
    match element.name.as_str() {
        "name" => {}
        "uuid" | "genid" | "title" | "description" => {
            draft.left_out(element.line, element.tag(), "it names the domain for libvirt");
        }
        "metadata" => {
            for other in element.children.iter().filter(|child| child.name != "libosinfo" && !is_mark(child))
            {
                draft.left_out(other.line, other.tag(), "it is another program's");
            }
        }
        "memory" => {
            draft.set_memory(element.line, &element.text, libvirt_domain::size(element, "KiB"))?;
            only(draft, element, &["unit", "dumpCore"]);
        }
        "currentMemory" => current_memory(draft, element),
        "vcpu" => {
            // Those that are there from the start.
            let now = element.attribute("current").unwrap_or(&element.text);
            draft.set_cpus(element.line, now)?;
            if now != element.text {
                draft.lost(element.line, format!("{}{}", element.tag(), element.text), ALL_CPUS);
            }
            only(draft, element, &["placement", "current"]);
        }
        "vcpus" => draft.left_out(element.line, element.tag(), ALL_CPUS),
        "os" => os(draft, element),
        "features" => element.children.iter().for_each(|feature| self::feature(draft, feature)),
        "cpu" => libvirt_tuning::cpu(draft, element),
        "clock" => libvirt_tuning::clock(draft, element),
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
        "override" if is_legacy_vga(element) => {}
        "commandline" => {
            own_words(draft, element);
        }
        "memoryBacking" => libvirt_memory::memory_backing(draft, element),
        "numatune" => libvirt_memory::numatune(draft, element),
        // One is there by itself.
        "iothreads" if element.text == "1" => {}
        "iothreads" | "iothreadids" => draft.lost(element.line, element.tag(), ONE_THREAD),
        "cputune" => libvirt_tuning::cputune(draft, element),
        _ => draft.lost(element.line, element.tag(), NO_KEY),
    }
    Ok(())
}

/// Whether QEMU's properties are changed in no other way than the builder changes them under SeaBIOS.
fn is_legacy_vga(element: &ReadElement) -> bool {
    fn leaves<'a>(element: &'a ReadElement, found: &mut Vec<&'a ReadElement>) {
        if element.children.is_empty() {
            found.push(element);
        }
        element.children.iter().for_each(|child| leaves(child, found));
    }
    let mut properties = Vec::new();
    leaves(element, &mut properties);
    properties.iter().all(|property| property.attribute("name") == Some("x-vga"))
}

/// QEMU's own words: those of memory that is shared with Looking Glass are understood, and those by which a guest is tuned.
fn own_words(draft: &mut Draft<'_>, element: &ReadElement) {
    let arguments: Vec<&ReadElement> = element.children.iter().filter(|child| child.name == "arg").collect();
    let value = |argument: &ReadElement| argument.attribute("value").unwrap_or_default().to_owned();
    let option = |pair: &[&ReadElement]| {
        let name = value(pair[0]).strip_prefix('-')?.to_owned();
        Some(QemuOption { name, value: Some(Ok(value(pair[1]))), line: pair[0].line, places: Vec::new() })
    };
    let options: Vec<Option<QemuOption>> = arguments.windows(2).map(option).collect();
    let ids = desktop::shared_ids(&options.iter().flatten().cloned().collect::<Vec<_>>());
    let mut place = 0;
    while let Some(argument) = arguments.get(place) {
        let is_read = options.get(place).and_then(Option::as_ref).is_some_and(|option| {
            desktop::shared_option(draft, option, &ids)
                || libvirt_tuning::handed_on(
                    draft,
                    option.line,
                    &option.name,
                    option.known().unwrap_or_default(),
                )
        });
        if !is_read {
            draft.lost(argument.line, argument.tag(), NO_KEY);
        }
        place += if is_read { 2 } else { 1 };
    }
    for other in element.children.iter().filter(|child| child.name != "arg") {
        draft.lost(other.line, other.tag(), NO_KEY);
    }
}

/// `<memory>` of a domain whose NUMA cells say how much it is.
fn memory_by_cells(draft: &mut Draft<'_>, element: &ReadElement, bytes: u64) -> Result<(), ImportError> {
    draft.set_memory(element.line, &element.text, Some(bytes))?;
    if libvirt_domain::size(element, "KiB") != Some(bytes) {
        let written = format!("{}{}", element.tag(), element.text);
        draft.left_out(element.line, written, "libvirt takes the sum of the guest's NUMA cells");
    }
    only(draft, element, &["unit", "dumpCore"]);
    Ok(())
}

fn current_memory(draft: &mut Draft<'_>, element: &ReadElement) {
    let now = libvirt_domain::size(element, "KiB");
    if now.is_some() && now == draft.memory.map(crate::size::MemorySize::bytes) {
        draft.left_out(element.line, element.tag(), "it is all of the memory");
    } else {
        draft.lost(element.line, format!("{}{}", element.tag(), element.text), ALL_MEMORY);
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
                    draft.lost(element.line, element.tag(), BOARD);
                } else if machine != "q35" {
                    draft.left_out(element.line, element.tag(), NEWEST_BOARD);
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
                        draft.secure_boot = true;
                    }
                }
            }
            "boot" | "bootmenu" => draft.left_out(element.line, element.tag(), BOOT_ORDER),
            _ => draft.lost(element.line, format!("{}{}", element.tag(), element.text), NO_KEY),
        }
    }
}

fn loader(draft: &mut Draft<'_>, loader: &ReadElement) {
    if loader.attribute("type") == Some("pflash") || is_uefi_image(&loader.text) {
        draft.firmware = FirmwareKind::Uefi;
    }
    draft.secure_boot |= loader.attribute("secure") == Some("yes");
    if !loader.text.is_empty() {
        draft.left_out(loader.line, loader.text.clone(), FIRMWARE);
    }
}

fn feature(draft: &mut Draft<'_>, feature: &ReadElement) {
    let state = feature.attribute("state");
    match (feature.name.as_str(), state) {
        ("acpi" | "apic" | "pae", _) | ("vmport", Some("off")) => {}
        ("ioapic", _) if feature.attribute("driver") == Some("kvm") => {}
        ("hyperv", _) => libvirt_tuning::hyperv(draft, feature),
        ("kvm", _) => libvirt_tuning::kvm(draft, feature),
        ("smm", Some("on") | None) if draft.secure_boot => {}
        ("smm", Some("on") | None) => draft.lost(feature.line, feature.tag(), SECURE_SMM),
        (_, Some("off")) => draft.left_out(feature.line, feature.tag(), "it is off anyway"),
        _ => draft.lost(feature.line, feature.tag(), NO_KEY),
    }
}
