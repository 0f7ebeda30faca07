//! What runs the desktop.

use std::collections::BTreeSet;

use passthru_host::{Options, Subject, Subjects, gather_with};
use passthru_model::setting::DisplayService;

use crate::boots::host_of;

#[test]
fn a_service_runs_while_its_control_group_has_a_process() {
    let group = |unit: &str| format!("sys/fs/cgroup/system.slice/{unit}/cgroup.events");
    let files = [
        (group("sddm.service"), "populated 1\nfrozen 0\n"),
        (group("gdm.service"), "populated 0\nfrozen 0\n"),
        (group("ssh.service"), "populated 1\nfrozen 0\n"),
        ("sys/fs/cgroup/cgroup.controllers".to_owned(), "cpuset cpu\n"),
    ];
    let host = host_of(files.iter().map(|(path, text)| (path.as_str(), *text)));
    let options = Options { subjects: Subjects::of(&[Subject::RunTime]), ..Options::default() };
    let facts = gather_with(&host, &options);
    let now = facts.tuning.run_time.value().unwrap_or_else(|| panic!("{:?}", facts.tuning.run_time));
    assert_eq!(now.display_services, BTreeSet::from([DisplayService::Sddm]));
}
