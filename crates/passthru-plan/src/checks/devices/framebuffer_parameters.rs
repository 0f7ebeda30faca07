//! Parameters that are to keep the kernel off the firmware's framebuffer.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;

use super::boot_framebuffer::version;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "framebuffer-parameters",
    title: "no outdated parameter is to keep the kernel off a framebuffer",
    section: "Passing the boot GPU to the guest",
    why: "older pages have video=efifb:off; since Linux 6.0 vfio-pci clears the framebuffer of a VGA device itself, and \
          what such parameters still do is to leave the host without a console while it boots",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(text) = facts.kernel.cmdline.value() else {
        return Outcome::unknown(
            "the kernel command line",
            facts.kernel.cmdline.because().unwrap_or_default(),
        );
    };
    let line = CommandLine::new(text);
    let mut remarks = Vec::new();
    let new =
        facts.kernel.release.value().and_then(|release| version(release)).is_none_or(|found| found >= (6, 0));
    for token in line.parameters().filter(|token| token.is_named("video")) {
        let Some((driver, "off")) = token.value().and_then(|value| value.split_once(':')) else { continue };
        match driver {
            "efifb" | "vesafb" | "vga16fb" if new => remarks.push(format!(
                "‘{}’ is not needed since Linux 6.0, and leaves no console on that screen",
                token.text()
            )),
            "simplefb" | "simpledrm" => {
                remarks.push(format!("‘{}’ does nothing: the driver has no such option", token.text()));
            }
            _ => {}
        }
    }
    for item in line.items("initcall_blacklist").filter(|item| *item == "sysfb_init") {
        let left = facts.graphics.value().and_then(|graphics| graphics.firmware_screens.first());
        remarks.push(match left {
            Some(screen) => format!(
                "‘initcall_blacklist={item}’ has no effect on this kernel: {} is there all the same",
                screen.device
            ),
            None => format!(
                "‘initcall_blacklist={item}’ leaves no console on any screen until a GPU's driver is loaded"
            ),
        });
    }
    if remarks.is_empty() {
        return Outcome::pass("no parameter interferes with framebuffers").seen(&facts.kernel.cmdline);
    }
    Outcome::warn(remarks.join("; "))
        .seen(&facts.kernel.cmdline)
        .by_hand("Remove it from the boot loader's settings, unless a guest's GPU cannot be had without (see boot-framebuffer)")
}
