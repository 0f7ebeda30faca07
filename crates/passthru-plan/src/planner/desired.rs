//! What stands at each of our paths once an intent is met, and the steps that bring it there.

use passthru_model::binding::ImageContents;
use passthru_model::intent::{Intent, Method};
use passthru_model::kernel::ModuleState;
use passthru_model::plan::{FileState, Step};
use passthru_model::{HostFacts, managed};

use super::initramfs::Generator;
use super::iommu::Parameters;
use super::loader::{BootLoader, Change, States};
use super::{Reason, host, initramfs, loader, settings, steps, texts};

/// Who boots the host, and who builds what is booted.
pub(super) struct Chain {
    /// The boot loader.
    pub(super) loader: Box<dyn BootLoader>,
    /// The generator of the initramfs.
    pub(super) generator: Box<dyn Generator>,
}

impl Chain {
    /// Of this host.
    pub(super) fn of(facts: &HostFacts, reasons: &mut Vec<Reason>) -> Self {
        Self { loader: loader::of(facts, reasons), generator: initramfs::of(facts) }
    }

    /// Why not to change it, where what it does with entries or images has not been started in the laboratory yet.
    pub(super) fn untried(&self, entries: bool, images: bool) -> Option<Reason> {
        let loader = self.loader.untried().filter(|_| entries || images);
        let generator = self.generator.untried(self.loader.is_unified()).filter(|_| images);
        let parts: Vec<_> = loader.into_iter().chain(generator).collect();
        (!parts.is_empty()).then_some(Reason::UntriedBootChain { parts })
    }

    /// Whether the loader starts copies of kernels and images.
    pub(super) fn copies(&self, facts: &HostFacts) -> bool {
        let mut kernels = facts.kernel.installed.value().into_iter().flatten();
        kernels.any(|kernel| self.loader.copies(&kernel.release).is_some())
    }
}

/// The steps on files, in the order of [`texts::OURS`]; in the other order where all goes.
pub(super) fn file_steps(
    facts: &HostFacts,
    chain: &Chain,
    wanted: &Intent,
    needed: &Parameters,
    edits: Vec<Change>,
    reasons: &mut Vec<Reason>,
) -> Vec<Step> {
    let edited = |Change { path, before, after }| {
        let mut step = steps::file_step(&path, before, after);
        if let Some((what, why)) = chain.loader.about(&path) {
            (step.what, step.why) = (what.to_owned(), why.to_owned());
        }
        if !needed.words.is_empty() && loader::reads(&path) {
            let others =
                format!("take out ‘{}’, which another tool or a hand set for guests", needed.words.join(" "));
            // Settings of GRUB are edited for what goes alone.
            let alone = needed.remove.is_empty() && path != managed::KERNEL_CMDLINE;
            step.what = if alone { others } else { format!("{}; and {others}", step.what) };
            if alone {
                "two ways to take a device act beside each other, and the intent has it now"
                    .clone_into(&mut step.why);
            }
        }
        step
    };
    let mut found: Vec<Step> = edits.into_iter().map(edited).collect();
    let mut states = own_files(facts, chain, wanted, needed);
    let mut paths = texts::OURS;
    if wanted.isolate.is_empty() {
        paths.reverse();
    }
    for path in paths {
        let after = states.remove(path).unwrap_or(FileState::Absent);
        found.extend(steps::own_file(facts, path, after, reasons));
    }
    if wanted.isolate.is_empty() {
        // Made by our plugin of kernel-install, so that no fixed path names them.
        for path in facts.files.keys().filter(|path| path.ends_with(managed::OFF_ENTRY_ENDING)) {
            found.extend(steps::own_file(facts, path, FileState::Absent, reasons));
        }
    }
    found
}

/// What stands at each of our paths once the intent is met. A path that is not in it is empty then.
fn own_files(facts: &HostFacts, chain: &Chain, wanted: &Intent, needed: &Parameters) -> States {
    let mut files = host::own_files(facts, wanted);
    if wanted.isolate.is_empty() {
        return files;
    }
    if let Some(files) = chain.loader.whole_system(facts, wanted, needed) {
        return files;
    }
    files.extend(chain.loader.own_files(wanted, needed));
    files.extend(chain.generator.own_files(wanted));
    let rebuild = chain.generator.by_hand();
    let link = |unit: &str| FileState::Link { target: unit.to_owned() };
    files.insert(managed::RECORD_UNIT, FileState::root_file(texts::RECORD_UNIT, 0o644));
    files.insert(managed::RECORD_WANT, link(managed::RECORD_UNIT));
    if wanted.method != Method::Override {
        if settings::reads_options(facts, wanted.method) {
            let text = texts::modprobe(facts, wanted, rebuild);
            files.insert(managed::MODPROBE, FileState::root_file(text, 0o644));
        }
        return files;
    }
    files.insert(managed::DEVICES, FileState::root_file(texts::devices(wanted, rebuild), 0o644));
    files.insert(managed::EARLY, FileState::root_file(texts::early(rebuild), 0o755));
    files.insert(managed::UDEV_RULE, FileState::root_file(texts::udev_rule(wanted, rebuild), 0o644));
    files.insert(managed::EARLY_UNIT, FileState::root_file(texts::EARLY_UNIT, 0o644));
    files.insert(managed::EARLY_WANT, link(managed::EARLY_UNIT));
    files.insert(managed::VERIFY_UNIT, FileState::root_file(texts::VERIFY_UNIT, 0o644));
    files.insert(managed::VERIFY_WANT, link(managed::VERIFY_UNIT));
    files
}

/// The files of ours that are not as the intent wants them, each with what stands there and what should.
pub(crate) fn drift(facts: &HostFacts, wanted: &Intent) -> Vec<&'static str> {
    // The drop-in's need cannot be told once it has worked, so as it stands it is as it should be.
    let chain = Chain::of(facts, &mut Vec::new());
    let set = settings::words(facts, wanted);
    let set = settings::ours(facts, chain.loader.as_ref(), set);
    let mut states = own_files(facts, &chain, wanted, &Parameters { set, ..Parameters::default() });
    // So are the words that it holds beside, which are judged by the running command line.
    for path in [managed::GRUB_DROP_IN, managed::PARAMETERS, managed::NIXOS_MODULE] {
        if let (Some(kept), false) = (facts.files.get(path).cloned(), wanted.isolate.is_empty()) {
            states.insert(path, kept);
        }
    }
    let mut drifted = Vec::new();
    for path in texts::OURS {
        let after = states.remove(path).unwrap_or(FileState::Absent);
        let mut problems = Vec::new();
        let step = steps::own_file(facts, path, after, &mut problems);
        if step.is_some() || !problems.is_empty() {
            drifted.push(path);
        }
    }
    drifted
}

/// What an initramfs should hold for the intent and does not, as endings of names inside.
pub(crate) fn missing_in_image(facts: &HostFacts, wanted: &Intent, image: &ImageContents) -> Vec<String> {
    let chain = Chain::of(facts, &mut Vec::new());
    let states = own_files(facts, &chain, wanted, &Parameters::default());
    let held = |entry: &str| image.own.iter().any(|name| name.ends_with(entry));
    let wanted_here = chain.generator.in_image().iter().filter(|(path, _)| states.contains_key(path));
    let mut missing: Vec<String> =
        wanted_here.map(|(_, entry)| (*entry).to_owned()).filter(|entry| !held(entry)).collect();
    let mut kernels = facts.kernel.installed.value().into_iter().flatten();
    let kernel = kernels.find(|kernel| kernel.release == image.release);
    let module = wanted.method.module();
    let loadable = kernel.is_some_and(|kernel| kernel.module(module) == Some(ModuleState::Loadable));
    if loadable && !image.modules.contains(module) {
        missing.push(format!("{}.ko", wanted.method.driver()));
    }
    missing
}

/// The command by which a person has all images of this host made anew.
pub(crate) fn rebuild_command(facts: &HostFacts) -> &'static str {
    initramfs::of(facts).by_hand()
}
