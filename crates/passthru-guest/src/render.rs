//! A machine to QEMU's arguments. Pure; for QEMU 7.2 and later (`docs/qemu-options`, as of 7.2 and 10.2).

mod hyper_v;
mod memory;
mod processor;

use std::fmt::Write as _;
use std::path::Path;

use passthru_model::PciAddress;

use crate::layout::{Drive, DriveKind, Layout, Plug, RootPort, VGA_SLOT};
use crate::machine::{Backing, Boot, GuestSlot, Machine, NetworkCard, Placed, Serial};

/// Makes a text safe as the value of an option: QEMU splits options at commas, and reads a doubled one as one.
pub fn escape(text: &str) -> String {
    text.replace(',', ",,")
}

/// A path as the value of an option.
fn path(path: &Path) -> String {
    escape(&path.to_string_lossy())
}

/// The id under which a passed function is known to QEMU.
pub fn device_id(address: PciAddress) -> String {
    format!("host-{}", address.to_string().replace([':', '.'], "-"))
}

/// QEMU's arguments, without the program.
pub fn arguments(machine: &Machine) -> Vec<String> {
    let mut out = Arguments::default();
    out.option("-name", format!("guest={},debug-threads=on", escape(&machine.name)));
    for bare in ["-nodefaults", "-no-user-config"] {
        out.flag(bare);
    }
    if machine.sandbox {
        let denied = "obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";
        out.option("-sandbox", format!("on,{denied}"));
    }
    out.option("-msg", "timestamp=on");
    board(&mut out, machine);
    processor::processor(&mut out, machine);
    memory::memory(&mut out, machine);
    memory::clock(&mut out, machine);
    firmware(&mut out, machine);
    control(&mut out, machine);
    let layout = Layout::of(machine);
    for (port, slot) in &layout.slots {
        passed(&mut out, slot, *port);
    }
    for drive in &layout.drives {
        storage(&mut out, drive);
    }
    if let Some((card, port)) = layout.network {
        network(&mut out, card, port);
    }
    display(&mut out, machine, &layout);
    if machine.no_reboot {
        out.flag("-no-reboot");
    }
    if machine.paused {
        out.flag("-S");
    }
    out.list
}

/// The board.
fn board(out: &mut Arguments, machine: &Machine) {
    let mut board = format!("q35,accel={},vmport=off", machine.accel.word());
    if machine.kernel_irqchip() {
        board.push_str(",kernel-irqchip=on");
    }
    if let Some(hpet) = machine.timers.hpet {
        board.push_str(if hpet { ",hpet=on" } else { ",hpet=off" });
    }
    if !machine.memory_source.merge {
        board.push_str(",mem-merge=off");
    }
    if !machine.memory_source.is_default() {
        let _ = write!(board, ",memory-backend={}", memory::MEMORY);
    }
    if matches!(machine.boot, Boot::Uefi { .. }) {
        board.push_str(",pflash0=firmware-code,pflash1=firmware-vars");
    }
    out.option("-machine", board);
}

/// Flash chips, or a kernel of the host's.
fn firmware(out: &mut Arguments, machine: &Machine) {
    if let Boot::Uefi { code, vars, format, .. } = &machine.boot {
        for (node, file, read_only) in [("firmware-code", code, "on"), ("firmware-vars", vars, "off")] {
            out.option(
                "-blockdev",
                format!(
                    "driver={format},node-name={node},read-only={read_only},file.driver=file,file.filename={}",
                    path(file)
                ),
            );
        }
    }
    if let Some(kernel) = &machine.kernel {
        // These three are no option lists: a comma in them stays as it is.
        out.option("-kernel", kernel.image.to_string_lossy());
        out.option("-initrd", kernel.initramfs.to_string_lossy());
        out.option("-append", &kernel.command_line);
    }
}

/// The control socket and the serial ports.
fn control(out: &mut Arguments, machine: &Machine) {
    out.option("-chardev", format!("socket,id=control,path={},server=on,wait=off", path(&machine.qmp)));
    out.option("-mon", "chardev=control,mode=control");
    for (number, serial) in machine.serials.iter().enumerate() {
        let backend = match serial {
            Serial::Socket { socket, log } => {
                format!(
                    "socket,id=serial{number},path={},server=on,wait=off,logfile={},logappend=on",
                    path(socket),
                    path(log)
                )
            }
            Serial::File(file) => format!("file,id=serial{number},path={}", path(file)),
        };
        out.option("-chardev", backend);
        out.option("-device", format!("isa-serial,chardev=serial{number}"));
    }
}

/// One guest slot: a root port and the functions behind it.
fn passed(out: &mut Arguments, slot: &GuestSlot, port: RootPort) {
    let bus = root_port(out, port);
    for Placed { function, backing } in &slot.functions {
        let mut device = match backing {
            // QEMU's `host=` takes domains of four digits (`parse_pci_host_devaddr`); larger ones go by their path.
            Backing::Host(address) if address.domain() > 0xffff => {
                format!("vfio-pci,sysfsdev=/sys/bus/pci/devices/{address},id={}", device_id(*address))
            }
            Backing::Host(address) => format!("vfio-pci,host={address},id={}", device_id(*address)),
            Backing::Emulated(device) => device.clone(),
        };
        let _ = write!(device, ",bus={bus},addr=0x0.{function:#x}");
        if *function == 0 && slot.functions.len() > 1 {
            device.push_str(",multifunction=on");
        }
        out.option("-device", device);
    }
}

/// A drive: its image, and the device that the guest sees.
fn storage(out: &mut Arguments, drive: &Drive<'_>) {
    let (node, read_only, on_sata) = match drive.kind {
        DriveKind::Disk => (format!("disk{}", drive.number), "", "ide-hd"),
        DriveKind::Disc => (format!("medium{}", drive.number), ",read-only=on", "ide-cd"),
    };
    let discard = if drive.discards() { ",discard=unmap" } else { "" };
    let protocol = if drive.is_device() { "host_device" } else { "file" };
    out.option(
        "-blockdev",
        format!(
            "driver={},node-name={node}{read_only}{discard},file.driver={protocol},file.filename={}",
            drive.format.word(),
            path(drive.image)
        ),
    );
    let device = match drive.plug {
        Plug::Virtio(port) => format!("virtio-blk-pci,bus={},addr=0x0", root_port(out, port)),
        Plug::Sata(unit) => format!("{on_sata},bus=ide.{unit}"),
    };
    out.option("-device", format!("{device},drive={node},bootindex={}", drive.boot));
}

/// A card on QEMU's own network.
fn network(out: &mut Arguments, card: NetworkCard, port: RootPort) {
    let driver = match card {
        NetworkCard::Virtio => "virtio-net-pci",
        NetworkCard::E1000e => "e1000e",
    };
    out.option("-netdev", "user,id=net0");
    let bus = root_port(out, port);
    out.option("-device", format!("{driver},netdev=net0,bus={bus},addr=0x0"));
}

/// No display, or an emulated one with a tablet, so that the pointer is where the viewer's is.
fn display(out: &mut Arguments, machine: &Machine, layout: &Layout<'_>) {
    out.option("-display", "none");
    if let Some((socket, port)) = machine.vnc.as_ref().zip(layout.usb) {
        out.option("-vnc", format!("unix:{}", path(socket)));
        out.option("-device", format!("VGA,bus=pcie.0,addr={VGA_SLOT:#x}"));
        let bus = root_port(out, port);
        out.option("-device", format!("qemu-xhci,id=usb,bus={bus},addr=0x0"));
        out.option("-device", "usb-tablet,bus=usb.0");
    }
}

/// Adds a root port and returns the name of its bus.
fn root_port(out: &mut Arguments, port: RootPort) -> String {
    let number = port.number;
    out.option(
        "-device",
        format!(
            "pcie-root-port,id=port{number},bus=pcie.0,addr={:#x},chassis={number},slot={number},port={number:#x}",
            port.slot()
        ),
    );
    format!("port{number}")
}

/// The arguments as they grow.
#[derive(Default)]
struct Arguments {
    list: Vec<String>,
}

impl Arguments {
    fn flag(&mut self, name: &str) {
        self.list.push(name.to_owned());
    }

    fn option(&mut self, name: &str, value: impl Into<String>) {
        self.list.push(name.to_owned());
        self.list.push(value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::{arguments, escape};
    use crate::guest::Guest;
    use crate::look::Looked;
    use crate::run::GuestPaths;
    use crate::spec::{AccelChoice, Disk, DiskFormat, FirmwareKind, GuestSpec, Medium, Network, Os};
    use crate::testing;
    use proptest::prelude::*;

    fn rendered(spec: &GuestSpec) -> String {
        let guest = Guest::build(spec, &testing::facts(), &Looked::default()).expect("a guest");
        let paths = GuestPaths::new(
            "/run/passthru/guests".as_ref(),
            "/var/lib/passthru/guests".as_ref(),
            guest.name(),
        );
        // One option a line reads as a script does.
        arguments(&guest.machine(&paths))
            .join("\n")
            .replace("\n-", "\n\n-")
            .replace("\n\n", "\u{0}")
            .replace('\n', " ")
            .replace('\u{0}', "\n")
    }

    fn spec() -> GuestSpec {
        GuestSpec::new("box".parse().expect("a name"))
    }

    #[test]
    fn a_guest_with_a_gpu_and_its_audio() {
        let mut spec = spec();
        spec.devices = testing::gpu_identities();
        spec.network = Network::User;
        spec.disks.push(Disk { path: "/srv/box, old.qcow2".into(), format: DiskFormat::Qcow2 });
        spec.media.push(Medium { path: "/srv/debian.iso".into() });
        insta::assert_snapshot!(rendered(&spec));
    }

    #[test]
    fn a_windows_without_a_gpu() {
        let mut spec = spec();
        spec.os = Os::Windows10;
        spec.accel = AccelChoice::Tcg;
        spec.firmware = FirmwareKind::Seabios;
        spec.disks.push(Disk { path: "/dev/vg/win".into(), format: DiskFormat::Raw });
        spec.media.push(Medium { path: "/srv/win.iso".into() });
        insta::assert_snapshot!(rendered(&spec));
    }

    proptest! {
        #[test]
        fn no_comma_of_a_path_ends_its_value(text in "[a-z,=]{0,20}") {
            let escaped = escape(&text);
            // What is left between doubled commas holds none, as QEMU's own splitting sees it (`util/keyval.c`).
            prop_assert!(!escaped.replace(",,", "").contains(','));
            prop_assert_eq!(escaped.replace(",,", ","), text);
        }
    }
}
