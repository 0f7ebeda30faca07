//! Hand-made hosts for the tests: a plain Debian machine with an IOMMU that is off, and three twin cards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use passthru_model::acpi::{Dmar, Table};
use passthru_model::address::PciAddress;
use passthru_model::boot::Grub;
use passthru_model::cpu_set::CpuSet;
use passthru_model::fact::Fact;
use passthru_model::facts::{
    Bootloader, CpuFacts, GuestFirmware, HostFacts, HostKind, HostUse, InUse, InitramfsGenerator, KvmState,
    Surroundings,
};
use passthru_model::firmware::{Board, FirmwareFacts, Lockdown, Start};
use passthru_model::hex::{ClassCode, Hex16, PciId};
use passthru_model::intent::Method;
use passthru_model::iommu::{FirmwareTable, IommuFacts, IommuGroup, ReservedRegion};
use passthru_model::kernel::{InstalledKernel, KernelFacts, KernelOptions, ModuleState};
use passthru_model::managed;
use passthru_model::memory::{HugePages, MemoryFacts, TransparentHugePages, ZoneBlocks};
use passthru_model::pci::PciFunction;
use passthru_model::plan::{Action, FileState, Plan};
use passthru_model::program::Program;
use passthru_model::topology::{Core, L3Domain, Part, Topology};
use passthru_model::tuning::TuningFacts;
use passthru_model::ways_in::WaysIn;
use passthru_plan::{Consent, IntentEdit, isolate_by, plan_for, release};

/// Boot chains that were never started in the laboratory are changed only for those who insist.
pub(crate) const INSISTING: Consent = Consent {
    adopt: false,
    accept_acs_override: false,
    only_named: false,
    holders_end: false,
    take_only_display: false,
    take_in_use: false,
    take_last_keyboard: false,
    untried_boot_chain: true,
};

pub(crate) fn at(text: &str) -> PciAddress {
    text.parse().expect("an address")
}

pub(crate) fn function(
    address: &str,
    id: &str,
    class: &str,
    driver: Option<&str>,
    parents: &[&str],
) -> PciFunction {
    let class: ClassCode = class.parse().expect("a class");
    let bridge = class.is_bridge();
    PciFunction {
        address: at(address),
        id: id.parse().expect("an id"),
        subsystem: if bridge {
            PciId::default()
        } else {
            PciId { vendor: Hex16(0x1af4), device: Hex16(0x1100) }
        },
        class,
        revision: 0,
        driver: driver.map(str::to_owned),
        driver_override: None,
        group: None,
        reset_methods: Vec::new(),
        boot_vga: class.is_display().then_some(false),
        modalias: String::new(),
        numa_node: None,
        resources: Vec::new(),
        has_rom: false,
        has_details: true,
        config: Vec::new(),
        parents: parents.iter().map(|parent| at(parent)).collect(),
        physical_function: None,
        gaps: BTreeMap::new(),
    }
}

/// Three cards with the same ids, each a display and a sound function behind a root port; the host draws on the first.
pub(crate) fn cards() -> Vec<PciFunction> {
    let mut all = vec![
        function("00:00.0", "8086:29c0", "060000", None, &[]),
        function("00:1f.0", "8086:2918", "060100", Some("lpc_ich"), &[]),
        function("00:1f.2", "8086:2922", "010601", Some("ahci"), &[]),
        function("00:1f.3", "8086:2930", "0c0500", Some("i801_smbus"), &[]),
        function("00:04.0", "1b36:000d", "0c0330", Some("xhci_hcd"), &[]),
        function("00:05.0", "1af4:1000", "020000", Some("virtio-pci"), &[]),
    ];
    for (port, bus) in [("00:02.0", 1), ("00:02.1", 2), ("00:02.2", 3)] {
        all.push(function(port, "1b36:000c", "060400", Some("pcieport"), &[]));
        all.push(function(&format!("{bus:02x}:00.0"), "1234:1111", "030000", Some("bochs"), &[port]));
        all.push(function(&format!("{bus:02x}:00.1"), "8086:293e", "040300", Some("snd_hda_intel"), &[port]));
    }
    all
}

pub(crate) const GRUB: &str = "\
# If you change this file, run 'update-grub' afterwards to update
GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=`( . /etc/os-release; echo ${NAME:-Debian} ) 2>/dev/null || echo Debian`
GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"
GRUB_CMDLINE_LINUX=\"console=ttyS0 intel_iommu=off\" # for the lab
";

pub(crate) fn grub_cfg(parameters: &str, off: bool) -> String {
    let entry = |title: &str, id: &str, more: &str| {
        format!(
            "menuentry '{title}' $menuentry_id_option '{id}' {{\n\tlinux\t/boot/vmlinuz root=UUID=1 ro {parameters}{more}\n}}\n"
        )
    };
    let mut text = entry("Debian GNU/Linux", "gnulinux-simple-1", "");
    if off {
        text.push_str(&entry("Without PCI passthrough", "passthru-off", " passthru.off"));
    }
    text
}

pub(crate) fn put(facts: &mut HostFacts, path: &str, text: &str) {
    facts.files.insert(path.to_owned(), FileState::root_file(text, 0o644));
}

/// The plain host: VT-d offered by the firmware and turned off by a parameter.
pub(crate) fn host() -> HostFacts {
    let installed = InstalledKernel {
        release: "6.12.43+deb13-amd64".to_owned(),
        image: Some("/boot/vmlinuz-6.12.43+deb13-amd64".to_owned()),
        initramfs: Some("/boot/initrd.img-6.12.43+deb13-amd64".to_owned()),
        modules: Fact::known(
            ["vfio_pci", "pci_stub"].map(|name| (name.to_owned(), ModuleState::Loadable)).into(),
            "/lib/modules/6.12.43+deb13-amd64/modules.dep",
            "",
        ),
        options: options(),
    };
    let mut facts = HostFacts {
        surroundings: Surroundings {
            kind: HostKind::Live,
            root: true,
            container: None,
            hypervisor: None,
            distribution: Some("Debian GNU/Linux 13 (trixie)".to_owned()),
        },
        pci: Fact::known(
            cards().into_iter().map(|function| (function.address, function)).collect(),
            "/sys/bus/pci/devices",
            "",
        ),
        iommu: IommuFacts {
            tables: Fact::known(BTreeSet::from([FirmwareTable::Dmar]), "/sys/firmware/acpi/tables", "DMAR"),
            units: Fact::known(BTreeSet::new(), "/sys/class/iommu", "empty"),
            groups: Fact::known(BTreeMap::new(), "/sys/kernel/iommu_groups", "empty"),
            interrupt_remapping: Fact::known(false, "/proc/interrupts", "PCI-MSI"),
            unsafe_interrupts: Fact::unknown("vfio_iommu_type1 is not loaded"),
            registers: Fact::known(BTreeMap::new(), "/sys/class/iommu", "no registers"),
            ..IommuFacts::unknown("not made up here")
        },
        kernel: KernelFacts {
            release: Fact::known("6.12.43+deb13-amd64".to_owned(), "/proc/sys/kernel/osrelease", ""),
            cmdline: Fact::Unknown(String::new()),
            loaded: Fact::known(Vec::new(), "/proc/modules", ""),
            installed: Fact::known(vec![installed], "/lib/modules", "6.12.43+deb13-amd64"),
            options: options(),
        },
        cpu: CpuFacts {
            vendor: Fact::known("GenuineIntel".to_owned(), "/proc/cpuinfo", "GenuineIntel"),
            model: Fact::known("QEMU".to_owned(), "/proc/cpuinfo", "QEMU"),
            count: Fact::known(4, "/proc/cpuinfo", "4"),
            flags: Fact::known(BTreeSet::from(["vmx".to_owned()]), "/proc/cpuinfo", "vmx"),
            physical_bits: Fact::known(39, "/proc/cpuinfo", "address sizes: 39 bits physical"),
            vulnerabilities: Fact::known(
                BTreeMap::from([("meltdown".to_owned(), "Not affected".to_owned())]),
                "/sys/devices/system/cpu/vulnerabilities",
                "1 known, 0 open",
            ),
            kvm: kvm(&[
                ("kvm.ignore_msrs", "N"),
                ("kvm_intel.nested", "Y"),
                ("kvm_intel.ept", "Y"),
                ("kvm_intel.enable_apicv", "Y"),
            ]),
            ..CpuFacts::unknown("not made up here")
        },
        topology: Fact::known(topology(4), "/sys/devices/system/cpu", "4 CPUs online: 0-3"),
        firmware: firmware(),
        memory: memory(),
        tuning: TuningFacts {
            frequency: Fact::known(Vec::new(), "/sys/devices/system/cpu/cpufreq", "is not there"),
            ..TuningFacts::unknown("not made up here")
        },
        kvm: Fact::known(KvmState::Usable, "/dev/kvm", "opens"),
        bootloader: Fact::known(Bootloader::Grub(Grub::of_debian()), "/boot/grub/grub.cfg", ""),
        initramfs: Fact::known(InitramfsGenerator::InitramfsTools, "/usr/sbin/update-initramfs", ""),
        guest_firmware: Fact::known(vec![ovmf()], "/usr/share/qemu/firmware", "60-edk2-x86_64.json"),
        qemu: Fact::known(
            Some("/usr/bin/qemu-system-x86_64".to_owned()),
            "/usr/bin/qemu-system-x86_64",
            "there",
        ),
        in_use: Fact::known(in_use(), "/proc/self/mountinfo", ""),
        in_use_gaps: BTreeMap::new(),
        ways_in: Fact::known(
            WaysIn {
                ssh: Some("/etc/systemd/system/multi-user.target.wants/ssh.service".to_owned()),
                serial: None,
            },
            "/etc/systemd/system",
            "ssh.service",
        ),
        files: managed::FILES.iter().map(|path| ((*path).to_owned(), FileState::Absent)).collect(),
        unreadable_files: BTreeMap::new(),
        names: BTreeMap::new(),
        // What these tests do not look at.
        ..HostFacts::unknown("not made up here")
    };
    let parameters = "console=ttyS0 intel_iommu=off quiet";
    cmdline(&mut facts, &format!("BOOT_IMAGE=/boot/vmlinuz root=UUID=1 ro {parameters}"));
    put(&mut facts, managed::GRUB_DEFAULTS, GRUB);
    put(&mut facts, managed::GRUB_CFG, &grub_cfg(parameters, false));
    put(&mut facts, managed::INITRAMFS_MODULES, "bochs\n");
    facts
}

/// What a kernel of Debian was built with.
pub(crate) fn options() -> Fact<KernelOptions> {
    let on = [
        "VFIO",
        "VFIO_PCI",
        "VFIO_CONTAINER",
        "VFIO_IOMMU_TYPE1",
        "KVM",
        "IRQ_REMAP",
        "INTEL_IOMMU",
        "AMD_IOMMU",
    ];
    let on = on.into_iter().chain(["INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF"]);
    Fact::known(
        KernelOptions(on.map(|name| (name.to_owned(), "y".to_owned())).collect()),
        "/boot/config-6.12.43+deb13-amd64",
        "VFIO_PCI y",
    )
}

/// Parameters of the modules of KVM.
pub(crate) fn kvm(parameters: &[(&str, &str)]) -> Fact<BTreeMap<String, String>> {
    let all = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Fact::known(all, "/sys/module", "parameters")
}

/// A processor of cores with one thread each and one L3 cache.
pub(crate) fn topology(cores: u32) -> Topology {
    let online: CpuSet = (0..cores).collect();
    let core = |cpu: u32| Core {
        id: Some(cpu),
        cpus: std::iter::once(cpu).collect(),
        package: Some(0),
        die: None,
        cluster: None,
        l3: Some(0),
        node: None,
        kind: None,
        ranking: None,
    };
    Topology {
        packages: vec![Part { id: Some(0), cpus: online.clone() }],
        l3: vec![L3Domain { id: Some(0), size_kib: Some(16384), cpus: online.clone() }],
        cores: (0..cores).map(core).collect(),
        online,
        ..Topology::default()
    }
}

fn firmware() -> FirmwareFacts {
    let table = Table {
        maker: "BOCHS BXPC".to_owned(),
        revision: 1,
        sums_up: true,
        body: Dmar { address_bits: 39, interrupt_remapping: true, ..Dmar::default() },
        others: Vec::new(),
    };
    FirmwareFacts {
        board: Fact::known(
            Board { name: Some("Q35".to_owned()), ..Board::default() },
            "/sys/class/dmi/id",
            "Q35",
        ),
        start: Fact::known(Start::Uefi, "/sys/firmware/efi", "is there"),
        secure_boot: Fact::known(Some(false), "/sys/firmware/efi/efivars/SecureBoot", "0"),
        lockdown: Fact::known(
            Some(Lockdown::None),
            "/sys/kernel/security/lockdown",
            "[none] integrity confidentiality",
        ),
        dmar: Fact::known(Some(table), "/sys/firmware/acpi/tables/DMAR", "120 bytes, made by BOCHS BXPC"),
        ivrs: Fact::known(None, "/sys/firmware/acpi/tables", "DMAR"),
    }
}

fn memory() -> MemoryFacts {
    let zone =
        ZoneBlocks { node: 0, zone: "Normal".to_owned(), free: vec![10, 10, 0, 0, 0, 0, 0, 0, 0, 0, 2000] };
    let huge = HugePages::default();
    MemoryFacts {
        huge_pages: Fact::known(BTreeMap::from([(2048, huge)]), "/sys/kernel/mm/hugepages", "0 of 2048 kB"),
        transparent: Fact::known(
            Some(TransparentHugePages {
                enabled: Some("madvise".to_owned()),
                defrag: Some("madvise".to_owned()),
                ..TransparentHugePages::default()
            }),
            "/sys/kernel/mm/transparent_hugepage/enabled",
            "always [madvise] never",
        ),
        free_blocks: Fact::known(vec![zone], "/proc/buddyinfo", "1 zones"),
        ..MemoryFacts::unknown("not made up here")
    }
}

pub(crate) fn cmdline(facts: &mut HostFacts, text: &str) {
    facts.kernel.cmdline = Fact::known(text.to_owned(), "/proc/cmdline", text);
}

fn ovmf() -> GuestFirmware {
    GuestFirmware {
        descriptor: "/usr/share/qemu/firmware/60-edk2-x86_64.json".to_owned(),
        description: "UEFI firmware for x86_64".to_owned(),
        code: "/usr/share/OVMF/OVMF_CODE_4M.fd".to_owned(),
        vars: "/usr/share/OVMF/OVMF_VARS_4M.fd".to_owned(),
        format: "raw".to_owned(),
        features: BTreeSet::new(),
        machines: vec!["pc-q35-*".to_owned()],
        present: true,
    }
}

fn in_use() -> Vec<InUse> {
    let used = |address: &str, kind, what: &str| InUse { address: at(address), kind, what: what.to_owned() };
    vec![
        used("00:1f.2", HostUse::Storage, "/ is mounted from sda1"),
        used("00:05.0", HostUse::Network, "the default route goes through ens5"),
        used("00:04.0", HostUse::Keyboard, "QEMU USB Keyboard"),
        used("01:00.0", HostUse::Display, "the firmware drew on it"),
    ]
}

/// Changes one function.
/// Gives the card to be isolated another board than its twin has, so that its ids mean it alone.
pub(crate) fn with_ids_of_its_own(facts: &mut HostFacts) {
    for address in ["02:00.0", "02:00.1"] {
        edit(facts, address, |one| one.subsystem.device = passthru_model::Hex16(0x1101));
    }
}

pub(crate) fn edit(facts: &mut HostFacts, address: &str, change: impl FnOnce(&mut PciFunction)) {
    if let Fact::Known(functions, _) = &mut facts.pci {
        change(functions.get_mut(&at(address)).expect("in the host"));
    }
}

/// Puts functions into a group, making it where it is not there.
pub(crate) fn group(facts: &mut HostFacts, id: u32, members: &[&str]) {
    for member in members {
        edit(facts, member, |function| function.group = Some(id));
    }
    if let Fact::Known(groups, _) = &mut facts.iommu.groups {
        let members = members.iter().map(|member| at(member)).collect();
        groups.insert(id, IommuGroup { id, members, kind: Some("DMA".to_owned()), reserved: Vec::new() });
    }
}

pub(crate) fn reserve(facts: &mut HostFacts, id: u32, kind: &str) {
    if let Fact::Known(groups, _) = &mut facts.iommu.groups {
        let region = ReservedRegion { start: 0xbdf8_3000, end: 0xbdf8_4fff, kind: kind.to_owned() };
        groups.get_mut(&id).expect("a group").reserved.push(region);
    }
}

/// The same host with the IOMMU on and groups as its ports make them.
pub(crate) fn host_with_groups() -> HostFacts {
    let mut facts = host();
    put(&mut facts, managed::GRUB_DEFAULTS, &GRUB.replace(" intel_iommu=off", ""));
    put(&mut facts, managed::GRUB_CFG, &grub_cfg("console=ttyS0 quiet", false));
    cmdline(&mut facts, "root=UUID=1 ro console=ttyS0 quiet");
    facts.iommu.units = Fact::known(BTreeSet::from(["dmar0".to_owned()]), "/sys/class/iommu", "dmar0");
    facts.iommu.interrupt_remapping = Fact::known(true, "/proc/interrupts", "IR-PCI-MSI");
    for (id, members) in [
        (0, &["00:00.0"][..]),
        (1, &["00:02.0"][..]),
        (2, &["00:02.1"][..]),
        (3, &["00:02.2"][..]),
        (4, &["00:04.0"][..]),
        (5, &["00:05.0"][..]),
        (6, &["00:1f.0", "00:1f.2", "00:1f.3"][..]),
        (7, &["01:00.0", "01:00.1"][..]),
        (8, &["02:00.0", "02:00.1"][..]),
        (9, &["03:00.0", "03:00.1"][..]),
    ] {
        group(&mut facts, id, members);
    }
    facts
}

/// The host after a plan: files as its steps leave them, the menu as `update-grub` would write it.
pub(crate) fn after(facts: &HostFacts, plan: &Plan) -> HostFacts {
    let mut facts = facts.clone();
    for step in &plan.steps {
        match &step.action {
            Action::File { path, before, after } => {
                let stood = facts.files.insert(path.clone(), after.clone());
                assert_eq!(stood.as_ref(), Some(before), "{path} is not as the plan takes it to be");
            }
            Action::Run { .. } if step.id == "grub-menu" => {
                let off = facts.files[managed::GRUB_OFF_ENTRY] != FileState::Absent;
                let drop_in = facts.files[managed::GRUB_DROP_IN].content().unwrap_or_default();
                let on = String::from_utf8_lossy(drop_in).into_owned();
                let on = on.split_once("=\"$GRUB_CMDLINE_LINUX_DEFAULT").map_or("", |(_, words)| words);
                let on = on.trim_end_matches("\"\n");
                let old = facts.files[managed::GRUB_DEFAULTS].content().unwrap_or_default();
                let no = if String::from_utf8_lossy(old).contains("intel_iommu=off") {
                    " intel_iommu=off"
                } else {
                    ""
                };
                let menu = grub_cfg(&format!("console=ttyS0{no} quiet{on}"), off);
                put(&mut facts, managed::GRUB_CFG, &menu);
            }
            Action::Run { .. } | Action::Rebind { .. } | Action::Tune { .. } => {}
        }
    }
    facts
}

/// A plan as text: every step with its diff, and the notes.
pub(crate) fn shown(plan: &Plan) -> String {
    let mut text = format!("{}\n", plan.title);
    for step in &plan.steps {
        let _ = write!(
            text,
            "\n== {} ({}, {:?})\n   {}; {}\n{}",
            step.id,
            step.kind(),
            step.effect,
            step.what,
            step.why,
            passthru_plan::diff::of_step(step)
        );
    }
    text.push_str("\nnotes\n");
    for note in &plan.notes {
        let _ = writeln!(text, "- {note}");
    }
    text
}

/// The host after a plan, where a program makes boot entries: `make` does what it would do.
pub(crate) fn after_making(
    facts: &HostFacts,
    plan: &Plan,
    program: Program,
    make: impl Fn(&mut HostFacts),
) -> HostFacts {
    let mut facts = facts.clone();
    for step in &plan.steps {
        if let Action::File { path, .. } = &step.action {
            facts.files.entry(path.clone()).or_insert(FileState::Absent);
        }
        let one = Plan { title: String::new(), steps: vec![step.clone()], notes: Vec::new(), guest: None };
        facts = after(&facts, &one);
        if matches!(&step.action, Action::Run { program: run, .. } if *run == program) {
            make(&mut facts);
        }
    }
    // A file that is gone is not listed in its directory.
    facts
        .files
        .retain(|path, state| !path.ends_with(managed::OFF_ENTRY_ENDING) || *state != FileState::Absent);
    facts
}

/// By each method: a card of the host is isolated, nothing more is needed then, and it is released. `judge` gets the host as it was
/// and the files that are left, and puts back what the user is to bring back; the others must be as they were.
pub(crate) fn there_and_back(
    host: &HostFacts,
    after: impl Fn(&HostFacts, &Plan) -> HostFacts,
    judge: impl Fn(&HostFacts, &mut BTreeMap<String, FileState>),
) {
    for method in Method::ALL {
        let mut before = host.clone();
        if method.ids_parameter().is_some() {
            with_ids_of_its_own(&mut before);
        }
        let named = [at("02:00.0")];
        let change = isolate_by(&before, &named, &IntentEdit::of_method(method), &INSISTING).expect("a plan");
        let done = after(&before, &change.plan);
        let again = plan_for(&done, &change.intent, &INSISTING).expect("a plan");
        assert!(again.is_empty(), "{}", shown(&again));
        let back = release(&done, &named, &INSISTING).expect("a plan");
        let mut files = after(&done, &back.plan).files;
        judge(&before, &mut files);
        assert_eq!(files, before.files, "{method:?}");
    }
}
