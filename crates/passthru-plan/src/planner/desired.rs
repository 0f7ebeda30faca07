//! What stands at each of our paths once an intent is met, and the steps that bring it there.

use std::collections::BTreeMap;

use passthru_model::intent::{Intent, Method};
use passthru_model::plan::{Content, FileState, Step};
use passthru_model::{HostFacts, managed};

use super::iommu::Parameters;
use super::{Reason, steps, texts};

/// The steps on files, in the order of [`texts::OURS`]; in the other order where all goes.
pub(super) fn file_steps(
    facts: &HostFacts,
    wanted: &Intent,
    needed: &Parameters,
    edits: Vec<(String, String)>,
    reasons: &mut Vec<Reason>,
) -> Vec<Step> {
    let mut found = Vec::new();
    for (path, text) in edits {
        if let Some(before @ FileState::File { mode, uid, gid, .. }) = facts.files.get(&path) {
            let content = Content(text.into_bytes());
            let after = FileState::File { content, mode: *mode, uid: *uid, gid: *gid };
            found.push(steps::file_step(&path, before.clone(), after));
        }
    }
    let mut states = own_files(facts, wanted, needed);
    let mut paths = texts::OURS;
    if wanted.isolate.is_empty() {
        paths.reverse();
    }
    for path in paths {
        let after = states.remove(path).unwrap_or(FileState::Absent);
        found.extend(steps::own_file(facts, path, after, reasons));
    }
    found
}

/// What stands at each of our paths once the intent is met. A path that is not in it is empty then.
fn own_files(facts: &HostFacts, wanted: &Intent, needed: &Parameters) -> BTreeMap<&'static str, FileState> {
    let mut files = BTreeMap::new();
    if wanted.isolate.is_empty() {
        return files;
    }
    if let Some(token) = needed.add {
        files.insert(managed::GRUB_DROP_IN, FileState::root_file(texts::grub_drop_in(token), 0o644));
    }
    let ids = wanted.method == Method::Ids;
    files.insert(managed::GRUB_OFF_ENTRY, FileState::root_file(texts::grub_off(ids), 0o755));
    files.insert(managed::INITRAMFS_HOOK, FileState::root_file(texts::HOOK, 0o755));
    if ids {
        files.insert(managed::MODPROBE, FileState::root_file(texts::modprobe(facts, wanted), 0o644));
        return files;
    }
    let link = |unit: &str| FileState::Link { target: unit.to_owned() };
    files.insert(managed::DEVICES, FileState::root_file(texts::devices(wanted), 0o644));
    files.insert(managed::EARLY, FileState::root_file(texts::EARLY, 0o755));
    files.insert(managed::UDEV_RULE, FileState::root_file(texts::udev_rule(wanted), 0o644));
    files.insert(managed::EARLY_UNIT, FileState::root_file(texts::EARLY_UNIT, 0o644));
    files.insert(managed::EARLY_WANT, link(managed::EARLY_UNIT));
    files.insert(managed::VERIFY_UNIT, FileState::root_file(texts::VERIFY_UNIT, 0o644));
    files.insert(managed::VERIFY_WANT, link(managed::VERIFY_UNIT));
    files.insert(managed::INITRAMFS_INIT_TOP, FileState::root_file(texts::INIT_TOP, 0o755));
    files
}

/// The files of ours that are not as the intent wants them, each with what stands there and what should.
pub(crate) fn drift(facts: &HostFacts, wanted: &Intent) -> Vec<&'static str> {
    // The drop-in's need cannot be told once it has worked, so as it stands it is as it should be.
    let mut states = own_files(facts, wanted, &Parameters::default());
    let kept = facts.files.get(managed::GRUB_DROP_IN).cloned();
    if let (Some(kept), false) = (kept, wanted.isolate.is_empty()) {
        states.insert(managed::GRUB_DROP_IN, kept);
    }
    let mut drifted = Vec::new();
    for path in texts::OURS {
        let after = states.remove(path).unwrap_or(FileState::Absent);
        let mut problems = Vec::new();
        let step = steps::own_file(facts, path, after, &mut problems);
        if step.is_some() || !problems.is_empty() {
            drifted.push(path);
        }
    }
    drifted
}
