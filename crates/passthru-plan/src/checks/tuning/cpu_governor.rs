//! Whether CPUs may run as fast as they can.

use std::collections::BTreeMap;

use passthru_model::HostFacts;
use passthru_model::tuning::FrequencyPolicy;

use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "cpu-governor",
    title: "CPUs run as fast as guests need",
    section: "CPU frequency governor",
    why: "the host sees a guest's work only as a thread that comes and goes, and may judge its CPUs too idle to run fast",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.tuning.frequency;
    let Some(policies) = fact.value() else {
        return Outcome::unknown("how fast CPUs may run", fact.because().unwrap_or_default());
    };
    if policies.is_empty() {
        return Outcome::skip("the kernel does not govern the frequencies here").seen(fact);
    }
    let mut slow: BTreeMap<String, usize> = BTreeMap::new();
    for policy in policies {
        if let Some(word) = holds_back(policy) {
            *slow.entry(word).or_default() += 1;
        }
    }
    if slow.is_empty() {
        let kinds: Vec<&str> = policies
            .first()
            .map(|one| {
                [&one.driver, &one.governor, &one.preference]
                    .into_iter()
                    .filter_map(|word| word.as_deref())
                    .collect()
            })
            .unwrap_or_default();
        return Outcome::pass(format!("nothing holds the CPUs back ({})", kinds.join(", "))).seen(fact);
    }
    let words: Vec<String> = slow
        .iter()
        .map(|(word, number)| {
            format!("{word} on {}", count(*number, "policy").replace("policys", "policies"))
        })
        .collect();
    let preference = policies.iter().any(FrequencyPolicy::is_active_mode);
    let path = policies.first().map_or(0, |one| one.id);
    Outcome::warn(format!("CPUs are held back: {}", words.join(", "))).seen(fact).by_hand(if preference {
        format!(
            "While a guest runs, write ‘performance’ or ‘balance_performance’ to \
             /sys/devices/system/cpu/cpufreq/policy{path}/energy_performance_preference and its like, or choose it in power-profiles-daemon or tuned"
        )
    } else {
        format!(
            "While a guest runs, write ‘performance’ or ‘schedutil’ to /sys/devices/system/cpu/cpufreq/policy{path}/scaling_governor and its \
             like, or choose it in power-profiles-daemon or tuned"
        )
    })
}

/// The word that holds a policy back. In the active modes of intel_pstate and amd-pstate, ‘powersave’ is the governor that
/// follows the load, and the preference decides (`Documentation/admin-guide/pm/intel_pstate.rst`).
fn holds_back(policy: &FrequencyPolicy) -> Option<String> {
    let governor = policy.governor.as_deref();
    if policy.is_active_mode() {
        return match (governor, policy.preference.as_deref()) {
            (Some("performance"), _) => None,
            (_, Some(word @ ("power" | "balance_power"))) => Some(format!("the preference ‘{word}’")),
            _ => None,
        };
    }
    match governor {
        Some(word @ ("powersave" | "conservative")) => Some(format!("the governor ‘{word}’")),
        _ => None,
    }
}
