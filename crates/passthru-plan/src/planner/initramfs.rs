//! What builds the initramfs, as the planner sees it: the files that bring ours into an image, the program that builds the
//! image of one kernel, and what must be found inside afterwards. A file a generator.

mod dracut;
mod initramfs_tools;
mod mkinitcpio;
mod nixos;

use passthru_model::facts::InitramfsGenerator;
use passthru_model::intent::{Intent, Method};
use passthru_model::kernel::{InstalledKernel, ModuleState};
use passthru_model::plan::{Action, Effect, Expectation, FileState, Step};
use passthru_model::program::Program;
use passthru_model::{Fact, HostFacts, managed};

use super::Reason;
use super::desired::Chain;
use super::loader::{Change, States};

/// How the image of one kernel is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Build {
    /// The program.
    pub(super) program: Program,
    /// Its arguments.
    pub(super) arguments: Vec<String>,
    /// The images that it makes, that of the kernel first.
    pub(super) images: Vec<String>,
    /// What else it rewrites.
    pub(super) rewrites: Vec<String>,
}

/// A generator of initramfs images.
pub(super) trait Generator {
    /// The files of ours that only this generator reads.
    fn own_files(&self, wanted: &Intent) -> States;
    /// The changes of files that are not ours by which what is ours comes into images.
    fn edits(&self, _facts: &HostFacts, _reasons: &mut Vec<Reason>) -> Vec<Change> {
        Vec::new()
    }
    /// The changes of files that are not ours by which they have nothing of ours any more.
    fn withdrawals(&self, _facts: &HostFacts) -> Vec<Change> {
        Vec::new()
    }
    /// What an image holds of each of these files, and of those that every generator reads: an ending of a name inside, by
    /// the path on the host.
    fn in_image(&self) -> &'static [(&'static str, &'static str)];
    /// The command by which a person has all images rebuilt.
    fn by_hand(&self) -> &'static str;
    /// How the image of a kernel is built.
    /// `None`: the user has the system made.
    fn build(&self, release: &str, image: &str) -> Option<Build>;
    /// What it is called, where no image of it has been started in the laboratory yet. `unified`: they stand inside unified
    /// kernel images.
    fn untried(&self, _unified: bool) -> Option<&'static str> {
        None
    }
}

/// The generator of the host. Where it is not known it is taken for initramfs-tools, and [`known`] lets nothing be changed.
pub(super) fn of(facts: &HostFacts) -> Box<dyn Generator> {
    match facts.initramfs.value() {
        Some(InitramfsGenerator::Dracut) => Box::new(dracut::Dracut),
        Some(InitramfsGenerator::Mkinitcpio(found)) => Box::new(mkinitcpio::Settings::of(facts, found)),
        Some(InitramfsGenerator::NixOs) => Box::new(nixos::NixOs),
        Some(InitramfsGenerator::InitramfsTools) | None => Box::new(initramfs_tools::InitramfsTools),
    }
}

/// Refuses where the generator is not known.
pub(super) fn known(facts: &HostFacts, reasons: &mut Vec<Reason>) {
    if let Fact::Unknown(because) = &facts.initramfs {
        reasons.push(Reason::Initramfs(because.clone()));
    }
}

/// The files that steer a generator.
const STEERING: [&str; 7] = [
    managed::INITRAMFS_HOOK,
    managed::INITRAMFS_INIT_TOP,
    managed::DRACUT_CONF,
    managed::MKINITCPIO_CONF,
    managed::MKINITCPIO_DROP_IN,
    managed::MKINITCPIO_INSTALL,
    managed::MKINITCPIO_HOOK,
];

/// Whether images are made from a file: one that the generator of this host puts into them, or one that steers a
/// generator.
pub(super) fn reads(generator: &dyn Generator, path: &str) -> bool {
    STEERING.contains(&path)
        // Of others: generators copy the first whole, and run the second.
        || (path.starts_with("/etc/modprobe.d/") && path != managed::KVMFR_OPTIONS)
        || path.starts_with("/etc/initramfs-tools/scripts/")
        || generator.in_image().iter().any(|(own, _)| *own == path)
}

/// What images must hold and must not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// The driver that takes the functions, while any is isolated.
    driver: Option<Method>,
    holds: Vec<String>,
    lacks: Vec<String>,
}

impl Contents {
    /// After these steps on files.
    pub(super) fn after(
        facts: &HostFacts,
        generator: &dyn Generator,
        wanted: &Intent,
        files: &[Step],
    ) -> Self {
        let stands = |path: &str| matches!(facts.files.get(path), Some(state) if *state != FileState::Absent);
        let isolating = !wanted.isolate.is_empty();
        let mut contents = Self { driver: isolating.then_some(wanted.method), ..Self::default() };
        for (path, entry) in generator.in_image() {
            let step = files.iter().find(|step| step.path() == Some(path));
            match step.map(Step::kind) {
                Some("file-remove") => contents.lacks.push((*entry).to_owned()),
                Some(_) => contents.holds.push((*entry).to_owned()),
                None if isolating && stands(path) => contents.holds.push((*entry).to_owned()),
                None => {}
            }
        }
        contents
    }

    /// What is to be seen in an image of a kernel.
    pub(super) fn expected(&self, kernel: &InstalledKernel, image: &str) -> Vec<Expectation> {
        let mut holds = self.holds.clone();
        let loaded = |method: &Method| kernel.module(method.module()) == Some(ModuleState::Loadable);
        holds.extend(self.driver.filter(loaded).map(|method| format!("{}.ko", method.driver())));
        let path = || image.to_owned();
        let mut expect = Vec::new();
        if !holds.is_empty() {
            expect.push(Expectation::ImageHolds { path: path(), entries: holds });
        }
        if !self.lacks.is_empty() {
            expect.push(Expectation::ImageLacks { path: path(), entries: self.lacks.clone() });
        }
        expect
    }
}

/// One step for each kernel that has an initramfs: rebuild it, and look into it afterwards.
pub(super) fn rebuild(facts: &HostFacts, chain: &Chain, contents: &Contents) -> Vec<Step> {
    let kernels = facts.kernel.installed.value().into_iter().flatten();
    kernels
        .filter_map(|kernel| Some((kernel, kernel.initramfs.as_ref()?)))
        .filter_map(|(kernel, image)| {
            let release = &kernel.release;
            let Build { program, arguments, images, rewrites: others } =
                chain.generator.build(release, image)?;
            let expect = images.iter().flat_map(|image| contents.expected(kernel, image)).collect();
            let mut rewrites = images;
            rewrites.extend(others);
            // Hooks of the generator may hand the new image to the boot loader at once.
            rewrites.extend(chain.loader.copies(release).into_iter().flat_map(|copies| copies.rewritten));
            Some(Step {
                id: format!("initramfs-{release}"),
                action: Action::Run { program, arguments, rewrites, expect },
                what: format!("rebuild the initramfs of kernel {release}"),
                why: "drivers are loaded from it before the real root is there".to_owned(),
                effect: Effect::Reboot,
            })
        })
        .collect()
}

/// Adds to the steps that make boot entries anew what must be seen in the copies of images that they make.
pub(super) fn look_into_copies(facts: &HostFacts, chain: &Chain, contents: &Contents, steps: &mut [Step]) {
    for kernel in facts.kernel.installed.value().into_iter().flatten() {
        let Some(copies) = chain.loader.copies(&kernel.release) else { continue };
        for step in steps.iter_mut() {
            if let Action::Run { rewrites, expect, .. } = &mut step.action
                && *rewrites == copies.rewritten
            {
                // One program may make the copies of several kernels.
                for expected in copies.images.iter().flat_map(|image| contents.expected(kernel, image)) {
                    if !expect.contains(&expected) {
                        expect.push(expected);
                    }
                }
            }
        }
    }
}
