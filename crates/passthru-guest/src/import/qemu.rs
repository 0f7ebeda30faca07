//! A command line of QEMU: every option, and every property of those that are understood, is accounted for.

use passthru_formats::qemu_command::{self, Properties, QemuCommand, QemuOption};
use passthru_model::HostFacts;

use super::desktop;
use super::draft::Draft;
use super::libvirt::{is_uefi_image, is_windows_name};
use super::qemu_devices;
use super::qemu_drives::Drives;
use super::reasons::{
    ALL_CPUS, ALL_MEMORY, BOARD, BOOT_ORDER, FIRMWARE, LOCKED, NEWEST_BOARD, NO_KEY, ON_SOCKET, ONLY_SWTPM,
    ONLY_USER, PLAIN_VGA, SECURE_SMM, TABLET, USB_CONTROLLER,
};
use super::{ImportError, Imported, Source, qemu_tuning};
use crate::name::GuestName;
use crate::spec::{AccelChoice, ClockBase, Display, FirmwareKind, Nic, NicBackend, Os};

pub(super) const CONTROL: &str = "passthru talks to QEMU, keeps its log and its serial console";

/// Reads a command line.
pub(super) fn import(
    source: &Source<'_>,
    command: &QemuCommand,
    name: Option<GuestName>,
    facts: &HostFacts,
) -> Result<Imported, ImportError> {
    let mut draft = Draft::new(source, facts);
    // Without a word QEMU emulates.
    draft.accel = AccelChoice::Tcg;
    draft.os = system(command);
    draft.secure_boot = command.options.iter().any(is_secure_flash);
    // Without a word there is a window with an emulated VGA.
    let bare = command.options.iter().any(|option| option.name == "nodefaults");
    draft.display = Some(if bare { Display::None } else { Display::Vnc });
    let asks = |name: &str| command.options.iter().any(|option| option.name == name);
    if !bare && !["net", "nic", "netdev"].into_iter().any(asks) {
        draft.network = Some(Nic::on(NicBackend::User));
        draft.left_out(
            command.line,
            command.program.clone(),
            "no network is named, and QEMU's default is its own",
        );
    }
    let shared = desktop::shared_ids(&command.options);
    let mut drives = Drives::of(command);
    let memory = command
        .options
        .iter()
        .filter(|option| matches!(option.name.as_str(), "machine" | "M"))
        .find_map(|option| option.properties("type").get("memory-backend").map(str::to_owned));
    let mut name_found = None;
    for option in &command.options {
        if let Some(Err(code)) = &option.value {
            draft.lost(
                option.line,
                format!("-{} {code}", option.name),
                "only a running shell could tell what this is",
            );
            continue;
        }
        if option.name == "name" {
            let said = option.properties("guest");
            name_found = said.get("guest").map(str::to_owned);
        } else if !drives.read(&mut draft, option)
            && !desktop::sound_option(&mut draft, option)
            && !desktop::shared_option(&mut draft, option, &shared)
        {
            read(&mut draft, option, memory.as_deref())?;
        }
    }
    drives.finish(&mut draft);
    if draft.memory.is_none() {
        // QEMU's default.
        draft.set_memory(command.line, "-m", Some(128 << 20))?;
        draft.left_out(
            command.line,
            command.program.clone(),
            "no -m is given, and QEMU's default is 128 MiB",
        );
    }
    let stem =
        std::path::Path::new(source.path).file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    draft.finish(name, name_found.or(stem).as_deref())
}

/// Windows has its clock in local time, is told that it runs under Hyper-V, or has a name that says so.
fn system(command: &QemuCommand) -> Os {
    let is_windows = command.options.iter().any(|option| match option.name.as_str() {
        "rtc" => option.properties("base").get("base") == Some("localtime"),
        "localtime" => true,
        "name" => option.properties("guest").get("guest").is_some_and(is_windows_name),
        "cpu" => option.properties("model").iter().any(|(name, _)| qemu_tuning::is_hyperv(name)),
        _ => false,
    });
    if is_windows { Os::Windows10 } else { Os::Linux }
}

/// Whether an option has the flash chips written in system management mode alone, as firmware with Secure Boot needs it.
fn is_secure_flash(option: &QemuOption) -> bool {
    let said = option.properties("driver");
    let is = |name, value| said.get(name) == Some(value);
    option.name == "global" && is("driver", "cfi.pflash01") && is("property", "secure") && is("value", "on")
}

fn read(draft: &mut Draft<'_>, option: &QemuOption, memory: Option<&str>) -> Result<(), ImportError> {
    let line = option.line;
    let known = option.known().unwrap_or_default();
    match option.name.as_str() {
        "machine" | "M" => machine(draft, option),
        "enable-kvm" => draft.accel = AccelChoice::Kvm,
        "accel" => accel(draft, line, option.properties("accel").get("accel").unwrap_or_default()),
        "cpu" => qemu_tuning::processor(draft, option),
        "smp" => {
            let said = option.properties("cpus");
            let count = said.get("cpus").map_or_else(|| product(&said), str::to_owned);
            let cpus = draft.set_cpus(line, &count)?;
            if let Some(most) = said.get("maxcpus").filter(|most| *most != count) {
                draft.lost(line, format!("-smp maxcpus={most}"), ALL_CPUS);
            }
            draft.topology(line, option.words(), cpus, &said.iter().collect::<Vec<_>>());
        }
        "m" => {
            let said = option.properties("size");
            let size = said.get("size").unwrap_or_default();
            draft.set_memory(line, size, qemu_command::size(size, 1 << 20))?;
            for (name, value) in said.iter().filter(|(name, _)| *name != "size") {
                draft.lost(line, format!("-m {name}={value}"), ALL_MEMORY);
            }
        }
        "device" => qemu_devices::device(draft, option),
        "global" if is_secure_flash(option) => {}
        "tpmdev" if option.properties("type").get("type") == Some("emulator") => draft.tpm = true,
        "tpmdev" => draft.lost(line, option.words(), ONLY_SWTPM),
        "rtc" => qemu_tuning::clock(draft, option),
        "localtime" => draft.clock.base = Some(ClockBase::Localtime),
        "global" => qemu_tuning::global(draft, option),
        "fw_cfg" => qemu_tuning::firmware_word(draft, option),
        "mem-path" => qemu_tuning::mem_path(draft, line, option.words(), known),
        "mem-prealloc" => draft.memory_backing.prealloc = Some(true),
        "vga" | "display" | "vnc" | "spice" | "nographic" | "sdl" | "curses" => picture(draft, option, known),
        "bios" if is_uefi_image(known) => {
            draft.firmware = FirmwareKind::Uefi;
            draft.left_out(line, option.words(), FIRMWARE);
        }
        "object" => object(draft, option, memory),
        "net" | "nic" if known == "none" => draft.network = None,
        "net" | "nic" | "netdev" => network(draft, option),
        "boot" => draft.left_out(line, option.words(), BOOT_ORDER),
        "monitor" | "mon" | "qmp" | "qmp-pretty" | "serial" | "chardev" | "parallel" | "daemonize"
        | "pidfile" | "D" | "d" | "msg" | "S" | "no-shutdown" | "runas" => {
            draft.left_out(line, option.words(), CONTROL);
        }
        "nodefaults" | "no-user-config" | "sandbox" => {}
        "overcommit" if known == "mem-lock=off" => {}
        "overcommit" if known == "mem-lock=on" => draft.left_out(line, option.words(), LOCKED),
        "usb" => draft.left_out(line, option.words(), USB_CONTROLLER),
        "usbdevice" if known == "tablet" => {
            draft.left_out(line, option.words(), TABLET);
        }
        "no-hpet" => draft.clock.hpet = Some(false),
        "uuid" => draft.left_out(line, option.words(), "it names the guest for who started it"),
        _ => draft.lost(line, option.words(), NO_KEY),
    }
    Ok(())
}

/// How many vCPUs a topology has that says no count.
fn product(said: &Properties) -> String {
    let parts = ["sockets", "dies", "clusters", "cores", "threads"];
    let numbers = parts.iter().filter_map(|part| said.get(part)?.parse::<u32>().ok());
    numbers.fold(1_u32, u32::saturating_mul).to_string()
}

fn accel(draft: &mut Draft<'_>, line: usize, word: &str) {
    // Several are tried in turn.
    match word.split(':').next() {
        Some("kvm") if word.contains(':') => draft.accel = AccelChoice::Auto,
        Some("kvm") => draft.accel = AccelChoice::Kvm,
        Some("tcg") => draft.accel = AccelChoice::Tcg,
        _ => draft.lost(line, format!("accel={word}"), "a guest runs by KVM or is emulated"),
    }
}

fn machine(draft: &mut Draft<'_>, option: &QemuOption) {
    let line = option.line;
    for (name, value) in option.properties("type").iter() {
        let what = || format!("-machine {name}={value}");
        match (name, value) {
            ("hpet", "on" | "off") => draft.clock.hpet = Some(value == "on"),
            ("mem-merge", "off") => draft.memory_backing.merge = Some(false),
            ("vmport" | "usb" | "smm" | "dump-guest-core", "off")
            | ("type", "q35")
            | ("memory-backend", _)
            | ("kernel_irqchip" | "kernel-irqchip", "on") => {}
            ("type", value) if value.starts_with("pc-q35-") => {
                draft.left_out(line, what(), NEWEST_BOARD);
            }
            ("type", _) => draft.lost(line, what(), BOARD),
            ("accel", value) => accel(draft, line, value),
            ("pflash0" | "pflash1", _) => draft.firmware = FirmwareKind::Uefi,
            ("smm", "on") if draft.secure_boot => {}
            ("smm", _) => draft.lost(line, what(), SECURE_SMM),
            _ => draft.lost(line, what(), NO_KEY),
        }
    }
}

/// What a card is on; `-net nic` and `-nic` are a card too.
fn network(draft: &mut Draft<'_>, option: &QemuOption) {
    let line = option.line;
    let said = option.properties("type");
    let kind = said.get("type").unwrap_or_default();
    let what = format!("-{} {kind}", option.name);
    let name = |key: &str| said.get(key).and_then(|text| text.parse().ok());
    let unscripted = said.get("script") == Some("no");
    let on = match kind {
        "user" => Some(NicBackend::User),
        "bridge" => name("br").map(NicBackend::Bridge),
        "tap" if unscripted => name("ifname").map(NicBackend::Tap),
        _ => None,
    };
    let is_lost = on.is_none() && kind != "nic";
    if is_lost {
        draft.lost(line, what.clone(), ONLY_USER);
    }
    let mac = said.get("mac").or(said.get("macaddr"));
    let queues = said.get("queues").and_then(|text| text.parse().ok());
    let queues = queues.filter(|_| matches!(on, Some(NicBackend::Tap(_))));
    let nic = draft.card(line, &what, on, said.get("model"));
    nic.mac = mac.and_then(|text| text.parse().ok()).or(nic.mac);
    nic.queues = queues.or(nic.queues);
    for (name, value) in said.iter() {
        match name {
            "type" | "id" | "model" | "netdev" | "mac" | "macaddr" | "queues" => {}
            "br" if kind == "bridge" => {}
            "ifname" | "script" | "downscript" | "vhost" if kind == "tap" => {}
            // It goes with a network that is lost as a whole.
            _ if is_lost => {}
            _ => draft.lost(line, format!("-{} {name}={value}", option.name), NO_KEY),
        }
    }
}

/// What is shown, and where.
fn picture(draft: &mut Draft<'_>, option: &QemuOption, known: &str) {
    let line = option.line;
    let first = known.split([',', ':']).next().unwrap_or_default();
    match (option.name.as_str(), first) {
        ("vga" | "display", "none") | ("nographic", _) => draft.shows(Display::None),
        ("vga", "std") | ("vnc", "unix") => draft.shows(Display::Vnc),
        ("vga", _) => {
            draft.shows(Display::Vnc);
            draft.lost(line, option.words(), PLAIN_VGA);
        }
        ("spice", _) => {
            draft.display = Some(Display::Spice);
            let said = option.properties("port");
            if !said.is_on("unix") {
                draft.lost(line, option.words(), ON_SOCKET);
            }
        }
        _ => {
            draft.shows(Display::Vnc);
            draft.lost(line, option.words(), ON_SOCKET);
        }
    }
}

/// An object. Of memory only what the board's own comes from is read (`-machine memory-backend`): other backends are for guests
/// with nodes of their own, or with memory that is plugged in.
fn object(draft: &mut Draft<'_>, option: &QemuOption, memory: Option<&str>) {
    let said = option.properties("qom-type");
    let plain = said.iter().all(|(name, _)| matches!(name, "qom-type" | "id" | "size"));
    match said.get("qom-type").unwrap_or_default() {
        // One thread is there by itself, as random numbers are; which of QEMU's own takes the memory is its affair.
        "thread-context" | "iothread" | "rng-random" | "rng-builtin" => {}
        "input-linux" => qemu_devices::evdev(draft, option),
        "secret" => draft.left_out(option.line, option.words(), "it is libvirt's"),
        "memory-backend-ram" if plain => {}
        "memory-backend-ram" | "memory-backend-memfd" | "memory-backend-file"
            if memory.is_some() && said.get("id") == memory =>
        {
            qemu_tuning::memory_backend(draft, option);
        }
        _ => draft.lost(option.line, option.words(), NO_KEY),
    }
}
