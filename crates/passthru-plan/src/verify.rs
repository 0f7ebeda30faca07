//! Whether the host is where the intent wants it, after the reboot.

mod host;
mod settings;

use std::fmt::Write as _;

use passthru_formats::cmdline::CommandLine;
use passthru_model::address::{PciAddress, PciSlot};
use passthru_model::fact::Evidence;
use passthru_model::finding::{Finding, Remedy, Verdict};
use passthru_model::intent::{DeviceIdentity, Intent, Method};
use passthru_model::pci::PciFunction;
use passthru_model::{HostFacts, managed};

use crate::groups::company;
use crate::planner::{
    INTEL_ON, drift, each_once, effective_parameters, missing_in_image, off_words, rebuild_command,
    words_of_settings,
};

const WHY_DEVICE: &str = "a guest can have a device only while vfio-pci has it on the host";
const WHY_GROUP: &str = "the kernel opens a group only if no host driver has a device in it";
const WHY_CARD: &str =
    "a guest with a part of a card cannot reset it, and the host's driver may fail on the rest";
const WHY_PARAMETERS: &str = "what the boot loader passes is what the kernel does, whatever the settings say";
const WHY_IMAGE: &str =
    "drivers are loaded from the initramfs before the real root is there; a kernel update makes a new one";
const WHY_FILES: &str = "the next boot does what stands in these files";

/// Judges a running host against its intent: one finding for each device, each group and card with a problem, the
/// kernel parameters, and our files. Worst first is up to the caller; the order here is stable.
pub fn verify(facts: &HostFacts, intent: &Intent) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        intent.isolate.iter().map(|one| device(facts, one, intent.method)).collect();
    findings.extend(cards(facts, intent));
    findings.extend(groups(facts, intent));
    findings.extend(strays(facts, intent));
    findings.push(parameters(facts, intent));
    findings.extend(settings::findings(facts, intent));
    findings.extend(host::findings(facts, intent));
    findings.push(files(facts, intent));
    findings.extend(images(facts, intent));
    findings
}

/// Judges what the files alone tell, of a host that need not run: our files, and what each initramfs holds of them.
pub fn verify_files(facts: &HostFacts, intent: &Intent) -> Vec<Finding> {
    let mut findings = vec![files(facts, intent)];
    findings.extend(images(facts, intent));
    findings
}

fn finding(id: impl Into<String>, verdict: Verdict, summary: impl Into<String>, why: &str) -> Finding {
    Finding {
        id: id.into(),
        verdict,
        summary: summary.into(),
        why: why.to_owned(),
        evidence: Vec::new(),
        remedy: None,
    }
}

fn device(facts: &HostFacts, wanted: &DeviceIdentity, method: Method) -> Finding {
    let address = wanted.address;
    let id = format!("device-{address}");
    if let Some(because) = facts.pci.because() {
        return finding(
            id,
            Verdict::Unknown,
            format!("whether {address} is there is not known: {because}"),
            WHY_DEVICE,
        );
    }
    let Some(function) = facts.function(address) else {
        let text = match elsewhere(facts, wanted) {
            Some(now) => {
                format!("nothing is at {address} any more: the {} that was chosen is at {now} now", wanted.id)
            }
            None => format!("{address} is not in this host"),
        };
        let mut found = finding(id, Verdict::Fail, text, WHY_DEVICE);
        if let Some(now) = elsewhere(facts, wanted) {
            found.remedy = Some(moved(address, now));
            return found;
        }
        found.remedy = Some(Remedy::by_command(
            "Put the card back, or release it",
            format!("passthru release {address}"),
        ));
        return found;
    };
    let name = facts.name_of(function);
    if !wanted.matches(function) {
        let mut text = format!(
            "{address} is {} (subsystem {}, class {}), not the {} (subsystem {}, class {}) that was chosen: its card stays with the host",
            function.id, function.subsystem, function.class, wanted.id, wanted.subsystem, wanted.class
        );
        let now = elsewhere(facts, wanted);
        if let Some(now) = now {
            let _ = write!(text, "; what was chosen is at {now} now");
        }
        let mut found = finding(id, Verdict::Fail, text, WHY_DEVICE);
        found.evidence.push(Evidence::new(function.attribute("device"), function.id.to_string()));
        if let Some(now) = now {
            found.remedy = Some(moved(address, now));
            return found;
        }
        found.remedy =
            Some(Remedy::by_command("Release it and choose anew", format!("passthru release {address}")));
        return found;
    }
    let driver = function.driver.as_deref();
    let seen = Evidence::new(function.attribute("driver"), driver.unwrap_or("no such link"));
    // A guest that runs has what pci-stub keeps for it otherwise.
    let mut found = if function.is_on_vfio() || driver == Some(method.driver()) {
        finding(
            id,
            Verdict::Pass,
            format!("{address} ({name}) is on {}", driver.unwrap_or_default()),
            WHY_DEVICE,
        )
    } else {
        let held = driver.map_or_else(|| "has no driver".to_owned(), |driver| format!("is on {driver}"));
        let (because, remedy) = cause(facts, function);
        let mut found = finding(
            id,
            Verdict::Fail,
            format!("{address} ({name}) {held}, not on {}: {because}", method.driver()),
            WHY_DEVICE,
        );
        found.remedy = Some(remedy);
        found
    };
    found.evidence.push(seen);
    found
}

/// Where a chosen function is now that is not at its address any more; `None` where that cannot be told for certain.
fn elsewhere(facts: &HostFacts, wanted: &DeviceIdentity) -> Option<PciAddress> {
    let same = |one: &&PciFunction| {
        one.address != wanted.address
            && wanted.matches(&PciFunction { address: wanted.address, ..(*one).clone() })
    };
    let mut found = facts.functions().filter(same);
    let first = found.next()?;
    found.next().is_none().then_some(first.address)
}

fn moved(from: PciAddress, to: PciAddress) -> Remedy {
    Remedy::by_command(
        "Addresses move when cards are added or the firmware is updated: choose it where it is, and release the old address",
        format!("passthru isolate {to} && passthru release {from}"),
    )
}

/// Why a function that is the right one is not on vfio-pci.
fn cause(facts: &HostFacts, function: &PciFunction) -> (String, Remedy) {
    let cmdline = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    if CommandLine::new(cmdline).is_passthru_off() {
        return (
            "passthru.off on the kernel command line turns isolation off for this boot".to_owned(),
            Remedy::by_hand("Boot the normal menu entry"),
        );
    }
    if function.group.is_none() {
        return (
            "it has no IOMMU group, so the host kept it".to_owned(),
            Remedy::by_command("See why the IOMMU is off", "passthru doctor iommu-firmware iommu-enabled"),
        );
    }
    let log = Remedy::by_hand("Lines with ‘passthru:’ in the kernel log say what happened at boot");
    match (&function.driver, function.driver_override.as_deref()) {
        (Some(driver), Some("vfio-pci")) => {
            (format!("it was reserved for vfio-pci too late, {driver} had it first"), log)
        }
        (Some(_), _) => (
            "it was not reserved at boot".to_owned(),
            Remedy::by_hand(
                "Reboot, if there was none since it was isolated; else lines with ‘passthru:’ in the kernel log say what happened",
            ),
        ),
        (None, _) => ("no driver took it".to_owned(), log),
    }
}

/// Cards of which vfio-pci has only a part.
fn cards(facts: &HostFacts, intent: &Intent) -> Vec<Finding> {
    let mut slots: Vec<PciSlot> = intent.isolate.iter().map(|device| device.address.slot()).collect();
    slots.dedup();
    let mut findings = Vec::new();
    for slot in slots {
        let wanted: Vec<&PciFunction> = intent
            .isolate
            .iter()
            .filter(|device| device.address.slot() == slot)
            .filter_map(|device| facts.function(device.address))
            .collect();
        let (taken, lost): (Vec<&PciFunction>, Vec<&PciFunction>) =
            wanted.iter().partition(|one| one.is_set_aside());
        if taken.is_empty() || lost.is_empty() {
            continue;
        }
        let named = |part: &[&PciFunction]| {
            let one =
                |f: &&PciFunction| format!("{} ({})", f.address, f.driver.as_deref().unwrap_or("no driver"));
            part.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        let driver = intent.method.driver();
        let text = format!(
            "the card at {slot} is half taken: {driver} has {}, and not {}",
            named(&taken),
            named(&lost)
        );
        findings.push(finding(format!("card-{slot}"), Verdict::Fail, text, WHY_CARD));
    }
    findings
}

/// One finding for each group with a chosen function: whether a guest could open it.
fn groups(facts: &HostFacts, intent: &Intent) -> Vec<Finding> {
    let mut ids: Vec<u32> =
        intent.isolate.iter().filter_map(|one| facts.function(one.address)?.group).collect();
    ids.sort_unstable();
    ids.dedup();
    let groups = facts.iommu.groups.value();
    let mut findings = Vec::new();
    for group in ids.iter().filter_map(|id| groups?.get(id)) {
        let id = format!("group-{}", group.id);
        let held: Vec<String> = company(facts, group)
            .iter()
            .filter(|member| !intent.isolates(member.address) && !member.is_set_aside())
            .filter_map(|member| Some((member, member.driver.as_deref()?)))
            .map(|(member, driver)| format!("{} ({}) on {driver}", member.address, facts.name_of(member)))
            .collect();
        let path = format!("/sys/kernel/iommu_groups/{}/devices", group.id);
        let mut found = if held.is_empty() {
            finding(
                id,
                Verdict::Pass,
                format!("group {} holds nothing that a host driver keeps", group.id),
                WHY_GROUP,
            )
        } else {
            let text = format!("group {} cannot go to a guest: the host keeps {}", group.id, held.join(", "));
            let mut found = finding(id, Verdict::Fail, text, WHY_GROUP);
            found.remedy = Some(Remedy::by_command(
                "Isolate these too, or try another slot for the card",
                "passthru groups",
            ));
            found
        };
        found.evidence.push(Evidence::new(path, crate::groups::listed(&group.members)));
        findings.push(found);
    }
    findings
}

/// Functions that vfio-pci has although nobody chose them: a twin taken by mistake, or a device bound by hand.
fn strays(facts: &HostFacts, intent: &Intent) -> Vec<Finding> {
    let taken = |function: &PciFunction| {
        function.is_on_vfio() || function.driver.as_deref() == Some(intent.method.driver())
    };
    let stray = |function: &&PciFunction| taken(function) && !intent.isolates(function.address);
    facts
        .functions()
        .filter(stray)
        .map(|function| {
            let driver = function.driver.as_deref().unwrap_or_default();
            let text = format!(
                "{} ({}) is on {driver} and was not chosen",
                function.address,
                facts.name_of(function)
            );
            let mut found = finding(
                format!("stray-{}", function.address),
                Verdict::Warn,
                text,
                "the host cannot use a device that is kept for guests",
            );
            found.evidence.push(Evidence::new(function.attribute("driver"), driver));
            found
        })
        .collect()
}

/// Whether the running command line is the one that the settings ask for, as far as it concerns us.
fn parameters(facts: &HostFacts, intent: &Intent) -> Finding {
    let id = "parameters";
    let Some(running) = facts.kernel.cmdline.value() else {
        let because = facts.kernel.cmdline.because().unwrap_or_default();
        return finding(
            id,
            Verdict::Unknown,
            format!("the kernel command line is not known: {because}"),
            WHY_PARAMETERS,
        );
    };
    let line = CommandLine::new(running);
    let mut wrong = Vec::new();
    let mut asked =
        each_once(effective_parameters(facts).into_iter().chain(words_of_settings(facts, intent)));
    if line.is_passthru_off() {
        // That entry leaves out what the intent has the kernel told beside the IOMMU's own.
        asked.retain(|token| token == INTEL_ON);
    }
    let missing = asked.into_iter().filter(|token| !line.has_word(token));
    wrong.extend(missing.map(|token| format!("‘{token}’ is missing")));
    if !intent.isolate.is_empty() {
        wrong.extend(off_words(running).iter().map(|token| format!("‘{token}’ is still there")));
    }
    let mut found = if wrong.is_empty() {
        finding(id, Verdict::Pass, "the kernel command line is as wanted", WHY_PARAMETERS)
    } else {
        let text = format!("on the running kernel command line {}", wrong.join(", "));
        let mut found = finding(id, Verdict::Fail, text, WHY_PARAMETERS);
        found.remedy = Some(Remedy::by_command(
            "Reboot, if there was none since; else see what is left to do",
            "passthru plan",
        ));
        found
    };
    found.evidence.extend(facts.kernel.cmdline.evidence().cloned());
    found
}

/// One finding for each initramfs that lacks what binds the functions; one for all where none does. None where no image was
/// looked into, which takes a moment and is done only where it is asked for.
fn images(facts: &HostFacts, intent: &Intent) -> Vec<Finding> {
    let Some(images) = facts.own_images.value() else { return Vec::new() };
    let mut findings = Vec::new();
    for image in images {
        let missing = missing_in_image(facts, intent, image);
        if missing.is_empty() {
            continue;
        }
        let running = facts.kernel.release.value();
        let of = match running {
            Some(running) if *running == image.release => format!("the running kernel {running}"),
            Some(_) => format!("kernel {}, which is not the running one,", image.release),
            None => format!("kernel {}", image.release),
        };
        let text = format!("the initramfs of {of} lacks {}: it was made without them", missing.join(", "));
        let mut found = finding(format!("initramfs-{}", image.release), Verdict::Fail, text, WHY_IMAGE);
        found.evidence.push(Evidence::new(&image.path, format!("{} entries, without them", image.entries)));
        found.remedy = Some(Remedy::by_hand(format!(
            "Have the images made anew, then reboot: {}",
            rebuild_command(facts)
        )));
        findings.push(found);
    }
    if findings.is_empty() && !images.is_empty() {
        let text = "each initramfs holds what binds the functions";
        let mut found = finding("initramfs", Verdict::Pass, text, WHY_IMAGE);
        found.evidence = images.iter().map(|image| Evidence::new(&image.path, "holds it")).collect();
        findings.push(found);
    }
    findings
}

/// Whether our files are as the intent makes them.
fn files(facts: &HostFacts, intent: &Intent) -> Finding {
    let drifted = drift(facts, intent);
    if drifted.is_empty() {
        return finding(
            "files",
            Verdict::Pass,
            "the files that passthru wrote are as it wrote them",
            WHY_FILES,
        );
    }
    let text = format!("not as the intent in {} makes them: {}", managed_intent(), drifted.join(", "));
    let mut found = finding("files", Verdict::Warn, text, WHY_FILES);
    found.remedy = Some(Remedy::by_command("See what would change, then apply it", "passthru plan"));
    found.evidence = drifted.into_iter().map(|path| Evidence::new(path, state(facts, path))).collect();
    found
}

fn managed_intent() -> &'static str {
    managed::FILES.first().copied().unwrap_or_default()
}

fn state(facts: &HostFacts, path: &str) -> &'static str {
    match (facts.files.get(path), facts.unreadable_files.contains_key(path)) {
        (_, true) => "could not be read",
        (None | Some(passthru_model::plan::FileState::Absent), _) => "not there",
        _ => "differs",
    }
}
