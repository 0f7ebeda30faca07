//! Domains that people published, judged by their files: real faults are found, no others, and the patch mends what it says.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use passthru_formats::libvirt_domain::{self, DomainError};
use passthru_host::{Host, gather};
use passthru_model::{HostFacts, Verdict};
use passthru_plan::guest_file::{GuestFile, lint_domain};

use crate::published::files;
use crate::{Made, corpora, say};

fn judged(facts: &HostFacts, name: &str, bytes: &[u8]) -> Result<GuestFile, DomainError> {
    let domain = libvirt_domain::parse(name, bytes)?;
    lint_domain(facts, &domain, bytes)
}

/// The faults, a line each.
fn faults(file: &GuestFile) -> String {
    let mut out = String::new();
    for finding in file.findings.iter().filter(|finding| finding.verdict >= Verdict::Warn) {
        let place = finding.evidence.first().map_or("", |one| one.path.as_str());
        let line = place.rsplit_once(':').map_or("-", |(_, line)| line);
        let _ = writeln!(out, "  {line}: {} {}: {}", finding.verdict.word(), finding.id, finding.summary);
    }
    out
}

/// Published domains by their paths below the folder.
fn domains(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let xml = files(folder).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "xml"));
    xml.map(|path| {
        let name = path.strip_prefix(folder).expect("below").display().to_string();
        (name, std::fs::read(&path).expect("reads"))
    })
    .collect()
}

/// Each line of this snapshot was held against its file.
#[test]
fn the_faults_of_published_domains_are_found_and_no_others() {
    let Some(folder) = corpora("setups") else { return };
    let nothing = tempfile::tempdir().expect("a folder");
    let facts = gather(&Host::open(nothing.path()).expect("opens"));
    let mut out = String::new();
    for (name, bytes) in domains(&folder) {
        let _ = match judged(&facts, &name, &bytes) {
            Ok(file) => write!(out, "{name}\n{}", faults(&file)),
            Err(error) => writeln!(out, "{error}"),
        };
    }
    insta::assert_snapshot!(out);
}

/// The same text with the patch applied, by patch(1) itself; `None` where that is not installed.
pub(crate) fn patched(text: &[u8], patch: &str) -> Option<Vec<u8>> {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("guest.xml");
    std::fs::write(&file, text).expect("writes");
    let mut child = Command::new("patch").arg("--silent").arg(&file).stdin(Stdio::piped()).spawn().ok()?;
    child.stdin.take().expect("a pipe").write_all(patch.as_bytes()).expect("writes");
    assert!(child.wait().expect("ends").success(), "{patch}");
    Some(std::fs::read(&file).expect("reads"))
}

/// Whether a domain is one by libvirt's own schema; `None` where there is no xmllint or no schema.
fn is_valid(text: &[u8]) -> Option<bool> {
    let schema = corpora("libvirt/schemas")?.join("domain.rng");
    let mut child = Command::new("xmllint")
        .args(["--noout", "--relaxng"])
        .arg(schema)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take().expect("a pipe").write_all(text).expect("writes");
    Some(child.wait().expect("ends").success())
}

/// On a machine that has few of the devices and processors that they name, so that there is much to mend.
#[test]
fn a_patched_domain_has_nothing_left_that_a_patch_would_mend() {
    let Some(folder) = corpora("setups") else { return };
    let facts = Made::new().facts();
    let (mut mended, mut by_patch, mut valid) = (0, 0, 0);
    for (name, bytes) in domains(&folder) {
        let Ok(first) = judged(&facts, &name, &bytes) else { continue };
        if first.patch.is_empty() {
            continue;
        }
        let Some(better) = patched(&bytes, &first.patch) else {
            say("skipped: patch(1) is not installed");
            return;
        };
        by_patch += 1;
        let second = judged(&facts, &name, &better).expect("still a domain");
        assert_eq!(second.patch, "", "{name}");
        let count = |file: &GuestFile| faults(file).lines().count();
        assert!(count(&second) < count(&first), "{name}:\n{}\n{}", faults(&first), faults(&second));
        mended += count(&first) - count(&second);
        match (is_valid(&bytes), is_valid(&better)) {
            (Some(true), now) => {
                assert_eq!(now, Some(true), "{name}:\n{}", first.patch);
                valid += 1;
            }
            (None, _) => say("skipped: no schema or no xmllint"),
            _ => {}
        }
    }
    say(&format!("{by_patch} domains patched, {mended} faults mended, {valid} valid before and after"));
    assert!(by_patch > 40, "{by_patch}");
}
