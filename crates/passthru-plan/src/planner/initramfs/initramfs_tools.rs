//! initramfs-tools: a hook that puts our files into the image, and a script that runs ahead of its udev.

use passthru_model::intent::{Intent, Method};
use passthru_model::managed;
use passthru_model::plan::FileState;
use passthru_model::program::Program;

use super::{Build, Generator};
use crate::planner::loader::States;
use crate::planner::texts;

/// The hook.
const HOOK: &str = include_str!("initramfs-tools-hook.sh");
/// The script ahead of udev.
const INIT_TOP: &str = include_str!("initramfs-tools-init-top.sh");

/// The generator of Debian and Ubuntu.
pub(super) struct InitramfsTools;

impl Generator for InitramfsTools {
    fn own_files(&self, wanted: &Intent) -> States {
        let hook = HOOK.replace("@MODULES@", texts::modules(wanted.method));
        let mut files = States::from([(managed::INITRAMFS_HOOK, FileState::root_file(hook, 0o755))]);
        if wanted.method == Method::Override {
            files.insert(managed::INITRAMFS_INIT_TOP, FileState::root_file(INIT_TOP, 0o755));
        }
        files
    }

    fn in_image(&self) -> &'static [(&'static str, &'static str)] {
        &[
            (managed::DEVICES, "etc/passthru/devices"),
            (managed::EARLY, "etc/passthru/early"),
            (managed::INITRAMFS_INIT_TOP, "scripts/init-top/passthru"),
            (managed::UDEV_RULE, "rules.d/10-passthru.rules"),
            (managed::MODPROBE, "etc/modprobe.d/passthru.conf"),
        ]
    }

    fn by_hand(&self) -> &'static str {
        "update-initramfs -u -k all"
    }

    fn build(&self, release: &str, image: &str) -> Option<Build> {
        Some(Build {
            program: Program::UpdateInitramfs,
            arguments: ["-u", "-k", release].map(str::to_owned).to_vec(),
            images: vec![image.to_owned()],
            rewrites: vec![format!("/var/lib/initramfs-tools/{release}")],
        })
    }
}
