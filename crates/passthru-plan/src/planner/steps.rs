//! From the files as they stand and as they should be to steps.

mod about;

use passthru_model::HostFacts;
use passthru_model::managed;
use passthru_model::plan::{Action, Effect, FileState, Step};

use about::{About, about};

use super::texts::MARK;
use super::{Reason, select};

/// A step that brings a file of ours to a state; `None`: it is there already.
pub(crate) fn own_file(
    facts: &HostFacts,
    path: &str,
    after: FileState,
    reasons: &mut Vec<Reason>,
) -> Option<Step> {
    let before = match (facts.unreadable_files.get(path), facts.files.get(path)) {
        (Some(because), _) => {
            reasons.push(select::unreadable(facts, &format!("what stands at {path}"), because));
            return None;
        }
        (None, None) => {
            reasons.push(select::unknown(facts, &format!("what stands at {path}"), "it was not looked at"));
            return None;
        }
        (None, Some(before)) => before.clone(),
    };
    if before == after
        || (is_link(path)
            && matches!(before, FileState::Link { .. })
            && matches!(after, FileState::Link { .. }))
    {
        return None;
    }
    if let Some(problem) = foreign(path, &before) {
        // Where nothing of ours is wanted, what is not ours is not our business.
        if after == FileState::Absent {
            return None;
        }
        reasons.push(Reason::NotOurs { path: path.to_owned(), problem });
        return None;
    }
    // The modes and owners that stand are kept by an edit; only what makes a script a script is set.
    let after = match (&before, after) {
        (FileState::File { uid, gid, .. }, FileState::File { content, mode, .. }) => {
            FileState::File { content, mode, uid: *uid, gid: *gid }
        }
        (_, after) => after,
    };
    (before != after).then(|| file_step(path, before, after))
}

fn is_link(path: &str) -> bool {
    matches!(path, managed::EARLY_WANT | managed::VERIFY_WANT | managed::RECORD_WANT)
}

/// Why what stands at a path of ours is not ours.
fn foreign(path: &str, before: &FileState) -> Option<String> {
    match before {
        FileState::Absent => None,
        FileState::Link { target } => {
            let unit = path.rsplit('/').next().unwrap_or_default();
            let own = is_link(path) && target.rsplit('/').next() == Some(unit);
            (!own).then(|| format!("a symbolic link to {target}"))
        }
        FileState::File { .. } if is_link(path) => Some("a file where a link is expected".to_owned()),
        FileState::File { content, .. } => {
            let text = String::from_utf8_lossy(&content.0);
            let own = text.lines().take(3).any(|line| line.contains(MARK));
            (!own).then(|| format!("its first lines do not say ‘{MARK}’"))
        }
    }
}

/// A step on a file, named after the path.
pub(crate) fn file_step(path: &str, before: FileState, after: FileState) -> Step {
    let About { id, what, why, effect } = about(path, &after);
    let (what, why) = match (&before, &after) {
        _ if matches!(
            id,
            "boot-entries"
                | "firmware-entry"
                | "firmware-order"
                | "mkinitcpio-hooks"
                | "qemu-settings"
                | "apparmor-addition"
        ) =>
        {
            (format!("change {what}"), why.to_owned())
        }
        (_, FileState::Absent) => (format!("remove {what}"), "nothing needs it any more".to_owned()),
        (FileState::Absent, _) => (format!("add {what}"), why.to_owned()),
        _ if id == "grub-settings" => (what.to_owned(), why.to_owned()),
        _ => (format!("bring up to date {what}"), why.to_owned()),
    };
    // Several of these may change: the file's name keeps the ids apart.
    let id = if matches!(
        id,
        "grub-settings"
            | "u-boot-settings"
            | "limine-settings"
            | "off-entry"
            | "boot-entries"
            | "firmware-entry"
    ) {
        let name = path.rsplit('/').next().unwrap_or_default();
        format!(
            "{id}-{}",
            name.trim_end_matches(".cfg")
                .trim_end_matches(managed::OFF_ENTRY_ENDING)
                .trim_end_matches(".conf")
                .trim_end_matches(managed::EFI_GLOBAL)
        )
    } else {
        id.to_owned()
    };
    Step { id, action: Action::File { path: path.to_owned(), before, after }, what, why, effect }
}

/// The step on the intent file.
pub(crate) fn intent_step(before: FileState, after: FileState, what: &str) -> Step {
    Step {
        id: "intent".to_owned(),
        action: Action::File { path: passthru_model::intent::INTENT_PATH.to_owned(), before, after },
        what: what.to_owned(),
        why: "it is what all the rest is made from".to_owned(),
        effect: Effect::Now,
    }
}
