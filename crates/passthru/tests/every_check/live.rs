//! Scenarios of the laboratory that demand verdicts of a running kernel: for checks of what no capture can hold.
//!
//! A step demands the verdict of one check, `passthru doctor CHECK --json` with the check's name and its verdict among what
//! must be in the JSON, so that what the table says of a scenario can be read out of the scenario.

use std::path::Path;

use toml::{Table, Value};

/// The words of the verdicts that a scenario demands of a check, in the order of its steps.
pub(crate) fn demanded(scenario: &str, check: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/scenarios");
    let text = std::fs::read_to_string(folder.join(scenario).with_extension("toml")).expect("reads");
    let table: Table = text.parse().expect("is TOML");
    let steps = table.get("step").and_then(Value::as_array).expect("has steps");
    steps.iter().filter_map(|step| verdict(step, check)).map(str::to_owned).collect()
}

/// The verdict that a step demands of a check; `None` where it asks for another, for several, or only looks at text.
fn verdict<'step>(step: &'step Value, check: &str) -> Option<&'step str> {
    let words = step.get("run")?.as_array()?.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    let asked = words.rsplit_once("passthru doctor ").is_some_and(|(_, of)| of == format!("{check} --json"));
    let wanted = |pointer: &str| {
        let all = step.get("json")?.as_array()?;
        all.iter()
            .find(|one| one.get("pointer").and_then(Value::as_str) == Some(pointer))?
            .get("equals")?
            .as_str()
    };
    (asked && wanted("/findings/0/id") == Some(check)).then(|| wanted("/findings/0/verdict")).flatten()
}

#[test]
fn only_a_step_that_demands_the_verdict_of_this_one_check_counts() {
    let of = |step: &str| verdict(&Value::Table(step.parse().expect("is TOML")), "kvm").map(str::to_owned);
    let json = "json = [{ pointer = '/findings/0/id', equals = 'kvm' }, { pointer = '/findings/0/verdict', equals = 'fail' }]";
    let run = |words: &str| format!("run = ['su', 'user', '-c', '{words}']\n{json}");
    assert_eq!(of(&run("passthru doctor kvm --json")).as_deref(), Some("fail"));
    assert_eq!(of(&run("passthru doctor kvm x2apic --json")), None);
    assert_eq!(of(&run("passthru doctor x2apic --json")), None);
    assert_eq!(of(&run("passthru doctor kvm --json; true")), None);
    assert_eq!(of("run = ['passthru', 'doctor', 'kvm']\nstdout_contains = ['fail']"), None);
    assert_eq!(of(&run("passthru doctor kvm --json").replace("equals = 'kvm'", "equals = 'qemu'")), None);
}
