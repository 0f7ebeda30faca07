//! What else the intent has the kernel told at boot: whole plans, what stands in the way, and what the kernel made of it.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::boot::{Dialect, Layout, MenuMaker};
use passthru_model::facts::Bootloader;
use passthru_model::finding::Verdict;
use passthru_model::graphics::{FirmwareScreen, Graphics};
use passthru_model::kernel::{InstalledKernel, ModuleState};
use passthru_model::memory::{HugePageCounts, HugePages, MemoryTotals};
use passthru_model::plan::{Action, FileState, Plan};
use passthru_model::topology::NumaNode;
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, IntentChange, IntentEdit, Reason, isolate_by, plan_for, release, verify};

use crate::common::{self, INSISTING, at, cmdline, edit, host_with_groups, put, shown};
use crate::texts::{SHELLS, run, write};
use crate::{
    boot_chains, firmware_entries, grub_entries, grub_settings, kernelstub, limine, u_boot, written_entries,
};

/// The host has so much memory, and a kernel that can do without a tick.
fn able(mut facts: HostFacts) -> HostFacts {
    let totals =
        MemoryTotals { total_kib: 16 * 1024 * 1024, available_kib: None, default_huge_page_kib: Some(2048) };
    facts.memory.totals = Fact::known(totals, "/proc/meminfo", "16777216 kB");
    facts.cpu.flags = Fact::known(["vmx", "pse", "pdpe1gb"].map(str::to_owned).into(), "/proc/cpuinfo", "");
    kernels(&mut facts, |kernel| {
        if let Fact::Known(options, _) = &mut kernel.options {
            options.0.insert("NO_HZ_FULL".to_owned(), "y".to_owned());
        }
    });
    facts
}

fn kernels(facts: &mut HostFacts, change: impl Fn(&mut InstalledKernel)) {
    if let Fact::Known(kernels, _) = &mut facts.kernel.installed {
        kernels.iter_mut().for_each(change);
    }
}

/// Wishes as the command line has them.
fn wishes(hugepages: &str, cpus: &str, idle: bool) -> IntentEdit {
    IntentEdit {
        hugepages: Some(hugepages.parse().expect("a pool or none")),
        isolated_cpus: Some(cpus.parse().expect("CPUs or none")),
        disable_idle_d3: Some(idle),
        ..IntentEdit::default()
    }
}

fn isolated(facts: &HostFacts, edit: &IntentEdit) -> IntentChange {
    isolate_by(facts, &[at("02:00.0")], edit, &INSISTING).expect("a plan")
}

/// The host after a plan, whichever way it boots.
fn after(facts: &HostFacts, plan: &Plan) -> HostFacts {
    match facts.bootloader.value() {
        Some(Bootloader::KernelInstall(_)) => boot_chains::after(facts, plan),
        Some(Bootloader::Firmware(_)) => firmware_entries::after(facts, plan),
        Some(Bootloader::Kernelstub(_)) => kernelstub::after(facts, plan),
        Some(Bootloader::LimineEntries(_)) => limine::after(facts, plan),
        Some(Bootloader::UBootMenu) => u_boot::after(facts, plan),
        Some(Bootloader::Written(_)) => written_entries::after(facts, plan),
        Some(Bootloader::Grub(grub)) if !grub.drop_ins => grub_settings::after(facts, plan),
        _ => common::after(facts, plan),
    }
}

/// The steps of a plan that are there because of the boot settings.
fn of_settings(plan: &Plan) -> Plan {
    let paths =
        [managed::PARAMETERS, managed::GRUB_DROP_IN, managed::GRUB_OFF_ENTRY, managed::KERNEL_INSTALL_OFF];
    let mut plan = plan.clone();
    plan.steps.retain(|step| {
        step.path().is_some_and(|path| {
            paths.contains(&path)
                || path == managed::KERNEL_CMDLINE
                || path == passthru_model::intent::INTENT_PATH
                || managed::has_entries(path)
        }) || step.id == "grub-menu"
    });
    plan
}

#[test]
fn grub_gets_the_words_in_our_own_file_and_its_way_back_goes_without() {
    let change = isolated(&able(host_with_groups()), &wishes("1G=8", "2-3", true));
    insta::assert_snapshot!(shown(&of_settings(&change.plan)));
}

#[test]
fn kernel_install_gets_the_words_in_its_command_line_and_we_keep_a_list_of_them() {
    let change = isolated(&able(boot_chains::systemd_boot(Layout::Entries)), &wishes("2M=512", "2-3", false));
    insta::assert_snapshot!(shown(&of_settings(&change.plan)));
}

#[test]
fn written_entries_get_the_words_and_the_one_without_passthrough_does_not() {
    let change = isolated(&able(written_entries::written(Dialect::Bls)), &wishes("1G=8", "none", true));
    insta::assert_snapshot!(shown(&of_settings(&change.plan)));
}

fn chains() -> Vec<HostFacts> {
    let mut chains = vec![
        host_with_groups(),
        boot_chains::systemd_boot(Layout::Entries),
        boot_chains::systemd_boot(Layout::Unified),
        grub_settings::one_file(MenuMaker::GrubMkconfig),
        grub_entries::fedora(),
        kernelstub::pop(),
        limine::cachy(),
        firmware_entries::efistub(),
        u_boot::u_boot(),
    ];
    let dialects = [Dialect::Bls, Dialect::Refind, Dialect::Limine, Dialect::Syslinux];
    chains.extend(dialects.map(written_entries::written));
    chains.into_iter().map(able).collect()
}

#[test]
fn settings_come_change_and_go_and_nothing_of_them_stays() {
    for before in chains() {
        let plain = after(&before, &isolated(&before, &IntentEdit::default()).plan);
        let first = isolate_by(&plain, &[], &wishes("1G=8", "2-3", true), &INSISTING).expect("a plan");
        let done = after(&plain, &first.plan);
        let again = plan_for(&done, &first.intent, &INSISTING).expect("a plan");
        assert!(again.is_empty(), "{}", shown(&again));
        let second = isolate_by(&done, &[], &wishes("1G=4", "none", true), &INSISTING).expect("a plan");
        let fewer = after(&done, &second.plan);
        assert!(plan_for(&fewer, &second.intent, &INSISTING).is_ok_and(|plan| plan.is_empty()));
        let none = isolate_by(&fewer, &[], &wishes("none", "none", false), &INSISTING).expect("a plan");
        assert_eq!(after(&fewer, &none.plan).files, plain.files);
        // Released with its settings it is what it is released without them, but for the intent that the user has written.
        let released = |facts: &HostFacts| {
            after(facts, &release(facts, &[at("02:00.0")], &INSISTING).expect("a plan").plan)
        };
        let (with, without) = (released(&fewer), released(&plain));
        assert_eq!(with.boot.entries, without.boot.entries, "entries are made anew from what is left");
        let (mut with, without) = (with.files, without.files);
        with.insert(passthru_model::intent::INTENT_PATH.to_owned(), FileState::Absent);
        assert_eq!(with, without);
    }
}

/// What a program makes is taken back as a whole, or made anew, and a file by taking out what was put in: never both of one path.
#[test]
fn no_path_is_both_edited_and_made_anew() {
    for before in chains() {
        let plan = isolated(&before, &wishes("1G=8", "2-3", true)).plan;
        let edited: BTreeSet<&str> = plan
            .steps
            .iter()
            .filter_map(|step| match &step.action {
                Action::File { path, .. } => Some(path.as_str()),
                Action::Run { .. } | Action::Rebind { .. } | Action::Tune { .. } => None,
            })
            .collect();
        for step in &plan.steps {
            if let Action::Run { rewrites, .. } = &step.action {
                let both: Vec<&String> =
                    rewrites.iter().filter(|path| edited.contains(path.as_str())).collect();
                assert!(both.is_empty(), "{both:?}");
            }
        }
    }
}

#[test]
fn what_the_user_has_set_himself_is_left_or_is_in_the_way() {
    let grub = |words: &str| {
        let mut facts = able(host_with_groups());
        put(&mut facts, managed::GRUB_DEFAULTS, &format!("GRUB_CMDLINE_LINUX=\"{words}\"\n"));
        facts
    };
    let facts = grub("hugepagesz=1G hugepages=8 intel_iommu=sm_on");
    let plan = isolated(&facts, &wishes("1G=8", "none", true)).plan;
    let done = after(&facts, &plan);
    let drop_in =
        String::from_utf8_lossy(done.files[managed::GRUB_DROP_IN].content().expect("text")).into_owned();
    assert!(drop_in.ends_with("DEFAULT vfio_pci.disable_idle_d3=1\"\n"), "{drop_in}");
    let refusal = isolate_by(
        &grub("quiet hugepages=4 isolcpus=1"),
        &[at("02:00.0")],
        &wishes("1G=8", "2-3", false),
        &INSISTING,
    );
    insta::assert_snapshot!(refusal.expect_err("a refusal").to_string());
}

#[test]
fn what_this_host_cannot_do_is_named_with_its_cure() {
    let mut reasons = Vec::new();
    let mut refused = |facts: &HostFacts, edit: &IntentEdit| {
        let refusal = isolate_by(facts, &[at("02:00.0")], edit, &Consent::default()).expect_err("a refusal");
        reasons.push(refusal.to_string());
    };
    let good = able(host_with_groups());
    refused(&good, &wishes("1G=16", "none", false));
    refused(&good, &wishes("none", "0-3", false));
    refused(&good, &wishes("none", "3-9", false));
    refused(&good, &wishes("1G=0:1,1:1", "none", false));
    let mut facts = good.clone();
    facts.cpu.flags = Fact::known(BTreeSet::from(["pse".to_owned()]), "/proc/cpuinfo", "");
    refused(&facts, &wishes("1G=1", "none", false));
    let mut facts = good.clone();
    if let Fact::Known(topology, _) = &mut facts.topology {
        let node = NumaNode { memory_kib: Some(1024 * 1024), ..NumaNode::default() };
        topology.nodes = BTreeMap::from([(0, node.clone()), (1, node)]);
    }
    kernels(&mut facts, |kernel| "5.10.0-40-amd64".clone_into(&mut kernel.release));
    refused(&facts, &wishes("1G=0:1,1:2", "none", false));
    let mut facts = good.clone();
    facts.memory.totals = Fact::unknown("/proc/meminfo: permission denied");
    facts.topology = Fact::unknown("/sys/devices/system/cpu: permission denied");
    refused(&facts, &wishes("1G=1", "2-3", false));
    let igfx = IntentEdit { igfx_off: Some(true), ..IntentEdit::default() };
    let mut facts = good.clone();
    edit(&mut facts, "02:00.0", |function| {
        function.id.vendor.0 = 0x8086;
        function.parents.clear();
    });
    refused(&facts, &igfx);
    let mut facts = good.clone();
    facts.iommu.tables = Fact::known(BTreeSet::from([passthru_model::iommu::FirmwareTable::Ivrs]), "", "");
    refused(&facts, &igfx);
    insta::assert_snapshot!(reasons.join("\n\n"));
    let nothing = isolate_by(&good, &[], &wishes("1G=1", "none", false), &Consent::default());
    assert_eq!(nothing, Err(Reason::NothingNamed.into()), "no device is isolated for which it could be");
}

#[test]
fn the_acs_override_needs_a_kernel_that_has_it_and_somebody_who_accepts_what_it_means() {
    let words = IntentEdit {
        acs_override: Some("downstream,multifunction".parse().expect("words")),
        ..IntentEdit::default()
    };
    let named = [at("02:00.0")];
    let mut facts = able(host_with_groups());
    let unpatched = isolate_by(&facts, &named, &words, &Consent::default()).expect_err("a refusal");
    kernels(&mut facts, |kernel| "6.12.1-zen1-1-zen".clone_into(&mut kernel.release));
    let refusal = isolate_by(&facts, &named, &words, &Consent::default()).expect_err("a refusal");
    assert_eq!(refusal.flags(), ["--accept-acs-override"]);
    insta::assert_snapshot!(format!("{unpatched}\n\n{refusal}"));
    // Where it runs already, it was accepted, and groups are what is seen.
    cmdline(&mut facts, "root=UUID=1 ro quiet pcie_acs_override=downstream,multifunction");
    let plan = isolate_by(&facts, &named, &words, &Consent::default()).expect("a plan").plan;
    let done = after(&facts, &plan);
    assert!(
        String::from_utf8_lossy(done.files[managed::GRUB_CFG].content().expect("text"))
            .contains("pcie_acs_override")
    );
}

#[test]
fn a_vfio_pci_that_is_built_in_gets_its_ids_on_the_command_line() {
    let mut facts = able(host_with_groups());
    common::with_ids_of_its_own(&mut facts);
    kernels(&mut facts, |kernel| {
        let modules = BTreeMap::from([("vfio_pci".to_owned(), ModuleState::BuiltIn)]);
        kernel.modules = Fact::known(modules, "modules.builtin", "");
    });
    let edit = IntentEdit::of_method(passthru_model::intent::Method::Ids);
    let change = isolated(&facts, &edit);
    insta::assert_snapshot!(shown(&change.plan));
    let mut done = after(&facts, &change.plan);
    cmdline(&mut done, "root=UUID=1 ro quiet vfio-pci.ids=1234:1111:1af4:1101,8086:293e:1af4:1101");
    assert_eq!(passthru_plan::leftovers(&done), [], "what we set up is not another's");
    assert!(plan_for(&done, &change.intent, &INSISTING).is_ok_and(|plan| plan.is_empty()));
}

#[test]
fn the_firmwares_screen_on_what_is_no_vga_card_is_not_set_up_from_then_on() {
    let mut facts = able(host_with_groups());
    edit(&mut facts, "02:00.0", |function| function.class = "038000".parse().expect("a class"));
    let screen = |driver: Option<&str>| {
        let screen = FirmwareScreen {
            device: "efi-framebuffer.0".to_owned(),
            driver: driver.map(str::to_owned),
            address: Some(at("02:00.0")),
        };
        Fact::known(
            Graphics { firmware_screens: vec![screen], ..Graphics::default() },
            "/sys/class/graphics",
            "",
        )
    };
    facts.graphics = screen(None);
    let plain = isolated(&facts, &IntentEdit::default());
    assert!(
        !plain.plan.steps.iter().any(|step| step.path() == Some(managed::GRUB_DROP_IN)),
        "nothing draws there"
    );
    facts.graphics = screen(Some("efi-framebuffer"));
    kernels(&mut facts, |kernel| {
        if let Fact::Known(options, _) = &mut kernel.options {
            options.0.insert("LTO_CLANG".to_owned(), "y".to_owned());
        }
    });
    let change = isolated(&facts, &IntentEdit::default());
    let mut booted = after(&facts, &change.plan);
    let drop_in =
        String::from_utf8_lossy(booted.files[managed::GRUB_DROP_IN].content().expect("text")).into_owned();
    assert!(drop_in.ends_with("DEFAULT initcall_blacklist=sysfb_init\"\n"), "{drop_in}");
    insta::assert_snapshot!(change.plan.notes.join("\n"));
    // There is no screen after the boot, and so that it stays the word stays.
    booted.graphics = Fact::known(Graphics::default(), "/sys/class/graphics", "");
    cmdline(&mut booted, "root=UUID=1 ro quiet initcall_blacklist=sysfb_init");
    assert!(plan_for(&booted, &change.intent, &INSISTING).is_ok_and(|plan| plan.is_empty()));
    let back = release(&booted, &[at("02:00.0")], &INSISTING).expect("a plan");
    assert_eq!(after(&booted, &back.plan).files, facts.files);
}

#[test]
fn what_the_kernel_made_of_it_is_verified() {
    let mut facts = able(host_with_groups());
    if let Fact::Known(topology, _) = &mut facts.topology {
        topology.nodes = BTreeMap::from([(0, NumaNode::default()), (1, NumaNode::default())]);
    }
    let change = isolated(&facts, &wishes("1G=0:4,1:4", "2-3", false));
    let mut booted = after(&facts, &change.plan);
    let judged = |facts: &HostFacts| {
        let findings = verify(facts, &change.intent);
        let about = |id: &str| ["parameters", "hugepages", "isolated-cpus"].contains(&id);
        let found = findings.into_iter().filter(|one| about(&one.id));
        found.map(|one| format!("{}: {:?}: {}", one.id, one.verdict, one.summary)).collect::<Vec<_>>()
    };
    let counts = |total| HugePageCounts { total, ..HugePageCounts::default() };
    let pages = |first: u64, second: u64| {
        let nodes = BTreeMap::from([(0, counts(first)), (1, counts(second))]);
        let huge = HugePages { all: counts(first + second), nodes };
        Fact::known(BTreeMap::from([(1024 * 1024, huge)]), "/sys/kernel/mm/hugepages", "")
    };
    booted.memory.huge_pages = pages(4, 1);
    let before = judged(&booted);
    cmdline(
        &mut booted,
        "root=UUID=1 hugepagesz=1G hugepages=0:4,1:4 isolcpus=domain,managed_irq,2-3 nohz_full=2-3 rcu_nocbs=2-3",
    );
    booted.memory.huge_pages = pages(4, 4);
    if let Fact::Known(topology, _) = &mut booted.topology {
        topology.isolated = "2-3".parse().expect("CPUs");
    }
    let good = judged(&booted);
    assert!(
        verify(&booted, &change.intent)
            .iter()
            .any(|one| one.id == "hugepages" && one.verdict == Verdict::Pass)
    );
    cmdline(&mut booted, "root=UUID=1 passthru.off");
    let off = judged(&booted);
    insta::assert_snapshot!([before, good, off].map(|lines| lines.join("\n")).join("\n\n"));
}

#[test]
fn the_scripts_of_the_way_back_leave_out_just_these_words_under_every_shell() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let text = |facts: HostFacts, path: &str| {
        let plan = isolated(&able(facts), &wishes("1G=1", "2-3", true)).plan;
        let step = plan.steps.into_iter().find(|step| step.path() == Some(path)).expect("the step");
        match step.action {
            passthru_model::plan::Action::File { after, .. } => {
                String::from_utf8(after.content().expect("a file").to_vec()).expect("text")
            }
            other => panic!("{other:?}"),
        }
    };
    let own = "hugepagesz=1G hugepages=1 isolcpus=domain,managed_irq,2-3 nohz_full=2-3 rcu_nocbs=2-3 vfio_pci.disable_idle_d3=1";
    // GRUB's: all but what makes the entry.
    let script = text(host_with_groups(), managed::GRUB_OFF_ENTRY);
    let (head, _) = script.split_once("/etc/grub.d/10_linux 2>").expect("the entry is made last");
    let head = head.replace("[ -x /etc/grub.d/10_linux ] || exit 0\n", "");
    write(
        &directory.path().join("grub"),
        &format!(
            "GRUB_CMDLINE_LINUX_DEFAULT=$1\nGRUB_CMDLINE_LINUX=\"a $1\"\n{head}\n\
             printf '%s\\n' \"$GRUB_CMDLINE_LINUX_DEFAULT\" \"$GRUB_CMDLINE_LINUX\"\n"
        ),
    );
    // kernel-install's, whole.
    let plugin = text(boot_chains::systemd_boot(Layout::Entries), managed::KERNEL_INSTALL_OFF);
    let plugin = plugin.replace(
        "set -eu\n",
        &format!(
            "set -eu\nKERNEL_INSTALL_LAYOUT=bls KERNEL_INSTALL_BOOT_ROOT={} KERNEL_INSTALL_ENTRY_TOKEN=t\n",
            at("boot")
        ),
    );
    write(&directory.path().join("plugin"), &plugin);
    write(
        &directory.path().join("boot/loader/entries/t-6.1.conf"),
        &format!("title Debian\noptions root=/dev/sda1 {own} hugepages=16 quiet\n"),
    );
    for shell in SHELLS {
        let shell_run = |arguments: &[&str]| {
            let all: Vec<&str> = shell[1..].iter().chain(arguments).copied().collect();
            run(shell[0], &all)
        };
        for (line, rest) in [
            (format!("quiet {own}"), "quiet"),
            (format!("quiet {own} splash=\"a  b\""), "quiet splash=\"a  b\""),
            (format!("{own} quiet"), "quiet"),
            (own.to_owned(), ""),
            (format!("quiet {}", own.replace(" nohz", " splash nohz")), "quiet splash"),
            ("quiet hugepages=16".to_owned(), "quiet hugepages=16"),
        ] {
            let Some(output) = shell_run(&[&at("grub"), &line]) else { continue };
            let all = format!("a {rest} passthru.off");
            let all = if rest.is_empty() { "a passthru.off".to_owned() } else { all };
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(said, format!("{rest}\n{all}\n"), "{shell:?}: {output:?}");
        }
        let Some(output) = shell_run(&[&at("plugin"), "add", "6.1"]) else { continue };
        assert!(output.status.success(), "{output:?}");
        #[expect(clippy::disallowed_methods, reason = "the test looks at what the script wrote")]
        let made =
            std::fs::read_to_string(directory.path().join("boot/loader/entries/t-6.1-passthru-off.conf"));
        let made = made.expect("the entry");
        assert!(
            made.contains("\noptions root=/dev/sda1 hugepages=16 quiet passthru.off\n"),
            "{shell:?}: {made}"
        );
    }
}
