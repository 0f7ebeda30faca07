//! What the tests share: facts as a short text, and the folder of real machines' data.

use std::fmt::{Debug, Write as _};
use std::path::PathBuf;

use passthru_model::fact::Fact;
use passthru_model::facts::HostFacts;
use passthru_model::plan::FileState;

/// A fact in one line.
fn fact<T: Debug>(out: &mut String, name: &str, fact: &Fact<T>) {
    let line = match fact {
        Fact::Known(value, evidence) => format!("{value:?} [{}: {}]", evidence.path, evidence.value),
        Fact::Unknown(because) => format!("unknown, because {because}"),
    };
    writeln!(out, "{name}: {line}").expect("a string takes all");
}

/// Facts as text: whole, but for the bytes of files and of configuration space.
pub(crate) fn summary(facts: &HostFacts) -> String {
    let mut out = String::new();
    writeln!(out, "surroundings: {:?}", facts.surroundings).expect("a string takes all");
    for function in facts.functions() {
        let name = facts.name_of(function);
        let mut short = function.clone();
        short.config = Vec::new();
        writeln!(out, "{name}: {} bytes of configuration space; {short:?}", function.config.len())
            .expect("a string takes all");
    }
    if let Some(because) = facts.pci.because() {
        writeln!(out, "pci: unknown, because {because}").expect("a string takes all");
    }
    fact(&mut out, "device states", &facts.device_states);
    fact(&mut out, "graphics", &facts.graphics);
    fact(&mut out, "possible drivers", &facts.possible_drivers);
    fact(&mut out, "physical memory", &facts.io_memory);
    fact(&mut out, "tables", &facts.iommu.tables);
    fact(&mut out, "units", &facts.iommu.units);
    fact(&mut out, "registers", &facts.iommu.registers);
    fact(&mut out, "groups", &facts.iommu.groups);
    fact(&mut out, "interrupt remapping", &facts.iommu.interrupt_remapping);
    fact(&mut out, "unsafe interrupts", &facts.iommu.unsafe_interrupts);
    fact(&mut out, "unsafe interrupts of iommufd", &facts.iommu.iommufd_unsafe_interrupts);
    fact(&mut out, "release", &facts.kernel.release);
    fact(&mut out, "command line", &facts.kernel.cmdline);
    fact(&mut out, "loaded", &facts.kernel.loaded);
    fact(&mut out, "installed", &facts.kernel.installed);
    fact(&mut out, "options", &facts.kernel.options);
    fact(&mut out, "cpu vendor", &facts.cpu.vendor);
    fact(&mut out, "cpu model", &facts.cpu.model);
    fact(&mut out, "cpu count", &facts.cpu.count);
    fact(&mut out, "vmx", &facts.cpu.vmx);
    fact(&mut out, "cpu signature", &facts.cpu.signature);
    fact(&mut out, "microcode", &facts.cpu.microcode);
    fact(&mut out, "physical bits", &facts.cpu.physical_bits);
    fact(&mut out, "vulnerabilities", &facts.cpu.vulnerabilities);
    fact(&mut out, "parameters of KVM", &facts.cpu.kvm);
    fact(&mut out, "board", &facts.firmware.board);
    fact(&mut out, "start", &facts.firmware.start);
    fact(&mut out, "Secure Boot", &facts.firmware.secure_boot);
    fact(&mut out, "lockdown", &facts.firmware.lockdown);
    fact(&mut out, "DMAR", &facts.firmware.dmar);
    fact(&mut out, "IVRS", &facts.firmware.ivrs);
    fact(&mut out, "frequency", &facts.tuning.frequency);
    fact(&mut out, "where interrupts go", &facts.tuning.interrupts);
    fact(&mut out, "split locks", &facts.tuning.split_lock_mitigate);
    fact(&mut out, "topology", &facts.topology);
    fact(&mut out, "memory", &facts.memory.totals);
    fact(&mut out, "huge pages", &facts.memory.huge_pages);
    fact(&mut out, "transparent huge pages", &facts.memory.transparent);
    fact(&mut out, "free blocks", &facts.memory.free_blocks);
    fact(&mut out, "usb", &facts.usb);
    fact(&mut out, "sessions", &facts.sessions);
    fact(&mut out, "kvm", &facts.kvm);
    fact(&mut out, "bootloader", &facts.bootloader);
    fact(&mut out, "initramfs", &facts.initramfs);
    fact(&mut out, "started by", &facts.boot.started_by);
    fact(&mut out, "loaders", &facts.boot.loaders);
    fact(&mut out, "boot entries", &facts.boot.entries);
    let modprobe = match &facts.binding.modprobe {
        Fact::Known(settings, evidence) => {
            let mut short = settings.clone();
            short.files.clear();
            Fact::Known(short, evidence.clone())
        }
        Fact::Unknown(because) => Fact::Unknown(because.clone()),
    };
    fact(&mut out, "modprobe", &modprobe);
    fact(&mut out, "modules to load", &facts.binding.modules_load);
    fact(&mut out, "initramfs settings", &facts.binding.initramfs);
    fact(&mut out, "images", &facts.images);
    fact(&mut out, "libvirt", &facts.virtualisation.libvirt);
    fact(&mut out, "helpers", &facts.virtualisation.helpers);
    fact(&mut out, "packages", &facts.virtualisation.packages);
    fact(&mut out, "display manager", &facts.desktop.display_manager);
    fact(&mut out, "xorg", &facts.desktop.xorg);
    fact(&mut out, "variables of cards", &facts.desktop.variables);
    fact(&mut out, "guest firmware", &facts.guest_firmware);
    fact(&mut out, "qemu", &facts.qemu);
    fact(&mut out, "in use", &facts.in_use);
    fact(&mut out, "ways in", &facts.ways_in);
    writeln!(out, "in use, gaps: {:?}", facts.in_use_gaps).expect("a string takes all");
    for (path, state) in &facts.files {
        let state = match state {
            FileState::File { content, mode, uid, gid } => {
                format!("{} bytes, mode {mode:o}, owner {uid}:{gid}", content.0.len())
            }
            other => format!("{other:?}"),
        };
        writeln!(out, "{path}: {state}").expect("a string takes all");
    }
    for (path, why) in &facts.unreadable_files {
        writeln!(out, "{path}: unreadable, because {why}").expect("a string takes all");
    }
    out
}

/// A folder of real machines' data, which is not part of the project; `None`, with a word about it, where it is absent.
pub(crate) fn corpora(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    announce(&format!("skipped: there is no {}", path.display()));
    None
}

/// A word to whoever reads the tests' output.
#[expect(clippy::print_stdout, reason = "a test that skips, or counts, says so")]
pub(crate) fn announce(text: &str) {
    println!("{text}");
}
