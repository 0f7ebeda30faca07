//! A machine to QEMU's arguments. Pure; for QEMU 7.2 and later (`docs/qemu-options`, as of 7.2 and 10.2).

mod audio;
mod boot;
mod control;
mod display;
mod hyper_v;
mod input;
mod memory;
mod network;
mod passed;
mod processor;
mod shared;
mod storage;
mod tpm;
mod usb;

use std::fmt::Write as _;
use std::path::Path;

use passthru_model::PciAddress;

use crate::layout::{Layout, RootPort};
use crate::machine::{Boot, Machine};
use crate::spec::NicBackend;

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
        // QEMU's helper for bridges is another program, which gets privileges by being set-user-ID.
        let helped =
            machine.network.as_ref().is_some_and(|card| matches!(card.backend, NicBackend::Bridge(_)));
        let denied = [
            Some("obsolete=deny"),
            // To become another user is what it denies.
            Some("elevateprivileges=deny").filter(|_| !helped && machine.run_as.is_none()),
            Some("spawn=deny").filter(|_| !helped),
            Some("resourcecontrol=deny"),
        ];
        let denied: Vec<&str> = denied.into_iter().flatten().collect();
        out.option("-sandbox", format!("on,{}", denied.join(",")));
    }
    if let Some(run_as) = &machine.run_as {
        if run_as.by_run_with {
            out.option("-run-with", format!("user={}", run_as.user));
        } else {
            out.option("-runas", run_as.user.to_string());
        }
    }
    out.option("-msg", "timestamp=on");
    board(&mut out, machine);
    processor::processor(&mut out, machine);
    memory::memory(&mut out, machine);
    memory::clock(&mut out, machine);
    boot::firmware(&mut out, machine);
    control::control(&mut out, machine);
    let layout = Layout::of(machine);
    for (port, slot) in &layout.slots {
        passed::passed(&mut out, slot, *port);
    }
    storage::controllers(&mut out, machine, &layout);
    for drive in &layout.drives {
        storage::storage(&mut out, machine, drive);
    }
    if let Some((card, port)) = layout.network {
        network::network(&mut out, card, port);
    }
    if let Some(port) = layout.rng {
        network::rng(&mut out, port);
    }
    display::display(&mut out, machine);
    if let Some(port) = layout.usb {
        usb::usb(&mut out, machine, port);
    }
    input::input(&mut out, machine, &layout);
    if let Some(audio) = &machine.audio {
        audio::audio(&mut out, audio);
    }
    if let Some(shared) = &machine.shared {
        shared::shared(&mut out, shared);
    }
    if let Some(socket) = &machine.tpm {
        tpm::tpm(&mut out, socket);
    }
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
    if machine.system_management() {
        board.push_str(",smm=on");
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
    use crate::spec::{AccelChoice, Disk, DiskFormat, FirmwareKind, GuestSpec, Medium, Nic, NicBackend, Os};
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
        spec.network = Some(Nic::on(NicBackend::User));
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
