//! Plans in files: `plan -o FILE`, `apply FILE`. Such a file comes from outside, and is held to a list of what a plan
//! may touch and run.
//!
//! The list keeps a plan from reaching beyond the places that passthru manages. It does not make a stranger's plan safe:
//! scripts in those places run as root. Read the differences that it shows, or make the plan yourself.

use passthru_formats::boot_entries;
use passthru_model::managed;
use passthru_model::plan::{Action, Expectation, FileState, Plan, Step};
use passthru_model::program::Program;
use serde::{Deserialize, Serialize};

/// The schema's name and version.
pub const PLAN_FILE_SCHEMA: &str = "passthru.plan-file/1";
/// More than any plan needs.
const MAXIMUM_SIZE: usize = 16 * 1024 * 1024;

/// A plan, and the host that it was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// The name and version of this form.
    pub schema: String,
    /// What tells the host from others and stays the same over reboots; the caller makes and compares it.
    pub host: String,
    /// The plan.
    pub plan: Plan,
}

/// Why a plan file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFileError {
    /// It is not such a file.
    #[error("not a plan file: {0}")]
    Malformed(String),
    /// It has another version.
    #[error("the plan file is of the form ‘{0}’; this passthru reads ‘{PLAN_FILE_SCHEMA}’")]
    Schema(String),
    /// It asks for something that no plan of passthru asks for.
    #[error("the plan file is refused: step ‘{step}’ {what}")]
    Refused {
        /// The step's name.
        step: String,
        /// What it asks for.
        what: String,
    },
}

/// The bytes of a plan file.
pub fn write(plan: &Plan, host: &str) -> Result<Vec<u8>, serde_json::Error> {
    let file = PlanFile { schema: PLAN_FILE_SCHEMA.to_owned(), host: host.to_owned(), plan: plan.clone() };
    let mut bytes = serde_json::to_vec_pretty(&file)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a plan file, and refuses what no plan of passthru asks for.
pub fn parse(bytes: &[u8]) -> Result<PlanFile, PlanFileError> {
    #[derive(Deserialize)]
    struct Envelope {
        schema: String,
    }
    let malformed = |error: serde_json::Error| PlanFileError::Malformed(error.to_string());
    if bytes.len() > MAXIMUM_SIZE {
        return Err(PlanFileError::Malformed("it is larger than 16 MiB".to_owned()));
    }
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(malformed)?;
    if envelope.schema != PLAN_FILE_SCHEMA {
        return Err(PlanFileError::Schema(envelope.schema));
    }
    let file: PlanFile = serde_json::from_slice(bytes).map_err(malformed)?;
    for step in &file.plan.steps {
        allowed(step).map_err(|what| PlanFileError::Refused { step: step.id.clone(), what })?;
    }
    Ok(file)
}

fn allowed(step: &Step) -> Result<(), String> {
    match &step.action {
        Action::File { path, before, after } => {
            if !is_managed(path) {
                return Err(format!("changes ‘{path}’, which passthru does not manage"));
            }
            let kept = [before, after].iter().all(|state| matches!(state, FileState::File { .. }));
            let is_ours = [before, after].iter().all(|state| is_way_back(path, state));
            if is_entry_of_others(path) && !kept && !is_ours {
                return Err(format!("adds or removes the boot entry ‘{path}’, where passthru only edits"));
            }
            state(path, before, after)
        }
        Action::Run { program, arguments, rewrites, expect } => {
            arguments_allowed(*program, arguments)?;
            let looked_at = expect.iter().map(|expectation| match expectation {
                Expectation::Contains { path, .. }
                | Expectation::Lacks { path, .. }
                | Expectation::ImageHolds { path, .. }
                | Expectation::ImageLacks { path, .. } => path,
            });
            match rewrites.iter().chain(looked_at).find(|path| !is_built(path)) {
                Some(path) => {
                    Err(format!("says that a program rewrites ‘{path}’, which is not under /boot or /efi"))
                }
                None => Ok(()),
            }
        }
        Action::Rebind { .. } => Err(AT_RUN_TIME.to_owned()),
        Action::Tune { .. } => Err(AT_GUEST_START.to_owned()),
    }
}

/// Why a step that is done at run time has no place in a file: what it starts from is over by then.
const AT_RUN_TIME: &str =
    "gives functions to other drivers, which ‘passthru bind’ and ‘passthru unbind’ do at once";

/// The same for values of the running kernel.
const AT_GUEST_START: &str =
    "changes the running kernel, which ‘passthru guest start’ does while a guest runs";

fn state(path: &str, before: &FileState, after: &FileState) -> Result<(), String> {
    match after {
        FileState::Absent => Ok(()),
        FileState::File { mode, .. } if mode & !0o755 != 0 => {
            Err(format!("gives ‘{path}’ the mode {mode:04o}"))
        }
        FileState::File { uid, gid, .. } => match before {
            _ if (*uid, *gid) == (0, 0) => Ok(()),
            FileState::File { uid: uid_then, gid: gid_then, .. } if (uid, gid) == (uid_then, gid_then) => {
                Ok(())
            }
            _ => Err(format!("gives ‘{path}’ to {uid}:{gid}")),
        },
        FileState::Link { .. } if before == after => Ok(()),
        FileState::Link { target } => match resolve(path, target) {
            Some(leads) if managed::FILES.contains(&leads.as_str()) => Ok(()),
            _ => Err(format!("makes ‘{path}’ a link to ‘{target}’")),
        },
    }
}

fn arguments_allowed(program: Program, arguments: &[String]) -> Result<(), String> {
    let release = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_digit())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+-~".contains(&byte))
    };
    let well = match program {
        Program::UpdateInitramfs => {
            arguments.iter().all(|it| matches!(it.as_str(), "-u" | "-c" | "-k" | "-v" | "all") || release(it))
        }
        Program::Dracut => match arguments {
            [force, image, kernel] => force == "--force" && is_built(image) && release(kernel),
            _ => false,
        },
        // A preset with a slash in its name would be a file anywhere.
        Program::Mkinitcpio => match arguments {
            [preset, name] => preset == "-p" && is_plain_name(name),
            [of, kernel, make, image] => of == "-k" && make == "-g" && release(kernel) && is_built(image),
            _ => false,
        },
        Program::KernelInstall => match arguments {
            [add, kernel, image] => {
                let modules = |image: &String| {
                    image.strip_prefix("/usr/lib/modules/") == Some(&format!("{kernel}/vmlinuz"))
                };
                add == "add" && release(kernel) && (is_built(image) || modules(image))
            }
            _ => false,
        },
        // Its arguments go to grub-mkconfig, which can be told to write anywhere.
        Program::UpdateGrub | Program::Kernelstub | Program::UBootUpdate | Program::LimineMkinitcpio => {
            arguments.is_empty()
        }
        Program::GrubMkconfig | Program::Grub2Mkconfig => match arguments {
            [output, menu] => output == "-o" && managed::GRUB_MENUS.contains(&menu.as_str()),
            _ => false,
        },
        Program::Modprobe
        | Program::Rmmod
        | Program::Systemctl
        | Program::QemuSystemX86_64
        | Program::Virsh => false,
    };
    if well { Ok(()) } else { Err(format!("runs ‘{}’", program.command_line(arguments))) }
}

/// Whether a text can be a file's name and no option, and leads nowhere else.
fn is_plain_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-@".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(plain)
}

fn is_managed(path: &str) -> bool {
    managed::FILES.contains(&path)
        || path == managed::BOOT_ORDER
        || managed::boot_number(path).is_some()
        || managed::DIRECTORIES.iter().filter(|(directory, _)| !directory.starts_with("/usr/")).any(
            |(directory, ending)| {
                path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')).is_some_and(|name| {
                    name.len() > ending.len() && name.ends_with(ending) && !name.contains(['/', '\0'])
                })
            },
        )
}

/// Whether a boot entry of the firmware is not there or is the one without passthrough.
fn is_way_back(path: &str, state: &FileState) -> bool {
    let is_ours = |bytes: &[u8]| boot_entries::is_firmware_off(path, bytes);
    managed::boot_number(path).is_some() && state.content().is_none_or(is_ours)
}

/// Whether a file is a boot entry that is not ours by its name.
fn is_entry_of_others(path: &str) -> bool {
    managed::boot_number(path).is_some()
        || path == managed::BOOT_ORDER
        || (managed::is_single_entry(path) && !path.ends_with(managed::OFF_ENTRY_ENDING))
}

fn is_built(path: &str) -> bool {
    let inside = ["/boot/", "/efi/", "/var/lib/initramfs-tools/"]
        .iter()
        .find_map(|directory| path.strip_prefix(directory));
    inside.is_some_and(|rest| {
        !path.contains('\0') && rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
    })
}

/// Where a link at `path` leads, by its text alone.
fn resolve(path: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return Some(target.to_owned());
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
