//! Whether the initramfs generator is told to put in what binding at boot needs.

use passthru_model::HostFacts;
use passthru_model::binding::{Generator, InitramfsSettings, ModprobeCommand};

use crate::binding::{ids, is_set_up};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "initramfs-settings",
    title: "the initramfs generator is told about vfio-pci",
    section: "Using vfio-pci",
    why: "graphics drivers are loaded from the initramfs; vfio-pci and its settings must be in it, and ahead of them",
    run,
};

/// Drivers of graphics that the page has in mind, and their like.
const GRAPHICS: [&str; 8] =
    ["nouveau", "nvidia", "nvidia_drm", "nvidia_modeset", "radeon", "amdgpu", "i915", "xe"];

fn run(facts: &HostFacts) -> Outcome {
    let Some(all) = facts.binding.initramfs.value() else {
        return Outcome::unknown(
            "what the initramfs is made of",
            facts.binding.initramfs.because().unwrap_or_default(),
        );
    };
    let named = |settings: &&InitramfsSettings| settings.modules.iter().any(|listed| is_stub(&listed.what));
    if !is_set_up(facts) && !all.iter().any(|settings| named(&settings)) {
        return Outcome::skip("no file binds a device at boot by itself");
    }
    let used: Vec<_> = all.iter().filter(|settings| settings.installed || all.len() == 1).collect();
    if used.is_empty() {
        return Outcome::skip("no settings of an initramfs generator are to be seen here");
    }
    let mut remarks = Remarks::default();
    for settings in &used {
        let at = settings.modules.iter().position(|listed| is_stub(&listed.what));
        for problem in &settings.problems {
            remarks.warn(format!(
                "what {} is told cannot be read for certain: {problem}",
                settings.generator.name()
            ));
        }
        for listed in settings.modules.iter().filter(|listed| is_stub(&listed.what)) {
            remarks.seen(listed.place(), listed.what.clone());
        }
        if settings.problems.is_empty() {
            order(settings, at, &mut remarks);
            hooks(facts, settings, &mut remarks);
            named_at_all(facts, settings, at, &mut remarks);
        }
    }
    let used: Vec<&str> = used.iter().map(|settings| settings.generator.name()).collect();
    remarks.outcome(format!("{} is told what it needs", used.join(" and ")))
}

fn is_stub(module: &str) -> bool {
    matches!(module, "vfio_pci" | "pci_stub")
}

/// Graphics drivers that a list names ahead of vfio-pci.
fn order(settings: &InitramfsSettings, at: Option<usize>, remarks: &mut Remarks) {
    let Some(at) = at else { return };
    for listed in settings.modules.iter().take(at).filter(|listed| GRAPHICS.contains(&listed.what.as_str())) {
        remarks
            .warn(format!(
                "{} names {} ahead of vfio_pci, so it is loaded first",
                listed.place(),
                listed.what
            ))
            .seen(listed.place(), listed.what.clone())
            .by_hand(format!(
                "Move vfio_pci ahead of {} in {}, then: {}",
                listed.what,
                listed.path,
                settings.generator.rebuild()
            ));
    }
}

/// mkinitcpio puts `/etc/modprobe.d` in by the hook `modconf`, and files of scripts by `FILES`.
fn hooks(facts: &HostFacts, settings: &InitramfsSettings, remarks: &mut Remarks) {
    let reads_files = ids(facts, "vfio_pci").iter().any(|setting| !setting.on_cmdline);
    if let Some(hooks) = settings.hooks.as_ref().filter(|_| reads_files)
        && !hooks.iter().any(|hook| hook == "modconf")
    {
        remarks
            .fail("HOOKS of mkinitcpio lacks modconf, so the ids of modprobe.d are not in the image")
            .by_hand(format!("Add modconf to HOOKS, then: {}", settings.generator.rebuild()));
    }
    if matches!(settings.generator, Generator::Mkinitcpio | Generator::Dracut) {
        for script in
            facts.binding.scripts.value().into_iter().flatten().filter(|script| script.text.is_some())
        {
            if !settings.files.iter().any(|listed| listed.what == script.path) {
                let name =
                    if settings.generator == Generator::Mkinitcpio { "FILES" } else { "install_items" };
                remarks
                    .fail(format!("{} is not in {name}, so it does not run in the initramfs", script.path))
                    .by_hand(format!("Add it to {name}, then: {}", settings.generator.rebuild()));
            }
        }
    }
    // booster reads only `options` lines of modprobe.d.
    if settings.generator == Generator::Booster {
        let others =
            facts.binding.modprobe.value().into_iter().flat_map(|settings| settings.about("vfio_pci"));
        if others.into_iter().any(|said| matches!(said.what, ModprobeCommand::Install { .. })) {
            remarks
                .fail("booster does not run the install rule of modprobe.d")
                .by_hand("Bind by ids, or use another generator");
        }
    }
}

/// Something binds at boot, and nothing puts vfio-pci into the image.
fn named_at_all(facts: &HostFacts, settings: &InitramfsSettings, at: Option<usize>, remarks: &mut Remarks) {
    let softdep = facts.binding.modprobe.value().is_some_and(|settings| {
        settings.commands.iter().any(|said| {
            matches!(&said.what, ModprobeCommand::Softdep { pre, .. } if pre.iter().any(|one| one == "vfio_pci"))
        })
    });
    // initramfs-tools and mkinitcpio follow softdeps of the modules that they put in.
    if at.is_none() && !softdep && !ids(facts, "vfio_pci").is_empty() {
        let (path, line) = match settings.generator {
            Generator::InitramfsTools => ("/etc/initramfs-tools/modules", "vfio_pci"),
            Generator::Mkinitcpio => ("/etc/mkinitcpio.conf", "MODULES=(vfio_pci vfio vfio_iommu_type1 …)"),
            Generator::Dracut => {
                ("/etc/dracut.conf.d/vfio.conf", "force_drivers+=\" vfio_pci vfio vfio_iommu_type1 \"")
            }
            Generator::Booster => ("/etc/booster.yaml", "modules_force_load: vfio_pci,vfio,vfio_iommu_type1"),
        };
        remarks
            .warn(format!("nothing has {} put vfio-pci into the image", settings.generator.name()))
            .by_hand(format!("Add to {path}: {line}; then: {}", settings.generator.rebuild()));
    }
}
