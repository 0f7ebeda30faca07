//! dracut: a drop-in (dracut.conf(5)) that names what comes into the image. Settings of ours alone, below `/etc`: no module
//! directory of dracut's, which is below `/usr` and belongs to packages.

use passthru_model::intent::{Intent, Method};
use passthru_model::managed;
use passthru_model::plan::FileState;
use passthru_model::program::Program;

use super::{Build, Generator};
use crate::planner::loader::States;
use crate::planner::texts;

/// The generator of Fedora, SUSE and others, and of Debian where it is chosen.
pub(super) struct Dracut;

/// What the image needs to reserve functions before any driver: udev's rule for drivers that udev loads, the unit for those
/// that are listed by name.
const OVERRIDE: [&str; 5] =
    [managed::DEVICES, managed::EARLY, managed::UDEV_RULE, managed::EARLY_UNIT, managed::EARLY_WANT];

impl Generator for Dracut {
    fn own_files(&self, wanted: &Intent) -> States {
        let items = match wanted.method {
            Method::Override => OVERRIDE.join(" "),
            Method::Ids | Method::PciStub => managed::MODPROBE.to_owned(),
        };
        let text = format!(
            "{}#\n\
             # Puts the driver and what reserves the chosen functions into the image. dracut copies neither udev rules nor module\n\
             # options of this host by itself where the image is to fit any host (hostonly=no).\n\
             add_drivers+=\" {} \"\n\
             install_items+=\" {items} \"\n",
            texts::head(&format!("remove this file, then `{}`.", self.by_hand())),
            texts::modules(wanted.method)
        );
        States::from([(managed::DRACUT_CONF, FileState::root_file(text, 0o644))])
    }

    fn in_image(&self) -> &'static [(&'static str, &'static str)] {
        &[
            (managed::DEVICES, "etc/passthru/devices"),
            (managed::EARLY, "etc/passthru/early"),
            (managed::UDEV_RULE, "rules.d/10-passthru.rules"),
            (managed::EARLY_UNIT, "etc/systemd/system/passthru-early.service"),
            (managed::EARLY_WANT, "sysinit.target.wants/passthru-early.service"),
            (managed::MODPROBE, "etc/modprobe.d/passthru.conf"),
        ]
    }

    fn by_hand(&self) -> &'static str {
        "dracut --force --regenerate-all"
    }

    fn build(&self, release: &str, image: &str) -> Option<Build> {
        Some(Build {
            program: Program::Dracut,
            arguments: ["--force", image, release].map(str::to_owned).to_vec(),
            images: vec![image.to_owned()],
            rewrites: Vec::new(),
        })
    }

    fn untried(&self, unified: bool) -> Option<&'static str> {
        unified.then_some("unified kernel images with an image of dracut inside")
    }
}
