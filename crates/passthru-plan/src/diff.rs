//! What a step changes, as text for a person: a unified diff.

use std::fmt::Write as _;

use passthru_formats::{boot_entries, efi_variable};
use passthru_model::managed;
use passthru_model::plan::{Action, Expectation, FileState, Step};
use passthru_model::rebinding::Rebinding;
use passthru_model::setting::Setting;
use similar::TextDiff;

/// What a step changes: a unified diff of its file; what a program is run for and what must hold afterwards; or which
/// functions go from which driver to which.
///
/// Text of files is data from outside: characters that a terminal would act on are written out.
pub fn of_step(step: &Step) -> String {
    match &step.action {
        Action::File { path, before, after } => of_file(path, before, after),
        Action::Run { program, arguments, rewrites, expect } => {
            let mut text = format!("run {}", program.file_name());
            for argument in arguments {
                let _ = write!(text, " {}", visible(argument));
            }
            text.push('\n');
            for path in rewrites {
                let _ = writeln!(text, "  rewrites {}", visible(path));
            }
            for one in expect {
                let _ = writeln!(text, "  afterwards {}", visible(&expectation(one)));
            }
            text
        }
        Action::Rebind { functions } => of_functions(functions),
        Action::Tune { settings } => of_settings(settings),
    }
}

/// What each value of the running kernel is, and is to be.
fn of_settings(settings: &[Setting]) -> String {
    settings.iter().fold(String::new(), |mut text, setting| {
        let _ = writeln!(text, "{}: {} -> {}", setting.place.path(), setting.before, setting.after);
        text
    })
}

/// Who has each function, and who is to have it.
fn of_functions(functions: &[Rebinding]) -> String {
    functions.iter().fold(String::new(), |mut text, function| {
        let before = function.before.driver.as_deref().unwrap_or("no driver");
        let _ = writeln!(text, "{}: {} -> {}", function.device.address, visible(before), function.after);
        text
    })
}

/// A unified diff of one path from one state to another; empty where nothing changes.
pub fn of_file(path: &str, before: &FileState, after: &FileState) -> String {
    if before == after {
        return String::new();
    }
    let path = visible(path);
    let mut text = String::new();
    let name = |state: &FileState| match state {
        FileState::Absent => "/dev/null".to_owned(),
        _ => path.clone(),
    };
    let _ = writeln!(text, "--- {}\n+++ {}", name(before), name(after));
    for line in about(before, after) {
        let _ = writeln!(text, "{}", visible(&line));
    }
    let shown = |state| of_variable(&path, state).or_else(|| body(state));
    let (Some(old), Some(new)) = (shown(before), shown(after)) else {
        let _ = writeln!(text, "binary content changes");
        return text;
    };
    for line in hunks(&old, &new).split_terminator('\n') {
        let _ = writeln!(text, "{}", visible(line));
    }
    text
}

/// What a variable of the firmware says: what a boot entry starts, or the numbers of entries in their order. `None`: it is another
/// file.
fn of_variable(path: &str, state: &FileState) -> Option<String> {
    let bytes = state.content()?;
    if path == managed::BOOT_ORDER {
        let numbers = efi_variable::order(bytes)?;
        return Some(numbers.iter().fold(String::new(), |mut text, number| {
            let _ = writeln!(text, "{number:04X}");
            text
        }));
    }
    managed::boot_number(path)?;
    let entry = boot_entries::firmware(path, bytes)?;
    let [title, kernel] = [entry.title, entry.kernel].map(Option::unwrap_or_default);
    Some(format!("{title}\n{kernel}\n{}\n", entry.cmdline))
}

/// A unified diff of one path from one text to another, as patch(1) takes it: nothing is written out that a terminal would act
/// on. Empty where nothing changes.
pub fn patch(path: &str, old: &str, new: &str) -> String {
    if old == new { String::new() } else { format!("--- {path}\n+++ {path}\n{}", hunks(old, new)) }
}

/// What differs between two texts.
fn hunks(old: &str, new: &str) -> String {
    let mut text = String::new();
    let diff = TextDiff::from_lines(old, new);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        let _ = writeln!(text, "{}", hunk.header());
        for change in hunk.iter_changes() {
            let line = change.value();
            let _ = writeln!(text, "{}{}", change.tag(), line.strip_suffix('\n').unwrap_or(line));
            if change.missing_newline() {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    }
    text
}

/// What changes besides the bytes: the mode, the owner, and what kind of thing it is.
fn about(before: &FileState, after: &FileState) -> Vec<String> {
    let mut lines = Vec::new();
    match (before, after) {
        (FileState::File { mode, uid, gid, .. }, FileState::File { mode: to, uid: user, gid: group, .. }) => {
            if mode != to {
                lines.push(format!("mode {mode:04o} -> {to:04o}"));
            }
            if (uid, gid) != (user, group) {
                lines.push(format!("owner {uid}:{gid} -> {user}:{group}"));
            }
        }
        (_, FileState::File { mode, .. }) => lines.push(format!("new file, mode {mode:04o}")),
        (FileState::File { mode, .. }, FileState::Absent) => {
            lines.push(format!("file removed, mode {mode:04o}"));
        }
        _ => {}
    }
    if let FileState::Link { target } = before {
        lines.push(format!("-symbolic link to {target}"));
    }
    if let FileState::Link { target } = after {
        lines.push(format!("+symbolic link to {target}"));
    }
    lines
}

fn body(state: &FileState) -> Option<String> {
    match state.content() {
        None => Some(String::new()),
        Some(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
    }
}

fn expectation(one: &Expectation) -> String {
    match one {
        Expectation::Contains { path, needles } => format!("{path} contains {}", needles.join(", ")),
        Expectation::Lacks { path, needles } => format!("{path} does not contain {}", needles.join(", ")),
        Expectation::ImageHolds { path, entries } => format!("{path} holds {}", entries.join(", ")),
        Expectation::ImageLacks { path, entries } => format!("{path} does not hold {}", entries.join(", ")),
    }
}

/// Text from outside with everything written out that a terminal would act on. Tabs stay.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        // Besides control characters: marks that turn the direction of writing, so that text could read as another.
        let acts = c.is_control() && c != '\t'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if acts {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{of_file, visible};
    use passthru_model::plan::FileState;

    #[test]
    fn an_edit_a_creation_and_a_removal_are_shown() {
        let old = FileState::root_file("a\nb\nc\n", 0o644);
        let new = FileState::root_file("a\nB\nc", 0o755);
        assert_eq!(
            of_file("/etc/x", &old, &new),
            "--- /etc/x\n+++ /etc/x\nmode 0644 -> 0755\n@@ -1,3 +1,3 @@\n a\n-b\n-c\n+B\n+c\n\\ No newline at end of file\n"
        );
        assert_eq!(
            of_file("/etc/x", &FileState::Absent, &FileState::root_file("a\n", 0o644)),
            "--- /dev/null\n+++ /etc/x\nnew file, mode 0644\n@@ -0,0 +1 @@\n+a\n"
        );
        assert_eq!(
            of_file("/etc/x", &FileState::Link { target: "/y".to_owned() }, &FileState::Absent),
            "--- /etc/x\n+++ /dev/null\n-symbolic link to /y\n"
        );
        assert_eq!(of_file("/etc/x", &old, &old), "");
    }

    #[test]
    fn what_a_terminal_would_act_on_is_written_out() {
        assert_eq!(visible("a\u{1b}[2Jb\tc\r\u{202e}"), "a\\u{1b}[2Jb\tc\\u{d}\\u{202e}");
    }
}
