//! The README of a journal: in words what was done, and the commands that undo it by hand.

use std::fmt::Write as _;

use passthru_model::plan::{Action, Plan};

use crate::by_hand::{self, Prefix};
use crate::record::Image;
use crate::{rebound, tuned};

/// The text. `images` are the first before-images of every path, `directories` what is made for them.
pub(crate) fn text(plan: &Plan, journal: &str, images: &[Image], directories: &[String]) -> String {
    let mut text = format!(
        "passthru is about to change this host, or has changed it: {}\n\n\
         ‘passthru undo’ takes it back, keeping what you edited since. So does, from a rescue system with this\n\
         one mounted at DIR, ‘passthru undo --root DIR’. Everything needed to do it by hand is here too.\n\n\
         What is done, in this order (records.jsonl says how far it came):\n\n",
        one_line(&plan.title)
    );
    for (index, step) in plan.steps.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:4}. {}", index + 1, one_line(&step.what));
        let _ = match &step.action {
            Action::File { path, .. } => writeln!(text, "      {}", one_line(path)),
            Action::Run { program, arguments, rewrites, .. } if rewrites.is_empty() => {
                writeln!(text, "      {}", one_line(&program.command_line(arguments)))
            }
            Action::Run { program, arguments, rewrites, .. } => writeln!(
                text,
                "      {} (rewrites {})",
                one_line(&program.command_line(arguments)),
                one_line(&rewrites.join(", "))
            ),
            Action::Tune { settings } => settings.iter().try_for_each(|setting| {
                let path = setting.place.path();
                writeln!(text, "      {path}: from {} to {}", setting.before, setting.after)
            }),
            Action::Rebind { functions } => functions.iter().try_for_each(|function| {
                let before = function.before.driver.as_deref().unwrap_or("no driver");
                writeln!(
                    text,
                    "      {}: from {} to {}",
                    function.device.address,
                    one_line(before),
                    function.after
                )
            }),
        };
    }
    if plan.ends_with_boot() {
        text.push_str("\nNothing of it is in a file: a reboot undoes all of it too.\n");
    }
    text.push_str(
        "\nThe files in before/ are what stood there, with the same owner, mode and time. To undo all of it by hand,\n\
         run these lines as root with sh. They put back the files as they were before, so they lose what was edited\n\
         since. On another system, say where this one is mounted: root=/mnt sh.\n\n",
    );
    text.push_str(&commands(plan, journal, images, directories));
    let programs: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Run { program, arguments, rewrites, .. } if !rewrites.is_empty() => {
                Some(program.command_line(arguments))
            }
            Action::File { .. } | Action::Run { .. } | Action::Rebind { .. } | Action::Tune { .. } => None,
        })
        .collect();
    if !programs.is_empty() {
        let _ = write!(
            text,
            "\nIf a kernel was installed or updated since, the copies in before/ of what programs build are out of date.\n\
             Then, after the lines above, build them anew:\n\n{}",
            programs.iter().fold(String::new(), |text, line| format!("{text}    {}\n", one_line(line)))
        );
    }
    text
}

/// The commands alone, each on a line of its own, indented.
fn commands(plan: &Plan, journal: &str, images: &[Image], directories: &[String]) -> String {
    let prefix = Prefix::variable();
    let mut lines = vec!["root=${root:-}".to_owned()];
    for step in plan.steps.iter().rev() {
        lines.extend(step.settings().iter().rev().flat_map(|setting| tuned::commands(&prefix, setting)));
        lines.extend(step.rebindings().iter().flat_map(|function| rebound::commands(&prefix, function)));
    }
    lines.extend(images.iter().rev().filter_map(|image| by_hand::put_back(&prefix, journal, image)));
    lines.extend(directories.iter().rev().map(|path| by_hand::remove_directory(&prefix, path)));
    lines.push("sync".to_owned());
    lines.iter().fold(String::new(), |text, line| format!("{text}    {line}\n"))
}

/// Text from outside on one line, so that it cannot pass for one of ours.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
