//! Whether guests are kept from reading the host by the processor's weaknesses.

use std::collections::BTreeMap;

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "mitigations",
    title: "the processor's weaknesses are mended",
    section: "Further Tuning",
    why: "some weaknesses let a guest read the host's memory; pages tell to turn their mitigations off for speed, which is no choice \
          for a guest that opens pages or programs of strangers",
    run,
};

/// Weaknesses whose files are shown; all are named.
const SHOWN: usize = 5;

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.cpu.vulnerabilities;
    let line = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    let told = CommandLine::new(line).items("mitigations").any(|item| item == "off");
    let none = BTreeMap::new();
    let all = match fact.value() {
        Some(all) => all,
        None if told => &none,
        None => return Outcome::unknown("which weaknesses are mended", fact.because().unwrap_or_default()),
    };
    let open: Vec<&String> =
        all.iter().filter(|(_, text)| text.starts_with("Vulnerable")).map(|(name, _)| name).collect();
    if open.is_empty() && !told {
        let threads = all.values().any(|text| text.contains("SMT vulnerable"));
        let more = if threads {
            "; what runs on the other thread of a core can be read, so give guests whole cores"
        } else {
            ""
        };
        return Outcome::pass(format!("none of {} known weaknesses is open{more}", all.len())).seen(fact);
    }
    let names: Vec<&str> = open.iter().map(|name| name.as_str()).collect();
    let mut outcome = Outcome::warn(if told {
        "‘mitigations=off’ turns the kernel's mitigations off".to_owned()
    } else {
        format!("open: {}", names.join(", "))
    });
    if told {
        outcome = outcome.seen(&facts.kernel.cmdline);
    }
    for name in open.iter().take(SHOWN) {
        let text = all.get(*name).map(String::as_str).unwrap_or_default();
        outcome = outcome.evidence(format!("/sys/devices/system/cpu/vulnerabilities/{name}"), text);
    }
    outcome.by_hand(if told {
        "Take ‘mitigations=off’ out of the boot loader's settings"
    } else {
        "Install the distribution's updates of the kernel and of the processor's microcode (intel-microcode, amd64-microcode, \
         linux-firmware), and the board's firmware"
    })
}
