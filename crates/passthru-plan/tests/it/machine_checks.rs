//! Checks of the machine and its kernel: each passing, and failing for its reason.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::acpi::{DeviceScope, DmarReserved, DmarUnit, Ivrs, IvrsMemory, ScopeKind, Table};
use passthru_model::finding::{Finding, Verdict};
use passthru_model::firmware::{Lockdown, Start};
use passthru_model::iommu::{FirmwareTable, UnitRegisters};
use passthru_model::kernel::{KernelOptions, ModuleState};
use passthru_model::{Fact, HostFacts};
use passthru_plan::diagnose;

use crate::common::{cmdline, edit, function, host, host_with_groups, kvm};

/// What one check says.
pub(crate) fn find(facts: &HostFacts, id: &str) -> Finding {
    diagnose(facts, &[id]).expect("a check").remove(0)
}

/// Its verdict and its summary in one line.
pub(crate) fn says(facts: &HostFacts, id: &str) -> String {
    let finding = find(facts, id);
    let needs_remedy = matches!(finding.verdict, Verdict::Warn | Verdict::Fail);
    assert!(!needs_remedy || finding.remedy.is_some(), "{id} warns and says nothing to do");
    assert!(!needs_remedy || !finding.evidence.is_empty(), "{id} warns without evidence");
    format!("{}: {}", finding.verdict.word(), finding.summary)
}

fn change<T>(fact: &mut Fact<T>, with: impl FnOnce(&mut T)) {
    if let Fact::Known(value, _) = fact {
        with(value);
    }
}

fn endpoint(bus: u8, path: &[(u8, u8)]) -> DeviceScope {
    DeviceScope { kind: ScopeKind::Endpoint, number: 0, bus, path: path.to_vec() }
}

fn reserve(facts: &mut HostFacts, scope: DeviceScope) {
    change(&mut facts.firmware.dmar, |table| {
        let dmar = &mut table.as_mut().expect("a table").body;
        dmar.reserved.push(DmarReserved {
            domain: 0,
            start: 0xbdf8_3000,
            end: 0xbdf8_4fff,
            scope: vec![scope],
        });
    });
}

#[test]
fn nested_virtualization_is_told_from_the_loaded_module() {
    let mut facts = host();
    assert_eq!(says(&facts, "nested-virtualization"), "pass: guests can run guests of their own");
    facts.cpu.kvm = kvm(&[("kvm_amd.nested", "0")]);
    assert_eq!(says(&facts, "nested-virtualization"), "warn: guests cannot run guests of their own");
    facts.cpu.kvm = kvm(&[]);
    assert_eq!(says(&facts, "nested-virtualization"), "skip: neither kvm_intel nor kvm_amd is loaded");
}

#[test]
fn a_start_by_bios_and_a_locked_down_kernel_are_to_be_known() {
    let mut facts = host();
    assert_eq!(says(&facts, "uefi-boot"), "pass: the firmware started this host by UEFI");
    assert_eq!(says(&facts, "secure-boot"), "pass: Secure Boot is off, and the kernel is not locked down");
    facts.firmware.start = Fact::known(Start::Bios, "/sys/firmware/efi", "is not there");
    assert!(says(&facts, "uefi-boot").starts_with("warn: the firmware started this host the old way"));
    let mut server = facts.clone();
    server.pci = Fact::known(BTreeMap::new(), "/sys/bus/pci/devices", "");
    assert!(says(&server, "uefi-boot").starts_with("skip:"));
    facts.firmware.secure_boot = Fact::known(Some(true), "/sys/firmware/efi/efivars/SecureBoot", "1");
    facts.firmware.lockdown =
        Fact::known(Some(Lockdown::Integrity), "/sys/kernel/security/lockdown", "integrity");
    assert_eq!(
        says(&facts, "secure-boot"),
        "warn: Secure Boot is on, and the kernel is locked down (integrity): modules must be signed with a key that this machine knows"
    );
    facts.firmware.lockdown = Fact::unknown("nothing is mounted at /sys/kernel/security");
    assert!(says(&facts, "secure-boot").starts_with("unknown: Secure Boot is on; whether"));
}

#[test]
fn graphics_without_a_group_name_what_left_them_out() {
    let mut facts = host_with_groups();
    assert_eq!(
        says(&facts, "graphics-iommu"),
        "pass: the IOMMU serves 0000:01:00.0, 0000:02:00.0, 0000:03:00.0"
    );
    assert_eq!(says(&host(), "graphics-iommu"), "skip: the IOMMU is off");
    change(&mut facts.pci, |functions| {
        let integrated = function("00:02.3", "8086:3e98", "030000", Some("i915"), &[]);
        functions.insert(integrated.address, integrated);
    });
    let summary = "this kernel leaves integrated graphics out of the IOMMU by default: 0000:00:02.3 (VGA controller 8086:3e98)";
    assert_eq!(says(&facts, "graphics-iommu"), format!("warn: {summary}"));
    let remedy = find(&facts, "graphics-iommu").remedy.expect("a remedy");
    assert_eq!(remedy.command.as_deref(), Some("passthru isolate 0000:00:02.3"));
    cmdline(&mut facts, "intel_iommu=on,igfx_off");
    assert!(
        says(&facts, "graphics-iommu")
            .starts_with("warn: ‘intel_iommu=igfx_off’ keeps the IOMMU from 0000:00:02.3")
    );
    cmdline(&mut facts, "intel_iommu=on");
    assert!(says(&facts, "graphics-iommu").starts_with("warn: no unit of the IOMMU serves 0000:00:02.3"));
    let mut off = host();
    change(&mut off.firmware.dmar, |table| {
        let unit =
            DmarUnit { domain: 0, is_catch_all: false, registers: 0, scope: vec![endpoint(1, &[(0, 0)])] };
        table.as_mut().expect("a table").body.units.push(unit);
    });
    assert_eq!(says(&off, "graphics-iommu"), "skip: the IOMMU is off; 0000:01:00.0 has a unit of its own");
    change(&mut off.firmware.dmar, |table| {
        table.as_mut().expect("a table").body.units[0].scope.push(endpoint(0, &[(4, 0)]));
    });
    assert_eq!(says(&off, "graphics-iommu"), "skip: the IOMMU is off");
}

#[test]
fn memory_that_the_firmware_keeps_is_foretold_while_the_iommu_is_off() {
    let mut facts = host();
    assert!(says(&facts, "firmware-mappings").starts_with("pass: the firmware keeps no device"));
    // Of display and USB devices the kernel lets such memory go.
    reserve(&mut facts, endpoint(1, &[(0, 0)]));
    reserve(&mut facts, endpoint(0, &[(4, 0)]));
    assert!(says(&facts, "firmware-mappings").starts_with("pass:"));
    // The sound function behind the second port, by the way to it.
    reserve(&mut facts, endpoint(0, &[(2, 1), (0, 1)]));
    let finding = find(&facts, "firmware-mappings");
    assert_eq!(finding.verdict, Verdict::Warn);
    assert!(
        finding.summary.contains("0000:02:00.1") && !finding.summary.contains("0000:01:00.0"),
        "{}",
        finding.summary
    );
    assert_eq!(finding.evidence[0].value, "0xbdf83000-0xbdf84fff for 0000:02:00.1");
    // A device that is not there is nobody's.
    let mut other = host();
    reserve(&mut other, endpoint(0, &[(9, 0), (0, 0)]));
    assert!(says(&other, "firmware-mappings").starts_with("pass:"));
    assert!(says(&host_with_groups(), "firmware-mappings").starts_with("skip: the IOMMU is on"));
    facts.firmware.dmar = Fact::unknown("/sys/firmware/acpi/tables/DMAR may not be read by this user");
    assert!(says(&facts, "firmware-mappings").ends_with("DMAR may not be read by this user"));
}

#[test]
fn amds_tables_refuse_display_devices_too() {
    let mut facts = host();
    let memory = |is_unity| IvrsMemory {
        first: 0,
        last: 0x0fff,
        domain: 0,
        start: 0x1000,
        length: 0x1000,
        is_unity,
        is_exclusion: false,
    };
    let table = |is_unity| Table {
        maker: "AMD".to_owned(),
        revision: 2,
        sums_up: true,
        body: Ivrs { memory: vec![memory(is_unity)], ..Ivrs::default() },
        others: Vec::new(),
    };
    let known = |is_unity| Fact::known(Some(table(is_unity)), "/sys/firmware/acpi/tables/IVRS", "208 bytes");
    facts.firmware.dmar = Fact::known(None, "/sys/firmware/acpi/tables", "IVRS");
    facts.firmware.ivrs = known(false);
    assert!(says(&facts, "firmware-mappings").starts_with("pass:"));
    facts.firmware.ivrs = known(true);
    let text = says(&facts, "firmware-mappings");
    assert!(text.starts_with("fail: once the IOMMU is on") && text.ends_with("and 6 more"), "{text}");
}

#[test]
fn an_iommu_that_reaches_less_far_than_the_processor_is_named_with_its_width() {
    let mut facts = host_with_groups();
    let unit = |capability| UnitRegisters::Intel {
        version: "1:0".to_owned(),
        registers: 0xfed9_0000,
        capability,
        extended: 0xf0_50da,
    };
    let registers = |capability| {
        Fact::known(BTreeMap::from([("dmar0".to_owned(), unit(capability))]), "/sys/class/iommu", "39 bits")
    };
    assert!(says(&facts, "address-width").starts_with("skip:"));
    facts.iommu.registers = registers(0x00d2_008c_4066_0462);
    assert_eq!(says(&facts, "address-width"), "pass: the IOMMU reaches 39 bits of address, the processor 39");
    facts.cpu.physical_bits = Fact::known(46, "/proc/cpuinfo", "46 bits physical");
    assert_eq!(
        says(&facts, "address-width"),
        "warn: the IOMMU reaches 39 bits of address, and the processor 46"
    );
    assert!(find(&facts, "address-width").remedy.expect("a remedy").what.contains("host-phys-bits-limit=39"));
}

#[test]
fn interrupts_that_are_not_remapped_say_why() {
    let mut facts = host_with_groups();
    facts.iommu.interrupt_remapping = Fact::known(false, "/proc/interrupts", "PCI-MSI");
    let end = |facts: &HostFacts| {
        says(facts, "interrupt-remapping")
            .rsplit_once("devices to guests")
            .expect("the same beginning")
            .1
            .to_owned()
    };
    assert_eq!(end(&facts), "");
    cmdline(&mut facts, "intremap=off");
    assert_eq!(end(&facts), ": ‘intremap=off’ or ‘nointremap’ turns it off");
    cmdline(&mut facts, "quiet");
    change(&mut facts.firmware.dmar, |table| {
        table.as_mut().expect("a table").body.interrupt_remapping = false;
    });
    assert_eq!(end(&facts), ": the firmware says that the platform does not support it (table DMAR)");
    change(&mut facts.kernel.options, |options| drop(options.0.remove("IRQ_REMAP")));
    assert_eq!(end(&facts), ": the kernel was built without it (IRQ_REMAP)");
}

#[test]
fn a_firmware_that_opts_out_of_x2apic_can_be_overruled() {
    let mut facts = host();
    assert_eq!(says(&facts, "x2apic"), "pass: the firmware lets the kernel use x2APIC");
    change(&mut facts.firmware.dmar, |table| table.as_mut().expect("a table").body.x2apic_opt_out = true);
    assert_eq!(says(&facts, "x2apic"), "warn: the firmware asks to leave x2APIC off");
    cmdline(&mut facts, "intremap=no_x2apic_optout");
    assert!(says(&facts, "x2apic").starts_with("pass:"));
}

#[test]
fn unsafe_interrupts_are_named_wherever_they_are_asked_for() {
    let mut facts = host_with_groups();
    assert_eq!(says(&facts, "unsafe-interrupts"), "pass: no setting asks for it");
    cmdline(&mut facts, "vfio_iommu_type1.allow_unsafe_interrupts=1");
    assert!(says(&facts, "unsafe-interrupts").contains("takes protection away for nothing"));
    cmdline(&mut facts, "quiet");
    facts.iommu.iommufd_unsafe_interrupts =
        Fact::known(true, "/sys/module/iommufd/parameters/allow_unsafe_interrupts", "Y");
    assert!(says(&facts, "unsafe-interrupts").starts_with("warn:"));
}

#[test]
fn corrections_of_well_known_advice_have_checks_of_their_own() {
    let mut facts = host_with_groups();
    assert_eq!(says(&facts, "amd-iommu-on"), "pass: ‘amd_iommu=on’ is not there");
    assert_eq!(says(&facts, "iommu-passthrough"), "pass: the host's own devices are translated as well");
    cmdline(&mut facts, "amd_iommu=on iommu=pt");
    assert!(says(&facts, "amd-iommu-on").starts_with("warn: ‘amd_iommu=on’ does nothing"));
    assert!(
        says(&facts, "iommu-passthrough")
            .starts_with("warn: ‘iommu=pt’ is set: the host's own devices may reach all memory")
    );
    cmdline(&mut facts, "amd_iommu=fullflush iommu=pt mem_encrypt=on");
    assert!(says(&facts, "amd-iommu-on").starts_with("pass:"));
    assert!(says(&facts, "iommu-passthrough").contains("does not go with memory encryption"));
    cmdline(&mut facts, "quiet");
    change(&mut facts.iommu.groups, |groups| {
        groups.get_mut(&7).expect("a group").kind = Some("identity".to_owned());
    });
    assert!(says(&facts, "iommu-passthrough").contains("(1 group untranslated)"));
    change(&mut facts.iommu.groups, |groups| groups.values_mut().for_each(|group| group.kind = None));
    assert_eq!(says(&facts, "iommu-passthrough"), "pass: the host's own devices are translated as well");
    change(&mut facts.kernel.options, |options| {
        options.0.insert("IOMMU_DEFAULT_PASSTHROUGH".to_owned(), "y".to_owned());
    });
    assert!(says(&facts, "iommu-passthrough").starts_with("warn: this kernel does so by default"));
    facts.kernel.options = Fact::unknown("there is no configuration");
    assert!(says(&facts, "iommu-passthrough").starts_with("pass: no parameter asks"));
    facts.iommu.groups = Fact::unknown("/sys/kernel is not there");
    assert!(says(&facts, "iommu-passthrough").starts_with("unknown:"));
}

fn without(facts: &mut HostFacts, names: &[&str], installed: bool) {
    let strip = |options: &mut KernelOptions| {
        for name in names {
            options.0.remove(*name);
        }
    };
    change(&mut facts.kernel.options, strip);
    if installed {
        change(&mut facts.kernel.installed, |kernels| change(&mut kernels[0].options, strip));
    }
}

#[test]
fn kernels_without_what_is_needed_are_named() {
    let mut facts = host();
    assert!(says(&facts, "kernel-options").starts_with("pass: 6.12.43+deb13-amd64 was built with"));
    without(&mut facts, &["INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF"], true);
    assert!(
        says(&facts, "kernel-options").starts_with("warn: with 6.12.43+deb13-amd64 the IOMMU is off until")
    );
    cmdline(&mut facts, "intel_iommu=on");
    assert!(says(&facts, "kernel-options").starts_with("pass:"));
    without(&mut facts, &["INTEL_IOMMU", "VFIO_PCI"], true);
    assert_eq!(says(&facts, "kernel-options"), "fail: 6.12.43+deb13-amd64 lacks VFIO_PCI, INTEL_IOMMU");
    change(&mut facts.kernel.installed, |kernels| {
        kernels[0].options = Fact::unknown("there is no configuration");
    });
    assert!(says(&facts, "kernel-options").starts_with("unknown:"));
}

#[test]
fn the_way_by_which_guests_reach_devices_is_told() {
    let mut facts = host();
    assert!(says(&facts, "vfio-interface").starts_with("pass: the kernel has the VFIO container"));
    change(&mut facts.kernel.options, |options| {
        for name in ["IOMMUFD", "VFIO_DEVICE_CDEV"] {
            options.0.insert(name.to_owned(), "y".to_owned());
        }
    });
    assert!(says(&facts, "vfio-interface").starts_with("pass: the kernel has both ways"));
    without(&mut facts, &["VFIO_IOMMU_TYPE1"], false);
    assert!(says(&facts, "vfio-interface").starts_with("warn: the kernel has iommufd alone"));
    without(&mut facts, &["IOMMUFD"], false);
    assert!(says(&facts, "vfio-interface").starts_with("fail: the kernel has VFIO and neither"));
    without(&mut facts, &["VFIO"], false);
    assert!(says(&facts, "vfio-interface").starts_with("fail: the running kernel was built without VFIO"));
    facts.kernel.options = Fact::unknown("there is no configuration");
    assert!(says(&facts, "vfio-interface").starts_with("unknown:"));
    change(&mut facts.kernel.installed, |kernels| {
        change(&mut kernels[0].modules, |modules| {
            modules.insert("vfio_iommu_type1".to_owned(), ModuleState::Loadable);
        });
    });
    assert!(says(&facts, "vfio-interface").starts_with("pass: the kernel has the VFIO container; whether"));
}

#[test]
fn a_table_with_a_wrong_checksum_is_a_fault_of_the_firmware() {
    let mut facts = host();
    assert_eq!(says(&facts, "iommu-firmware"), "pass: the firmware offers VT-d (table DMAR)");
    change(&mut facts.firmware.dmar, |table| table.as_mut().expect("a table").sums_up = false);
    assert!(says(&facts, "iommu-firmware").starts_with("warn:"));
}

#[test]
fn on_amd_no_option_of_intel_is_asked_for() {
    let mut facts = host();
    facts.iommu.tables =
        Fact::known(BTreeSet::from([FirmwareTable::Ivrs]), "/sys/firmware/acpi/tables", "IVRS");
    without(&mut facts, &["INTEL_IOMMU", "INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF"], true);
    assert!(says(&facts, "kernel-options").starts_with("pass:"));
    edit(&mut facts, "02:00.0", |function| function.group = None);
    without(&mut facts, &["AMD_IOMMU"], true);
    assert_eq!(says(&facts, "kernel-options"), "fail: 6.12.43+deb13-amd64 lacks AMD_IOMMU");
}

#[test]
fn amds_own_iommu_needs_no_group() {
    let mut facts = host_with_groups();
    let add = |facts: &mut HostFacts, address: &str, class: &str| {
        change(&mut facts.pci, |functions| {
            let one = function(address, "1022:1451", class, None, &[]);
            functions.insert(one.address, one);
        });
    };
    add(&mut facts, "00:00.2", "080600");
    assert!(says(&facts, "iommu-groups").starts_with("pass:"));
    add(&mut facts, "00:06.0", "010802");
    assert!(says(&facts, "iommu-groups").ends_with("without a group, so not for guests: 0000:00:06.0"));
}

#[test]
fn a_firmware_that_protects_itself_is_named_as_the_cause_of_reserved_memory() {
    let mut facts = host_with_groups();
    crate::common::reserve(&mut facts, 8, "direct");
    let remedy = |facts: &HostFacts| find(facts, "reserved-regions").remedy.expect("a remedy").what;
    assert!(!remedy(&facts).contains("DMA"));
    change(&mut facts.firmware.dmar, |table| table.as_mut().expect("a table").body.platform_opt_in = true);
    assert!(remedy(&facts).contains("pre-boot DMA protection"));
}
