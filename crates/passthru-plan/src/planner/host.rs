//! What the host itself is set up for because the intent says so (`[host]`): our files, the two files of others that kvmfr
//! needs, and whether this host can do what is asked for.

mod texts;

use passthru_formats::libvirt_conf;
use passthru_model::address::PciAddress;
use passthru_model::facts::Bootloader;
use passthru_model::hex::PciId;
use passthru_model::host_settings::{HostSettings, ResetMethod, ResetMethods, VirtualFunctions};
use passthru_model::intent::Intent;
use passthru_model::plan::FileState;
use passthru_model::{HostFacts, managed};

use super::Reason;
use super::loader::{Change, States, text_of};
use crate::checks::has_vendor_reset;
use crate::sriov;

/// The node of kvmfr that QEMU opens.
const KVMFR_NODE: &str = "/dev/kvmfr0";
/// libvirt's list of nodes that a guest may open. A list that is set takes the place of libvirt's own.
const DEVICE_LIST: &str = "cgroup_device_acl";
/// That list where its file does not show it (libvirt 9 to 12, `src/qemu/qemu_cgroup.c`). Nodes that are not there are passed over.
const USUAL_DEVICES: [&str; 8] = [
    "/dev/null",
    "/dev/full",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/dev/ptmx",
    "/dev/kvm",
    "/dev/userfaultfd",
];
/// What AppArmor is told.
const APPARMOR_LINE: &str = "  /dev/kvmfr0 rw, # passthru\n";

/// The files of ours. Where a setting is not made, its file is not there.
pub(super) fn own_files(facts: &HostFacts, wanted: &Intent) -> States {
    let mut files = States::new();
    // Virtual functions are guests' without any function being isolated.
    let making = making(facts, wanted);
    let nothing = Intent::default();
    let wanted = if wanted.isolate.is_empty() { &nothing } else { wanted };
    let host = &wanted.host;
    let mut put = |path: &'static str, text: Option<String>| {
        files.extend(text.map(|text| (path, FileState::root_file(text, 0o644))));
    };
    put(managed::HOST_RULES, texts::rules(host, &wanted.isolate, &resets(facts, wanted), &making));
    put(managed::HOST_XORG, host.gpu.map(|gpu| texts::xorg(gpu, driver_of_x(facts, gpu))));
    put(managed::HOST_ENVIRONMENT, host.gpu.map(|_| texts::environment()));
    let memory = facts.memory.totals.value().map(|totals| totals.total_kib);
    put(managed::HOST_LIMITS, host.guest_user.as_ref().map(|user| texts::limits(user, memory)));
    put(managed::HOST_MODULES, texts::modules(host));
    put(managed::KVMFR_OPTIONS, host.kvmfr.map(texts::kvmfr_options));
    files
}

/// The driver of the X server. NVIDIA's own kernel driver works with its own alone.
fn driver_of_x(facts: &HostFacts, gpu: PciAddress) -> &'static str {
    let driver = facts.function(gpu).and_then(|function| function.driver.as_deref());
    if driver == Some("nvidia") { "nvidia" } else { "modesetting" }
}

/// A physical function and the virtual ones that it is to have.
struct Making {
    address: PciAddress,
    /// What must sit there.
    id: PciId,
    number: VirtualFunctions,
}

/// The physical functions that are there, of those of which the intent says how many virtual ones they have.
fn making(facts: &HostFacts, wanted: &Intent) -> Vec<Making> {
    let there = |(address, number): (&PciAddress, &VirtualFunctions)| {
        let function = facts.function(*address)?;
        Some(Making { address: *address, id: function.id, number: *number })
    };
    wanted.host.virtual_functions.iter().filter_map(there).collect()
}

/// Why a function cannot have virtual ones; `None`: it can.
fn cannot_make(
    facts: &HostFacts,
    wanted: &Intent,
    address: PciAddress,
    number: VirtualFunctions,
) -> Option<String> {
    if wanted.isolates(address) {
        return Some("that function is isolated as a whole, and vfio-pci makes none".to_owned());
    }
    let Some(function) = facts.function(address) else {
        return Some("there is no function at this address".to_owned());
    };
    if let Some(physical) = function.physical_function {
        return Some(format!("that is a virtual function of {physical} itself"));
    }
    let most = sriov::of(facts, function)?.total;
    match most {
        0 => Some("that function has none (SR-IOV)".to_owned()),
        most if most < number.get() => Some(format!("that function has {most} at most")),
        _ => None,
    }
}

/// How a function is to be reset.
pub(crate) struct Reset {
    /// The function.
    pub(crate) address: PciAddress,
    /// In these ways.
    pub(crate) methods: ResetMethods,
    /// Whether the module vendor-reset must be there for it.
    pub(crate) of_module: bool,
}

/// The functions of which the intent says how they are reset. What is said of one function alone counts more.
pub(crate) fn resets(facts: &HostFacts, wanted: &Intent) -> Vec<Reset> {
    let host = &wanted.host;
    let named = host.reset_methods.iter().map(|(address, methods)| Reset {
        address: *address,
        methods: methods.clone(),
        of_module: false,
    });
    let known = wanted.isolate.iter().filter(|device| {
        host.vendor_reset
            && !host.reset_methods.contains_key(&device.address)
            && facts.function(device.address).is_some_and(has_vendor_reset)
    });
    let known = known.map(|device| Reset {
        address: device.address,
        methods: ResetMethods::only(ResetMethod::DeviceSpecific),
        of_module: true,
    });
    let mut all: Vec<Reset> = named.chain(known).collect();
    all.sort_by_key(|reset| reset.address);
    all
}

/// Adds the reasons why a setting cannot be had, and what the reader should know of those that can.
pub(super) fn judge(facts: &HostFacts, wanted: &Intent, reasons: &mut Vec<Reason>, notes: &mut Vec<String>) {
    let host = &wanted.host;
    if facts.bootloader.value() == Some(&Bootloader::NixOs) && *host != HostSettings::default() {
        reasons.push(Reason::Setting {
            setting: "what stands under [host]".to_owned(),
            problem: "NixOS makes the files that this would stand in of its configuration; set it there, and take it out here".to_owned(),
        });
    }
    judge_virtual_functions(facts, wanted, reasons, notes);
    if wanted.isolate.is_empty() {
        return;
    }
    if let Some(gpu) = host.gpu {
        judge_gpu(facts, wanted, gpu, reasons, notes);
    }
    for (address, methods) in &host.reset_methods {
        if let Some(problem) = reset_problem(facts, wanted, *address, methods) {
            let setting = format!("reset-methods of {address} = \"{methods}\"");
            reasons.push(Reason::Setting { setting, problem });
        }
    }
    if host.vendor_reset && !resets(facts, wanted).iter().any(|reset| reset.of_module) {
        reasons.push(Reason::Setting {
            setting: "vendor-reset = true".to_owned(),
            problem: "the module has no reset for any isolated device: it knows AMD's Polaris, Vega and Navi 10 to 14".to_owned(),
        });
    }
    note_modules(facts, host, notes);
    if let Some(user) = &host.guest_user {
        let there = facts.sessions.value().is_none_or(|all| all.iter().any(|one| one.user == user.as_str()));
        let unseen =
            if there { "" } else { "; nobody of this name is logged in now, so look at how it is written" };
        notes.push(format!(
            "{user} may start guests without being root: all devices on vfio-pci are theirs, and from their next login on their \
             programs may lock as much memory as the host has{unseen}"
        ));
    }
}

/// Whether each physical function can have the virtual ones that it is to have.
fn judge_virtual_functions(
    facts: &HostFacts,
    wanted: &Intent,
    reasons: &mut Vec<Reason>,
    notes: &mut Vec<String>,
) {
    for (address, number) in &wanted.host.virtual_functions {
        let number = *number;
        if let Some(problem) = cannot_make(facts, wanted, *address, number) {
            let setting = format!("virtual-functions of {address} = {}", number.get());
            reasons.push(Reason::Setting { setting, problem });
            continue;
        }
        let count = number.get();
        notes.push(format!(
            "{address} has its {count} virtual function{} after the next start of the host, and whenever its driver is bound anew; \
             `passthru guest new NAME --device ADDRESS` gives one to a guest",
            if count == 1 { "" } else { "s" }
        ));
    }
}

fn judge_gpu(
    facts: &HostFacts,
    wanted: &Intent,
    gpu: PciAddress,
    reasons: &mut Vec<Reason>,
    notes: &mut Vec<String>,
) {
    let mut cannot = |problem: &str| {
        let setting = format!("gpu = \"{gpu}\"");
        reasons.push(Reason::Setting { setting, problem: problem.to_owned() });
    };
    match facts.function(gpu) {
        _ if wanted.isolates(gpu) => cannot("that one is isolated for guests: name the host's own"),
        None => cannot("there is no function at this address"),
        Some(function) if !function.class.is_display() => cannot("that is no display"),
        Some(_) => {}
    }
    let xorg = facts.desktop.xorg.value().into_iter().flatten();
    let others: Vec<String> = xorg
        .filter(|device| device.path != managed::HOST_XORG && device.bus_id.is_some())
        .map(|device| format!("{}:{}", device.path, device.line))
        .chain(
            facts
                .desktop
                .variables
                .value()
                .into_iter()
                .flatten()
                .filter(|said| said.path != managed::HOST_ENVIRONMENT)
                .map(passthru_model::binding::Said::place),
        )
        .collect();
    if !others.is_empty() {
        notes.push(format!(
            "{} already chooses a graphics card for the desktop, and may be read later than ours",
            others.join(", ")
        ));
    }
    notes.push(format!(
        "the desktop draws on {gpu} from the next login on: the X server, KWin, wlroots, Hyprland (what is started by the user's systemd), \
         and mutter; for a browser of Chromium's family add --render-node-override=/dev/dri/by-path/pci-{gpu}-render"
    ));
}

fn reset_problem(
    facts: &HostFacts,
    wanted: &Intent,
    address: PciAddress,
    methods: &ResetMethods,
) -> Option<String> {
    if !wanted.isolates(address) {
        return Some("that function is not isolated".to_owned());
    }
    let function = facts.function(address)?;
    // What a rule of ours has left out is not listed any more.
    let ours = facts.files.get(managed::HOST_RULES).and_then(|state| state.content()).unwrap_or_default();
    if String::from_utf8_lossy(ours).contains(&texts::resets_of(address)) {
        return None;
    }
    let has = |method: &ResetMethod| function.reset_methods.iter().any(|one| one == method.word());
    let lacks = methods.iter().find(|method| *method != ResetMethod::DeviceSpecific && !has(method))?;
    let there = if function.reset_methods.is_empty() {
        "no reset at all".to_owned()
    } else {
        function.reset_methods.join(", ")
    };
    Some(format!("the kernel has no ‘{}’ for it, but {there}", lacks.word()))
}

/// Says of modules that are no part of Linux where they come from.
fn note_modules(facts: &HostFacts, host: &HostSettings, notes: &mut Vec<String>) {
    let loaded = |name: &str| {
        facts.kernel.loaded.value().is_some_and(|modules| modules.iter().any(|module| module == name))
    };
    let mut note = |is_wanted: bool, module: &str, from: &str| {
        if is_wanted && !loaded(module) {
            notes.push(format!(
                "{module} is no part of Linux and is not loaded now: install it for every kernel ({from}), or `passthru verify` will \
                 miss it after the reboot"
            ));
        }
    };
    note(host.kvmfr.is_some(), "kvmfr", "Looking Glass has it for DKMS");
    note(host.vendor_reset, "vendor_reset", "its project has it for DKMS");
}

/// The changes of files that are not ours: what lets QEMU below libvirt open kvmfr's node comes, and goes with the setting.
pub(super) fn edits(facts: &HostFacts, wanted: &Intent, reasons: &mut Vec<Reason>) -> Vec<Change> {
    let is_wanted = wanted.host.kvmfr.is_some() && !wanted.isolate.is_empty();
    let mut changes = Vec::new();
    let mut edit = |path: &str, new: &dyn Fn(&str) -> Result<String, String>| {
        // What is not there is not made: without libvirt, or AppArmor, nothing reads it.
        if facts.files.get(path).is_none_or(|state| *state == FileState::Absent)
            && !facts.unreadable_files.contains_key(path)
        {
            return;
        }
        let mut obstacles = Vec::new();
        let text = text_of(facts, path, &mut obstacles);
        if is_wanted {
            reasons.append(&mut obstacles);
        }
        let (Some(text), Some(before)) = (text, facts.files.get(path)) else { return };
        match new(text) {
            Ok(new) => changes.extend(Change::to(path, before, new)),
            Err(problem) if is_wanted => reasons.push(Reason::Settings { path: path.to_owned(), problem }),
            Err(_) => {}
        }
    };
    edit(managed::QEMU_CONF, &|text| {
        let new = if is_wanted {
            libvirt_conf::add_to_list(text, DEVICE_LIST, &USUAL_DEVICES, KVMFR_NODE)
        } else {
            libvirt_conf::remove_from_list(text, DEVICE_LIST, KVMFR_NODE)
        };
        new.map_err(|error| error.to_string())
    });
    edit(managed::APPARMOR_QEMU, &|text| {
        let without = text.replace(APPARMOR_LINE, "");
        Ok(if is_wanted { format!("{}{APPARMOR_LINE}", ended(&without)) } else { without })
    });
    changes
}

/// With a line break at the end, unless it is empty.
fn ended(text: &str) -> String {
    let open = !text.is_empty() && !text.ends_with('\n');
    format!("{text}{}", if open { "\n" } else { "" })
}
