//! A guest's file that somebody names: what the rules about guests say of it, line by line, and a patch that mends it.

use passthru_formats::libvirt_domain::{self, DomainError};
use passthru_formats::qemu_command::{self, CommandDomain, QemuCommand};
use passthru_model::HostFacts;
use passthru_model::fact::Evidence;
use passthru_model::finding::{Finding, Remedy, Verdict};
use passthru_model::virtualisation::{Domain, Place};

use crate::checks::{Judgement, Lint, Remark, lints};
use crate::diff;

/// What is said of a guest's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestFile {
    /// A finding for each thing that was found, and for each rule by which nothing was; in the order of [`lints`].
    pub findings: Vec<Finding>,
    /// A unified diff that makes the changes of the file which mend what can be mended by them; empty where nothing can.
    pub patch: String,
}

/// Judges domain XML as if libvirt ran it on this host. `bytes` is what the domain was read from.
pub fn lint_domain(facts: &HostFacts, domain: &Domain, bytes: &[u8]) -> Result<GuestFile, DomainError> {
    let mut findings = Vec::new();
    let mut edits = Vec::new();
    for lint in lints() {
        match lint.judge(facts, domain) {
            Judgement::Found(remarks) => {
                let root = Place::default();
                let places: Vec<&Place> =
                    remarks.iter().map(|remark| remark.place.as_ref().unwrap_or(&root)).collect();
                let lines = libvirt_domain::lines(&domain.path, bytes, &places)?;
                for (remark, line) in remarks.into_iter().zip(lines) {
                    let has_line = remark.place.is_some();
                    let line = remark.line.or(has_line.then_some(line));
                    edits.extend(remark.edits.iter().cloned());
                    findings.push(found(lint, remark, seen(domain, bytes, line)));
                }
            }
            other => findings.push(quiet(lint, other)),
        }
    }
    let text = String::from_utf8_lossy(bytes);
    let better = libvirt_domain::edited(&domain.path, bytes, &edits)?;
    Ok(GuestFile { findings, patch: diff::patch(&domain.path, &text, &better) })
}

/// Rules that are about libvirt's file and not about the guest in it.
const OF_XML: [&str; 1] = ["guest-xml"];

/// Judges a command line of QEMU as if it were run on this host. `text` is what the command was read from.
pub fn lint_command(facts: &HostFacts, read: &CommandDomain, command: &QemuCommand, text: &str) -> GuestFile {
    let domain = &read.domain;
    let mut findings = Vec::new();
    let mut edits = Vec::new();
    for lint in lints().iter().filter(|lint| !OF_XML.contains(&lint.id)) {
        match lint.judge(facts, domain) {
            Judgement::Found(remarks) => {
                for mut remark in remarks {
                    let line = remark.place.as_ref().and_then(|place| read.line_at(place, command));
                    // A remark is mended as a whole or not at all.
                    let translated: Option<Vec<_>> =
                        remark.edits.iter().map(|edit| read.edits(edit)).collect();
                    edits.extend(translated.into_iter().flatten().flatten());
                    if remark.is_of_file || remark.in_command.is_some() {
                        remark.remedy = remark.in_command.take().map(Remedy::by_hand);
                    }
                    let seen = seen(domain, text.as_bytes(), Some(line.unwrap_or(command.line)));
                    findings.push(found(lint, remark, seen));
                }
            }
            other => findings.push(quiet(lint, other)),
        }
    }
    let better = qemu_command::edited(text, command, &edits);
    GuestFile { findings, patch: diff::patch(&domain.path, text, &better) }
}

/// The line that a remark is about.
fn seen(domain: &Domain, bytes: &[u8], line: Option<usize>) -> Option<Evidence> {
    let line = line?;
    let text = String::from_utf8_lossy(bytes);
    let value = text.lines().nth(line.checked_sub(1)?)?.trim().to_owned();
    Some(Evidence::new(format!("{}:{line}", domain.path), value))
}

fn found(lint: &Lint, remark: Remark, seen: Option<Evidence>) -> Finding {
    Finding {
        id: lint.id.to_owned(),
        verdict: remark.verdict,
        summary: remark.what,
        why: lint.why.to_owned(),
        evidence: seen.into_iter().collect(),
        remedy: remark.remedy,
    }
}

/// A rule by which nothing was found.
fn quiet(lint: &Lint, judgement: Judgement) -> Finding {
    let (verdict, summary, evidence, remedy) = match judgement {
        Judgement::Instead(outcome) => (outcome.verdict, outcome.summary, outcome.evidence, outcome.remedy),
        Judgement::NotConcerned => {
            (Verdict::Skip, format!("this is no guest that {}", lint.about()), Vec::new(), None)
        }
        Judgement::Well | Judgement::Found(_) => (Verdict::Pass, lint.title.to_owned(), Vec::new(), None),
    };
    Finding { id: lint.id.to_owned(), verdict, summary, why: lint.why.to_owned(), evidence, remedy }
}
