//! Every real machine that shows its groups: what is foretold of its configuration space is what its kernel made of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use passthru_host::{Host, gather};
use passthru_plan::predict::{Assumptions, Difference, Prediction, compare, predict};

/// The differences that are there, reviewed one by one: machine, a function of it, and why it is so.
///
/// A machine that is not in here has none: members of all groups are equal, and the same functions are in no group.
const REVIEWED: &[(&str, &str, &str)] = &[
    // Its archive has 256 bytes of configuration space, so that no port's services are seen. The real groups are within
    // what is foretold at worst and at best.
    ("amd-3550H-gtx1650-laptop.tar.gz", "0000:00:01.0", "not all could be read"),
    ("amd-3550H-gtx1650-laptop.tar.gz", "0000:00:08.0", "not all could be read"),
    // Its archive has no configuration space at all.
    ("ghw-linux-amd64-415ee03b8c4d1c4f07ae2e9d8b3d3d6d.tar.gz", "0000:00:06.0", "not all could be read"),
    ("ghw-linux-amd64-415ee03b8c4d1c4f07ae2e9d8b3d3d6d.tar.gz", "0000:00:07.0", "not all could be read"),
    ("ghw-linux-amd64-415ee03b8c4d1c4f07ae2e9d8b3d3d6d.tar.gz", "0000:00:14.0", "not all could be read"),
];

/// The archives of real machines; none where the folder is not there.
fn archives() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/hosts");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        say("skipped: the folder of real machines' data is not there");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}

/// Whether a difference stands in the table, with the explanation that the program itself gives.
fn is_reviewed(machine: &str, difference: &Difference) -> bool {
    REVIEWED.iter().any(|(name, function, because)| {
        *name == machine
            && difference.functions.first().is_some_and(|first| first.to_string() == *function)
            && difference.because.iter().any(|text| text.contains(because))
    })
}

#[test]
fn what_is_foretold_of_real_machines_is_what_their_kernels_made() {
    let (mut machines, mut functions, mut whole, mut reviewed) = (0, 0, 0, 0);
    for path in archives() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let facts = gather(&Host::open(&path).expect("opens"));
        let prediction = predict(&facts, &Assumptions::default());
        covers(&name, &facts, &prediction);
        let Some(differences) = compare(&facts, &prediction) else {
            say(&format!("{name}: no groups to compare with, {} foretold", prediction.groups.len()));
            continue;
        };
        for difference in &differences {
            assert!(is_reviewed(&name, difference), "{name}: {difference:?}");
        }
        if prediction.unseen.is_empty() {
            assert!(prediction.groups.iter().all(|group| group.certain), "{name}");
            assert_eq!(differences, Vec::new(), "{name}: all of it is seen");
            whole += facts.functions().count();
        }
        machines += 1;
        functions += facts.functions().count();
        reviewed += differences.len();
        say(&format!(
            "{name}: {} functions, {} groups, {} differences",
            facts.functions().count(),
            prediction.groups.len(),
            differences.len()
        ));
    }
    if machines > 0 {
        assert_eq!(reviewed, REVIEWED.len(), "the table has an entry that is not needed any more");
    }
    say(&format!(
        "{machines} machines with groups, {functions} functions: {whole} on machines seen whole, all as foretold; {reviewed} differences on the others, all reviewed"
    ));
}

/// Every function is in one foretold group, or in none for a reason.
fn covers(name: &str, facts: &passthru_model::HostFacts, prediction: &Prediction) {
    for function in facts.functions() {
        let groups = prediction
            .groups
            .iter()
            .filter(|group| group.members.iter().any(|member| member.address == function.address))
            .count();
        let left_out = prediction.ungrouped.contains_key(&function.address);
        assert_eq!(groups + usize::from(left_out), 1, "{name} {}", function.address);
    }
}
