//! What builds the initramfs, as the planner sees it: the files that bring ours into an image, the program that builds the
//! image of one kernel, and what must be found inside afterwards. A file a generator.

mod dracut;
mod initramfs_tools;

use passthru_model::facts::InitramfsGenerator;
use passthru_model::intent::Intent;
use passthru_model::kernel::ModuleState;
use passthru_model::plan::{Action, Effect, Expectation, FileState, Step};
use passthru_model::program::Program;
use passthru_model::{Fact, HostFacts, managed};

use super::Reason;
use super::loader::States;

/// How the image of one kernel is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Build {
    /// The program.
    pub(super) program: Program,
    /// Its arguments.
    pub(super) arguments: Vec<String>,
    /// What it rewrites, the image first.
    pub(super) rewrites: Vec<String>,
}

/// A generator of initramfs images.
pub(super) trait Generator {
    /// The files of ours that only this generator reads.
    fn own_files(&self, wanted: &Intent) -> States;
    /// What an image holds of each of these files, and of those that every generator reads: an ending of a name inside, by
    /// the path on the host.
    fn in_image(&self) -> &'static [(&'static str, &'static str)];
    /// The command by which a person has all images rebuilt.
    fn by_hand(&self) -> &'static str;
    /// How the image of a kernel is built.
    fn build(&self, release: &str, image: &str) -> Build;
}

/// The generator of the host. Where it is not known it is taken for initramfs-tools, and [`known`] lets nothing be changed.
pub(super) fn of(facts: &HostFacts) -> Box<dyn Generator> {
    match facts.initramfs.value() {
        Some(InitramfsGenerator::Dracut) => Box::new(dracut::Dracut),
        Some(InitramfsGenerator::InitramfsTools) | None => Box::new(initramfs_tools::InitramfsTools),
    }
}

/// Refuses where the generator is not known.
pub(super) fn known(facts: &HostFacts, reasons: &mut Vec<Reason>) {
    if let Fact::Unknown(because) = &facts.initramfs {
        reasons.push(Reason::Initramfs(because.clone()));
    }
}

/// Whether images are made from a file: one that the generator of this host puts into them, or one that steers a
/// generator.
pub(super) fn reads(generator: &dyn Generator, path: &str) -> bool {
    [managed::INITRAMFS_HOOK, managed::INITRAMFS_INIT_TOP, managed::DRACUT_CONF].contains(&path)
        || generator.in_image().iter().any(|(own, _)| *own == path)
}

/// One step for each kernel that has an initramfs: rebuild it, and look into it afterwards. `files` are the steps on files
/// that precede it.
pub(super) fn rebuild(
    facts: &HostFacts,
    generator: &dyn Generator,
    isolating: bool,
    files: &[Step],
) -> Vec<Step> {
    let stands = |path: &str| matches!(facts.files.get(path), Some(state) if *state != FileState::Absent);
    let (mut holds, mut lacks) = (Vec::new(), Vec::new());
    for (path, entry) in generator.in_image() {
        let step = files.iter().find(|step| step.path() == Some(path));
        match step.map(Step::kind) {
            Some("file-remove") => lacks.push((*entry).to_owned()),
            Some(_) => holds.push((*entry).to_owned()),
            None if isolating && stands(path) => holds.push((*entry).to_owned()),
            None => {}
        }
    }
    let kernels = facts.kernel.installed.value().into_iter().flatten();
    kernels
        .filter_map(|kernel| Some((kernel, kernel.initramfs.clone()?)))
        .map(|(kernel, image)| {
            let mut expect = Vec::new();
            let mut holds = holds.clone();
            if isolating && kernel.module("vfio_pci") == Some(ModuleState::Loadable) {
                holds.push("vfio-pci.ko".to_owned());
            }
            if !holds.is_empty() {
                expect.push(Expectation::ImageHolds { path: image.clone(), entries: holds });
            }
            if !lacks.is_empty() {
                expect.push(Expectation::ImageLacks { path: image.clone(), entries: lacks.clone() });
            }
            let release = &kernel.release;
            let Build { program, arguments, rewrites } = generator.build(release, &image);
            Step {
                id: format!("initramfs-{release}"),
                action: Action::Run { program, arguments, rewrites, expect },
                what: format!("rebuild the initramfs of kernel {release}"),
                why: "drivers are loaded from it before the real root is there".to_owned(),
                effect: Effect::Reboot,
            }
        })
        .collect()
}
