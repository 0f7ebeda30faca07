//! The script by which libvirt has the host changed for the guests that it starts: it comes and goes by a plan, as all of our
//! files do, and lies beside the user's own hooks.

use passthru_model::HostFacts;
use passthru_model::managed::LIBVIRT_HOOK;
use passthru_model::plan::{FileState, Plan};

use super::steps::own_file;
use super::texts::MARK;
use super::{Reason, Refusal, select};

/// The script.
const TEXT: &str = include_str!("files/libvirt-hook.sh");

/// Why the daemon is to be restarted before it calls us.
const RESTART_TO_CALL: &str = "libvirt's daemon looks for hooks when it starts, and this host had none: restart it afterwards, which \
     guests that run do not feel (systemctl restart libvirtd, or virtqemud where that runs)";

/// Why it is to be restarted once it calls us no more. It keeps a list of devices that somebody else gave to vfio-pci for it, and those
/// on the list it does not give back (`virPCIDeviceDetach` adds none that is there already; seen of libvirt 11.3 in the laboratory).
const RESTART_TO_FORGET: &str = "libvirt's daemon remembers devices that passthru gave to vfio-pci for it, and would leave them there after \
     a guest that has them with managed='yes': restart it before one starts (systemctl restart libvirtd, or virtqemud where that runs)";

/// The plan that has libvirt call passthru around each guest, or no more. Empty where it is so already.
pub fn libvirt_hook(facts: &HostFacts, wanted: bool) -> Result<Plan, Refusal> {
    let mut reasons = Vec::new();
    if wanted {
        reasons.extend(no_libvirt(facts));
    }
    let after = if wanted { FileState::root_file(TEXT, 0o755) } else { FileState::Absent };
    let step = own_file(facts, LIBVIRT_HOOK, after, &mut reasons);
    if !reasons.is_empty() {
        return Err(Refusal { reasons });
    }
    let title = if wanted {
        "have libvirt call passthru around each guest"
    } else {
        "have libvirt call passthru no more"
    };
    let note = match (&step, wanted) {
        (Some(_), true) if !finds_hooks_already(facts) => Some(RESTART_TO_CALL),
        (Some(_), false) => Some(RESTART_TO_FORGET),
        _ => None,
    };
    let notes = note.map(str::to_owned).into_iter().collect();
    Ok(Plan { title: title.to_owned(), steps: step.into_iter().collect(), notes, guest: None })
}

/// Whether libvirt on this host calls passthru around each guest.
pub fn has_libvirt_hook(facts: &HostFacts) -> bool {
    match facts.files.get(LIBVIRT_HOOK) {
        Some(FileState::File { content, mode, .. }) => {
            mode & 0o111 != 0 && String::from_utf8_lossy(&content.0).contains(MARK)
        }
        _ => false,
    }
}

/// Why there is nobody who would run the script.
fn no_libvirt(facts: &HostFacts) -> Option<Reason> {
    let libvirt = &facts.virtualisation.libvirt;
    match libvirt.value() {
        None => Some(select::unknown(
            facts,
            "whether libvirt is installed",
            libvirt.because().unwrap_or_default(),
        )),
        Some(Some(found)) if found.daemons.value().is_none_or(|daemons| !daemons.is_empty()) => None,
        Some(_) => Some(Reason::CannotTune(
            "libvirt is not installed, so nothing would call its hook (Debian: libvirt-daemon-system)"
                .to_owned(),
        )),
    }
}

/// Whether a daemon that runs has found a hook that can be run when it started; then it looks at the directory anew for each call.
fn finds_hooks_already(facts: &HostFacts) -> bool {
    let libvirt = facts.virtualisation.libvirt.value().and_then(Option::as_ref);
    let hooks = libvirt.and_then(|libvirt| libvirt.hooks.value());
    hooks.is_some_and(|hooks| hooks.iter().any(|hook| hook.executable == Some(true)))
}
