//! What else the kernel is told at boot because the intent says so (`[boot]`): the words of its command line, and whether this
//! host can do what they ask for.

mod feasible;
mod screen;

use std::borrow::Cow;

use passthru_formats::cmdline::{CommandLine, same_name};
use passthru_model::intent::{Intent, Method};
use passthru_model::kernel::{InstalledKernel, ModuleState};
use passthru_model::{HostFacts, managed};

use super::iommu::Parameters;
use super::loader::BootLoader;
use super::{Reason, texts};
use crate::predict::{self, Assumptions};

pub(super) use feasible::judge;
pub(super) use screen::note as note_screen;

/// The words for the kernel's command line, in order: the size of huge pages comes ahead of their number.
pub(crate) fn words(facts: &HostFacts, wanted: &Intent) -> Vec<String> {
    let boot = &wanted.boot;
    let mut words = Vec::new();
    if let Some(pool) = &boot.hugepages {
        words.push(format!("hugepagesz={}", pool.size.word()));
        words.push(format!("hugepages={}", pool.pages));
    }
    if !boot.isolated_cpus.is_empty() {
        let cpus = &boot.isolated_cpus;
        words.push(format!("isolcpus=domain,managed_irq,{cpus}"));
        if has_no_tick(facts) {
            words.push(format!("nohz_full={cpus}"));
        }
        words.push(format!("rcu_nocbs={cpus}"));
    }
    if boot.igfx_off {
        words.push("intel_iommu=igfx_off".to_owned());
    }
    if boot.disable_idle_d3 {
        // Read by a built-in driver, and by modprobe for one that is loaded.
        words.push("vfio_pci.disable_idle_d3=1".to_owned());
    }
    if let Some(name) = wanted.method.ids_parameter()
        && bootable(facts).any(|kernel| has_built_in(kernel, wanted.method))
    {
        words.push(format!("{name}={}", texts::ids(wanted)));
    }
    words.extend(screen::word(facts, wanted).map(str::to_owned));
    words.extend(boot.acs_override.as_ref().map(|words| format!("pcie_acs_override={words}")));
    words
}

/// Whether any kernel can leave CPUs without a tick, as far as is known.
fn has_no_tick(facts: &HostFacts) -> bool {
    bootable(facts).any(|kernel| kernel.options.value().is_none_or(|options| options.is_on("NO_HZ_FULL")))
}

fn has_built_in(kernel: &InstalledKernel, method: Method) -> bool {
    kernel.module(method.module()) == Some(ModuleState::BuiltIn)
}

/// Whether any kernel loads the driver of a method as a module, so that it reads module options.
pub(super) fn reads_options(facts: &HostFacts, method: Method) -> bool {
    !bootable(facts).all(|kernel| has_built_in(kernel, method))
}

/// Says what follows from binding by ids: how a driver that is built in gets them, and what pci-stub leaves to be done.
pub(super) fn note_ids(facts: &HostFacts, wanted: &Intent, notes: &mut Vec<String>) {
    let driver = wanted.method.driver();
    if wanted.method == Method::PciStub {
        notes.push(
            "pci-stub only keeps other drivers away, and leaves the devices awake: `passthru guest start`, or `passthru bind` \
             for a guest of libvirt without managed='yes', gives them to vfio-pci; `--method override` does that at boot"
                .to_owned(),
        );
    }
    if wanted.method != Method::Override {
        let built_in = bootable(facts).filter(|kernel| has_built_in(kernel, wanted.method));
        notes.extend(built_in.map(|kernel| {
            format!(
                "{driver} is built into kernel {} and reads no module options, so it gets the PCI IDs on the kernel command line; a \
                 driver that is built in too may still have a device first, which `passthru verify` shows after the reboot",
                kernel.release
            )
        }));
    }
}

/// The installed kernels that can be booted.
fn bootable(facts: &HostFacts) -> impl Iterator<Item = &InstalledKernel> {
    facts.kernel.installed.value().into_iter().flatten().filter(|kernel| kernel.initramfs.is_some())
}

/// The words that we added to files which are not ours.
pub(crate) fn recorded(facts: &HostFacts) -> Vec<String> {
    let bytes = facts.files.get(managed::PARAMETERS).and_then(|state| state.content()).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    let words = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    words.map(str::to_owned).collect()
}

/// What is needed where nothing of ours is to stay in files that are not ours: that these words go.
pub(crate) fn withdrawn(facts: &HostFacts) -> Parameters {
    Parameters { gone: recorded(facts), ..Parameters::default() }
}

/// Of these words those that are ours to add: the user has not set them himself.
pub(super) fn ours(facts: &HostFacts, loader: &dyn BootLoader, mut words: Vec<String>) -> Vec<String> {
    let theirs = theirs(facts, loader);
    words.retain(|word| !theirs.contains(word));
    words
}

/// The words of the settings that we did not add.
fn theirs(facts: &HostFacts, loader: &dyn BootLoader) -> Vec<String> {
    let recorded = recorded(facts);
    let mut words = loader.words_elsewhere();
    words.retain(|word| !recorded.contains(word));
    words
}

/// Adds what is needed for the boot settings. What the user has set to another value is in the way.
pub(super) fn needs(
    facts: &HostFacts,
    wanted: &Intent,
    loader: &dyn BootLoader,
    needed: &mut Parameters,
    reasons: &mut Vec<Reason>,
) {
    let mut theirs = theirs(facts, loader);
    // What is taken over is not in the way, and does not stay.
    theirs.retain(|word| !needed.words.contains(word));
    let mut words = words(facts, wanted);
    for word in &words {
        for rival in theirs.iter().filter(|other| *other != word && is_rival(other, word)) {
            reasons.push(Reason::ParameterTaken {
                theirs: rival.clone(),
                wanted: word.clone(),
                paths: loader.paths(),
            });
        }
    }
    words.retain(|word| !theirs.contains(word));
    needed.set = words;
    needed.gone = recorded(facts).into_iter().filter(|word| !needed.set.contains(word)).collect();
}

/// Whether two words cannot stand beside each other. Of some parameters each adds to the others.
fn is_rival(one: &str, other: &str) -> bool {
    let name = |word: &str| CommandLine::new(word).words().next().map(|word| word.name().to_owned());
    match (name(one), name(other)) {
        (Some(one), Some(other)) => {
            same_name(&one, &other) && !["intel_iommu", "initcall_blacklist"].contains(&one.as_str())
        }
        _ => false,
    }
}

/// The host by which groups are judged: with those that the override will make, where it does not make them yet and they can be
/// foretold for certain.
pub(super) fn regrouped<'f>(facts: &'f HostFacts, wanted: &Intent) -> Cow<'f, HostFacts> {
    let Some(words) = &wanted.boot.acs_override else { return Cow::Borrowed(facts) };
    let has_groups = facts.iommu.groups.value().is_some_and(|groups| !groups.is_empty());
    let running = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    if !has_groups || CommandLine::new(running).has_word(&format!("pcie_acs_override={words}")) {
        return Cow::Borrowed(facts);
    }
    let assumptions = Assumptions { acs_override: Some(words.clone()) };
    let foretold = predict::predict(facts, &assumptions);
    // What is not certain could be worse than what is there now, which the override never is.
    if foretold.groups.iter().all(|group| group.certain) {
        Cow::Owned(predict::with_groups(facts, &foretold))
    } else {
        Cow::Borrowed(facts)
    }
}
