//! Which drivers would take a guest's devices at boot.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::HostFacts;
use passthru_model::finding::Verdict;

use super::subjects::{cards, judged, subjects};
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "competing-drivers",
    title: "no driver that is compiled in takes a guest's device first",
    section: "Isolating the GPU",
    why: "at boot the first driver that is there gets a device; modules can be kept back by rules, a driver that is compiled \
          into the kernel cannot, and has to give the device up again",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let Some(kernels) = facts.possible_drivers.value() else {
        return Outcome::unknown(
            "which drivers there are",
            facts.possible_drivers.because().unwrap_or_default(),
        );
    };
    let functions = cards(facts, &subjects.functions);
    if kernels.is_empty() || functions.is_empty() {
        return Outcome::skip(
            "no installed kernel is to be seen here, or none of the chosen devices is in this host",
        );
    }
    let mut remarks = Vec::new();
    let mut modules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut evidence = Vec::new();
    for kernel in kernels {
        let Some(drivers) = kernel.drivers.value() else {
            let why = kernel.drivers.because().unwrap_or_default();
            remarks.push((
                Verdict::Unknown,
                format!("the drivers of Linux {} are not known: {why}", kernel.release),
            ));
            continue;
        };
        evidence.extend(kernel.drivers.evidence().cloned());
        for function in &functions {
            let Some(possible) = drivers.get(&function.address) else { continue };
            let modules = modules.entry(function.address.to_string()).or_default();
            modules.extend(possible.loadable.iter().cloned());
            if !possible.built_in.is_empty() {
                remarks.push((
                    Verdict::Warn,
                    format!(
                        "{} is compiled into Linux {}, and takes {} first",
                        possible.built_in.join(", "),
                        kernel.release,
                        function.address
                    ),
                ));
            }
        }
    }
    for (address, modules) in modules.iter().filter(|(_, modules)| !modules.is_empty()) {
        let names: Vec<&str> = modules.iter().map(String::as_str).collect();
        remarks.push((Verdict::Pass, format!("{address} would go to {}", names.join(" or "))));
    }
    if remarks.is_empty() {
        remarks
            .push((Verdict::Pass, "no installed kernel has a driver for what guests could have".to_owned()));
    }
    let mut outcome = judged(&remarks);
    outcome.evidence.extend(evidence);
    if outcome.verdict == Verdict::Warn {
        return outcome.by_hand(
            "Nothing, if ‘passthru isolate’ is used: it marks the device before drivers look, or takes it back; rules of modprobe \
             (softdep, blacklist) have no effect on such a driver",
        );
    }
    outcome
}
