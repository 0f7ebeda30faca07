//! Every real machine that shows both its configuration space and its groups: what is foretold is what the kernel made.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use passthru_host::{Host, gather};
use passthru_model::HostFacts;
use passthru_plan::predict::{Assumptions, compare, predict};

fn facts(path: &Path) -> HostFacts {
    gather(&Host::open(path).expect("opens"))
}

fn archives() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/hosts");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).map(|e| e.map(|entry| entry.expect("an entry").path()).collect()).unwrap_or_default();
    paths.sort();
    paths
}

#[test]
fn look() {
    for path in archives() {
        let facts = facts(&path);
        let prediction = predict(&facts, &Assumptions::default());
        let mut out = std::io::stderr();
        writeln!(out, "== {:?} {} functions, {} groups foretold, {} uncertain", path.file_name(), facts.functions().count(), prediction.groups.len(), prediction.groups.iter().filter(|g| !g.certain).count()).unwrap();
        for u in &prediction.unseen { writeln!(out, "   unseen {u}").unwrap(); }
        for d in compare(&facts, &prediction).unwrap_or_default() {
            writeln!(out, "   {d:?}").unwrap();
        }
    }
}
