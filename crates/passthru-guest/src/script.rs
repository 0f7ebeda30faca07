//! A guest as a shell script that starts its QEMU, for people who want to read it or to do without passthru.

use std::fmt::Write as _;

use passthru_model::PciAddress;
use passthru_model::guest_tuning::Scheduler;
use passthru_model::program::quoted;

use crate::guest::Guest;
use crate::render;
use crate::run::{GuestPaths, memlock_needed, swtpm};

/// A command, an option a line, quoted for a shell.
pub fn command(words: &[String]) -> String {
    let mut out = String::new();
    for (place, word) in words.iter().enumerate() {
        if place > 0 {
            out.push_str(if word.starts_with('-') { " \\\n    " } else { " " });
        }
        out.push_str(&quoted(word));
    }
    out.push('\n');
    out
}

/// The script. Its arguments are those that `guest start` gives QEMU; what passthru does around QEMU is said in comments.
pub fn script(guest: &Guest, paths: &GuestPaths) -> String {
    let name = guest.name();
    let mut out = format!(
        "#!/bin/sh\n\
         # The guest ‘{name}’ under QEMU, made by: passthru guest export {name} --format qemu\n\
         # QEMU gets the same arguments from: passthru guest start {name}\n\
         #\n\
         # What passthru does besides, and this script leaves to you:\n"
    );
    let devices: Vec<PciAddress> = guest.host_functions().collect();
    if !devices.is_empty() {
        let list: Vec<String> = devices.iter().map(ToString::to_string).collect();
        let kib = memlock_needed(guest.memory()) / 1024;
        let _ = writeln!(
            out,
            "# - The devices must be with vfio-pci, and still be what they were: passthru bind {}\n\
             # - All memory is locked for them, so whoever runs this needs a limit of {kib} KiB at least (ulimit -l).",
            list.join(" ")
        );
    }
    if !guest.changes_user() {
        out.push_str("# - Where root starts it, QEMU becomes a user who may do little (run-as in the specification names one).\n");
    }
    if let Some(pinning) = guest.pinning() {
        let cpus: Vec<String> = pinning.pins.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            out,
            "# - vCPUs are meant for CPUs {} in turn, and QEMU's own threads for {}: QMP names the threads (query-cpus-fast), taskset\n\
             #   -cp moves one.",
            cpus.join(", "),
            pinning.emulator
        );
        if guest.scheduler() == Scheduler::RoundRobin {
            out.push_str("# - vCPUs are meant to be scheduled round-robin: chrt -r -p 1 does it for one, and root may.\n");
        }
    }
    if let Some(needed) = guest.huge_pages() {
        let place = needed.node.map_or_else(String::new, |node| format!(" on NUMA node {node}"));
        let _ =
            writeln!(out, "# - {} huge pages of {} KiB must be free{place}.", needed.count, needed.size_kib);
    }
    out.push_str(
        "# - It checks disks, memory and groups before it starts QEMU: passthru guest check\n\
         # - It keeps a log, ends what does not come up, and knows the guest again: passthru guest list, show, stop\n\n\
         set -eu\n",
    );
    let directories = [paths.state(), paths.data()].map(|path| quoted(&path.to_string_lossy()));
    let _ = writeln!(out, "mkdir -p -m 0700 -- {}", directories.join(" "));
    if let Some(uefi) = guest.uefi() {
        let vars = quoted(&paths.vars(&uefi.format).to_string_lossy());
        let template = quoted(&uefi.template.to_string_lossy());
        let _ = writeln!(
            out,
            "# The guest's own UEFI variables, copied once.\n[ -e {vars} ] || cp -- {template} {vars}"
        );
    }
    if guest.tpm() {
        out.push_str(&tpm(paths));
    }
    let words: Vec<String> = ["exec", "qemu-system-x86_64"]
        .into_iter()
        .map(str::to_owned)
        .chain(render::arguments(&guest.machine(paths)))
        .collect();
    out.push('\n');
    out.push_str(&command(&words));
    out
}

/// What starts the TPM.
fn tpm(paths: &GuestPaths) -> String {
    match swtpm::arguments(paths) {
        Ok(arguments) => {
            let words: Vec<String> = std::iter::once(swtpm::PROGRAM.to_owned()).chain(arguments).collect();
            let state = quoted(&paths.tpm_state().to_string_lossy());
            format!("# The guest's TPM. It ends with QEMU.\nmkdir -p -m 0700 -- {state}\n{}", command(&words))
        }
        Err(path) => {
            let path = quoted(&path.to_string_lossy());
            format!("# swtpm takes no path with a comma: {path}\nexit 1\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use passthru_formats::qemu_command;
    use proptest::prelude::*;

    use super::{command, script};
    use crate::guest::Guest;
    use crate::look::Looked;
    use crate::run::GuestPaths;
    use crate::spec::{Disk, DiskFormat, GuestSpec};
    use crate::testing;

    #[test]
    fn a_script_says_what_it_leaves_to_its_user() {
        let mut spec = GuestSpec::new("box".parse().expect("a name"));
        spec.devices = testing::gpu_identities();
        spec.disks.push(Disk { path: "/srv/it's $HOME; `ls`.img".into(), format: DiskFormat::Raw });
        let guest = Guest::build(&spec, &testing::facts(), &Looked::default()).expect("a guest");
        let paths = GuestPaths::new("/run/p".as_ref(), "/var/lib/p".as_ref(), guest.name());
        insta::assert_snapshot!(script(&guest, &paths));
    }

    #[test]
    fn a_script_names_the_pins_and_pages_that_it_leaves_to_its_user() {
        let mut spec = GuestSpec::new("box".parse().expect("a name"));
        spec.devices = testing::gpu_identities();
        let facts = testing::tuned_facts(testing::processors(8, 4, 2));
        let guest = Guest::build(&spec, &facts, &Looked::default()).expect("a guest");
        let paths = GuestPaths::new("/run/p".as_ref(), "/var/lib/p".as_ref(), guest.name());
        let script = script(&guest, &paths);
        assert!(
            script.contains(
                "# - vCPUs are meant for CPUs 7, 15 in turn, and QEMU's own threads for 4-5,12-13:"
            ),
            "{script}"
        );
        assert!(
            script.contains("# - 4 huge pages of 1048576 KiB must be free on NUMA node 1.\n"),
            "{script}"
        );
    }

    proptest! {
        #[test]
        fn a_shell_reads_the_words_that_were_written(value in "[ -~é]{0,30}", path in "/[ -~]{0,30}") {
            prop_assume!(!value.starts_with('-'));
            let words = ["qemu-system-x86_64", "-S", "-append", &value, "-kernel", &path];
            let read = qemu_command::parse(&command(&words.map(str::to_owned))).expect("a command");
            let said: Vec<_> = read.options.iter().map(|option| option.known()).collect();
            prop_assert_eq!(said, [None, Some(value.as_str()), Some(path.as_str())]);
        }
    }
}
