//! The script by which libvirt has the host changed for its guests.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::managed::LIBVIRT_HOOK;
use passthru_model::plan::{Action, FileState, Plan};
use passthru_model::virtualisation::{Hook, Libvirt};
use passthru_model::{Fact, HostFacts};
use passthru_plan::{has_libvirt_hook, libvirt_hook};

use crate::common::host_with_groups;

/// A host with libvirt, and with these hooks of the user's.
fn host(hooks: Vec<Hook>) -> HostFacts {
    let mut facts = host_with_groups();
    let libvirt = Libvirt {
        daemons: Fact::known(vec!["libvirtd".to_owned()], "/usr/sbin", ""),
        enabled: BTreeSet::new(),
        sockets: Vec::new(),
        qemu_conf: Fact::known(BTreeMap::new(), "/etc/libvirt/qemu.conf", ""),
        domains: Fact::known(Vec::new(), "/etc/libvirt/qemu", ""),
        networks: Fact::known(BTreeMap::new(), "/etc/libvirt/qemu/networks", ""),
        hooks: Fact::known(hooks, "/etc/libvirt/hooks", ""),
    };
    facts.virtualisation.libvirt = Fact::known(Some(libvirt), "/usr/sbin/libvirtd", "");
    facts.files.insert(LIBVIRT_HOOK.to_owned(), FileState::Absent);
    facts
}

/// The host after a plan of files.
fn carried_out(mut facts: HostFacts, plan: &Plan) -> HostFacts {
    for step in &plan.steps {
        let Action::File { path, before, after } = &step.action else { panic!("only files: {step:?}") };
        assert_eq!(facts.files.insert(path.clone(), after.clone()).as_ref(), Some(before));
    }
    facts
}

#[test]
fn it_comes_and_goes_and_is_a_script_that_says_who_wrote_it() {
    let facts = host(Vec::new());
    assert!(!has_libvirt_hook(&facts));
    let plan = libvirt_hook(&facts, true).expect("a plan");
    let [step] = plan.steps.as_slice() else { panic!("one step: {plan:?}") };
    let Action::File { path, after: FileState::File { content, mode: 0o755, .. }, .. } = &step.action else {
        panic!("a script: {step:?}")
    };
    insta::assert_snapshot!(format!("{path}\n{}", String::from_utf8_lossy(&content.0)));
    insta::assert_snapshot!("what_is_said", format!("{}\n{}", step.what, plan.notes.join("\n")));
    let facts = carried_out(facts, &plan);
    assert!(has_libvirt_hook(&facts));
    assert!(libvirt_hook(&facts, true).expect("a plan").is_empty());
    let facts = carried_out(facts.clone(), &libvirt_hook(&facts, false).expect("a plan"));
    assert_eq!(facts.files[LIBVIRT_HOOK], FileState::Absent);
    assert!(libvirt_hook(&facts, false).expect("a plan").is_empty());
}

#[test]
fn a_daemon_that_has_found_a_hook_finds_this_one_too() {
    let own = |executable| {
        let path = "/etc/libvirt/hooks/qemu".to_owned();
        host(vec![Hook { path, executable: Some(executable), text: None }])
    };
    assert_eq!(libvirt_hook(&own(true), true).expect("a plan").notes, Vec::<String>::new());
    assert_eq!(libvirt_hook(&own(false), true).expect("a plan").notes.len(), 1);
}

#[test]
fn what_is_not_ours_stays_and_without_libvirt_nothing_comes() {
    let mut facts = host(Vec::new());
    facts.files.insert(LIBVIRT_HOOK.to_owned(), FileState::root_file("#!/bin/sh\nmine\n", 0o755));
    assert!(!has_libvirt_hook(&facts));
    let refusal = libvirt_hook(&facts, true).expect_err("not ours").to_string();
    assert!(refusal.contains(LIBVIRT_HOOK), "{refusal}");
    assert!(libvirt_hook(&facts, false).expect("a plan").is_empty());
    facts.virtualisation.libvirt = Fact::known(None, "/usr/sbin", "neither libvirtd nor virtqemud");
    let refusal = libvirt_hook(&facts, true).expect_err("no libvirt").to_string();
    assert!(refusal.contains("libvirt is not installed"), "{refusal}");
}
