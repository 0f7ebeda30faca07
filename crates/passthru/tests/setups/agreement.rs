//! Agreement with the program that reads modprobe.d itself, where it is installed.

use std::process::{Command, Stdio};

use passthru_model::binding::ModprobeCommand;

use crate::Made;

/// `modprobe -c` prints what it understood of a directory (modprobe(8)): the same commands, in the same order.
#[test]
fn modprobe_understands_the_same() {
    let text = "# a comment\noptions vfio-pci ids=10de:13c2,10de:0fbb \\\n  disable_vga=1\nsoftdep snd-hda-intel pre: vfio-pci\nsoftdep e post: x-y\n\
        blacklist nouveau\n\tblacklist   i915\ninstall vfio-pci /bin/echo; /sbin/modprobe -i vfio-pci\noptions\nnonsense a\n";
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.conf"), text).expect("writes");
    let output = Command::new("modprobe")
        .arg("-C")
        .arg(folder.path())
        .arg("-c")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(output) = output else { return crate::say("skipped: there is no modprobe here") };
    let theirs = String::from_utf8_lossy(&output.stdout).into_owned();
    let made = Made::new().file("/etc/modprobe.d/a.conf", text);
    let facts = made.facts();
    let settings = facts.binding.modprobe.value().expect("known");
    let mut compared = 0;
    for said in settings.commands.iter().filter(|said| said.path.ends_with("/a.conf")) {
        let line = match &said.what {
            ModprobeCommand::Options { module, parameters } => {
                format!("options {module} {}", parameters.join(" "))
            }
            ModprobeCommand::Install { module, command } => format!("install {module} {command}"),
            ModprobeCommand::Blacklist { module } => format!("blacklist {module}"),
            ModprobeCommand::Softdep { module, pre, post } => {
                // One list a line: between two of them modprobe of kmod 30 prints no blank.
                let list = |name: &str, modules: &[String]| match modules {
                    [] => String::new(),
                    modules => format!("{name}: {}", modules.join(" ")),
                };
                format!("softdep {module} {} {}", list("pre", pre), list("post", post))
            }
            ModprobeCommand::Other => continue,
        };
        // modprobe keeps dashes in the names that softdep lists, and blanks within a line.
        let plain =
            |text: &str| text.replace('-', "_").split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        assert!(theirs.lines().any(|other| plain(other) == plain(&line)), "{line}\n{theirs}");
        compared += 1;
    }
    crate::say(&format!("{compared} commands compared with modprobe"));
}
