//! The planner: from facts and an intent to the ordered steps that bring the host there.
//!
//! The wanted state of every file that is ours follows from the intent alone; what differs from the facts becomes a
//! step. Programs that make files from these are run only where something that they read has changed.

mod adopt;
mod consent;
mod desired;
mod edit;
mod guest_run;
mod host;
mod initramfs;
mod iommu;
mod libvirt_hook;
mod loader;
mod notes;
mod refusal;
mod run_time;
mod select;
mod settings;
mod steps;
pub(crate) mod texts;

use std::collections::BTreeSet;

use passthru_formats::intent_toml;
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::intent::{DeviceIdentity, INTENT_PATH, Intent, Method};
use passthru_model::managed;
use passthru_model::plan::{FileState, Plan, Step};

pub use consent::Consent;
pub use edit::{HostEdit, IntentEdit, Wish};
pub use guest_run::{GuestRun, PlannedRun, guest_run};
pub use libvirt_hook::{has_libvirt_hook, libvirt_hook};
pub use refusal::{Reason, Refusal};
pub use run_time::{bind, may_go_back, may_go_on, unbind};
pub use select::all_but_the_boot_gpu;

pub(crate) use desired::{drift, missing_in_image, rebuild_command};
pub(crate) use host::{Reset as HostReset, resets};
pub(crate) use iommu::{INTEL_ON, off_words};
pub(crate) use loader::{by_hand, effective_parameters};
pub(crate) use settings::words as words_of_settings;
pub(crate) use texts::MARK;

use crate::groups::listed;
use desired::Chain;
use initramfs::Contents;
use iommu::Parameters;

/// A change of the intent, and what it takes to bring the host there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentChange {
    /// The intent afterwards.
    pub intent: Intent,
    /// The text of the intent file afterwards; `None`: there is none.
    pub text: Option<String>,
    /// The steps, that of the intent file first.
    pub plan: Plan,
}

/// The plan that takes a host to an intent. Empty where it is there already. The intent file itself is left as it is.
pub fn plan_for(facts: &HostFacts, wanted: &Intent, consent: &Consent) -> Result<Plan, Refusal> {
    let title = if wanted.is_nothing() {
        "remove all that passthru set up for boot".to_owned()
    } else if wanted.isolate.is_empty() {
        let physical: Vec<PciAddress> = wanted.host.virtual_functions.keys().copied().collect();
        format!("bring the host to its intent: virtual functions of {} for guests", listed(&physical))
    } else {
        format!("bring the host to its intent: {} for guests", listed(&addresses(wanted)))
    };
    let mut plan = Plan { title, steps: Vec::new(), notes: Vec::new(), guest: None };
    complete(facts, wanted, consent, &mut plan)?;
    Ok(plan)
}

/// The plan that isolates functions, on top of what the host's intent file says now, which decides the method too.
pub fn isolate(facts: &HostFacts, named: &[PciAddress], consent: &Consent) -> Result<IntentChange, Refusal> {
    isolate_by(facts, named, &IntentEdit::default(), consent)
}

/// The same with other changes of the intent, which may be all that changes where functions are isolated already.
pub fn isolate_by(
    facts: &HostFacts,
    named: &[PciAddress],
    edit: &IntentEdit,
    consent: &Consent,
) -> Result<IntentChange, Refusal> {
    let mut reasons = Vec::new();
    let old = crate::intent::text(facts).map_err(Reason::from)?;
    let stands = match &old {
        Some(text) => intent_toml::parse(text).map_err(Reason::from)?,
        None => Intent::default(),
    };
    let taken: Vec<PciAddress> = crate::leftovers::taken_by_others(facts).into_iter().collect();
    let named = if named.is_empty() && consent.adopt { taken.as_slice() } else { named };
    let host = edit.host.of_host(&stands.host);
    // Virtual functions come and go without anything being isolated; all else is set up beside something that is.
    let is_changed = host.virtual_functions != stands.host.virtual_functions;
    let makes = edit.host.virtual_functions.iter().any(|(_, wish)| *wish != Wish::Drop);
    let edits_alone = *edit != IntentEdit::default() && (is_changed || makes || !stands.isolate.is_empty());
    if named.is_empty() && !edits_alone {
        let physical = edit.host.virtual_functions.iter().map(|(address, _)| *address).collect::<Vec<_>>();
        if !physical.is_empty() {
            return Err(Reason::NoVirtualFunctions(physical).into());
        }
        return Err(if consent.adopt { Reason::NothingToAdopt } else { Reason::NothingNamed }.into());
    }
    for address in named {
        reasons.extend(select::can_be_chosen(facts, *address).err());
    }
    if !reasons.is_empty() {
        return Err(Refusal { reasons });
    }
    let mut notes = Vec::new();
    let all = select::with_siblings(facts, named, consent, &mut notes);
    let mut text = old.clone().unwrap_or_else(|| intent_toml::new_file(&Intent::default()));
    for function in all.iter().filter_map(|address| facts.function(*address)) {
        let name = facts.name_of(function);
        text = intent_toml::add(&text, &DeviceIdentity::of(function), Some(&name)).map_err(Reason::from)?;
    }
    if let Some(method) = edit.method {
        text = intent_toml::set_method(&text, method).map_err(Reason::from)?;
    }
    text = intent_toml::set_boot(&text, &edit.of_boot(&stands.boot)).map_err(Reason::from)?;
    text = intent_toml::set_host(&text, &host).map_err(Reason::from)?;
    let (title, what) = if all.is_empty() && stands.isolate.is_empty() {
        ("change which virtual functions are made for guests".to_owned(), "write down which are to be made")
    } else if all.is_empty() {
        ("change what is set up beside isolated devices".to_owned(), "write down what is to be set up")
    } else {
        (format!("isolate {}", listed(&all)), "write down which devices are for guests")
    };
    let plan = Plan { title, steps: Vec::new(), notes, guest: None };
    change(facts, old.as_deref(), Some(text), what, plan, consent)
}

/// The plan that gives functions back to the host's drivers: those named and, unless `consent.only_named`, the other
/// functions of their slots that are isolated.
pub fn release(facts: &HostFacts, named: &[PciAddress], consent: &Consent) -> Result<IntentChange, Refusal> {
    if named.is_empty() {
        return Err(Reason::NothingNamed.into());
    }
    let Some(old) = crate::intent::text(facts).map_err(Reason::from)? else {
        return Err(Refusal { reasons: named.iter().map(|address| Reason::NotIsolated(*address)).collect() });
    };
    let intent = intent_toml::parse(&old).map_err(Reason::from)?;
    let strangers: Vec<Reason> = named
        .iter()
        .filter(|address| !intent.isolates(**address))
        .map(|address| Reason::NotIsolated(*address))
        .collect();
    if !strangers.is_empty() {
        return Err(Refusal { reasons: strangers });
    }
    let goes = |address: &PciAddress| {
        named.contains(address)
            || (!consent.only_named && named.iter().any(|one| one.is_sibling_of(*address)))
    };
    let all: Vec<PciAddress> = addresses(&intent).into_iter().filter(goes).collect();
    let mut notes = Vec::new();
    for address in all.iter().filter(|address| !named.contains(address)) {
        notes.push(format!("{address} goes back too: the functions of a slot are one card"));
    }
    let mut text = old.clone();
    for address in &all {
        text = intent_toml::remove(&text, *address).map_err(Reason::from)?;
    }
    // A file that says nothing of the user's own and lists nothing goes with the rest.
    let untouched = |method| intent_toml::new_file(&Intent { method, ..Intent::default() }) == text;
    let text = (!Method::ALL.into_iter().any(untouched)).then_some(text);
    notes.extend(text.as_deref().and_then(|text| notes::kept(&intent, text)));
    let plan = Plan { title: format!("release {}", listed(&all)), steps: Vec::new(), notes, guest: None };
    change(facts, Some(&old), text, "write down that these devices are the host's again", plan, consent)
}

/// Texts in their order, each where it stands first.
pub(crate) fn each_once(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    texts.into_iter().filter(|text| seen.insert(text.clone())).collect()
}

fn addresses(intent: &Intent) -> Vec<PciAddress> {
    intent.isolate.iter().map(|device| device.address).collect()
}

/// Completes a plan that changes the intent file.
fn change(
    facts: &HostFacts,
    old: Option<&str>,
    new: Option<String>,
    what: &str,
    mut plan: Plan,
    consent: &Consent,
) -> Result<IntentChange, Refusal> {
    let intent = match &new {
        Some(text) => intent_toml::parse(text).map_err(Reason::from)?,
        None => Intent::default(),
    };
    if old != new.as_deref() {
        let before = facts.files.get(INTENT_PATH).cloned().unwrap_or(FileState::Absent);
        let after = match &new {
            None => FileState::Absent,
            Some(text) => before.with_content(text.as_str()),
        };
        plan.steps.push(steps::intent_step(before, after, what));
    }
    complete(facts, &intent, consent, &mut plan)?;
    Ok(IntentChange { intent, text: new, plan })
}

/// Adds all steps besides that of the intent file.
fn complete(facts: &HostFacts, wanted: &Intent, consent: &Consent, plan: &mut Plan) -> Result<(), Refusal> {
    let mut reasons = Vec::new();
    let isolating = !wanted.isolate.is_empty();
    let mut needed = Parameters::default();
    let mut edits;
    let mut others = None;
    if isolating {
        let judged = settings::regrouped(facts, wanted);
        select::judge(&judged, wanted, consent, &mut reasons, &mut plan.notes);
        settings::judge(facts, wanted, consent, &mut reasons, &mut plan.notes);
    }
    host::judge(facts, wanted, &mut reasons, &mut plan.notes);
    // Where nothing is isolated, settings that cannot be read are in nobody's way.
    let mut settings = Vec::new();
    let chain = Chain::of(facts, &mut settings);
    if isolating {
        select::kernels(facts, wanted.method, &mut reasons);
        settings::note_ids(facts, wanted, &mut plan.notes);
        settings::note_screen(facts, wanted, &mut plan.notes);
        reasons.append(&mut settings);
        needed = iommu::needs(facts, &addresses(wanted), chain.loader.as_ref(), &mut reasons);
        plan.notes.append(&mut needed.notes);
        notes::twins(facts, wanted, &mut plan.notes);
        others =
            consent.adopt.then(|| adopt::Adopted::of(facts, chain.loader.as_ref(), wanted, &mut plan.notes));
        if let Some(others) = &others {
            needed.words.clone_from(&others.words);
        } else {
            notes::others(facts, &mut plan.notes);
        }
        settings::needs(facts, wanted, chain.loader.as_ref(), &mut needed, &mut reasons);
        chain.loader.check(&needed, &mut reasons);
        let mut all = chain.loader.edits(facts, wanted, &needed, &mut reasons);
        all.extend(chain.generator.edits(facts, &mut reasons));
        edits = all;
    } else {
        edits = [chain.loader.withdrawals(facts), chain.generator.withdrawals(facts)].concat();
    }
    edits.extend(host::edits(facts, wanted, &mut reasons));
    let mut files = desired::file_steps(facts, &chain, wanted, &needed, edits, &mut reasons);
    files.extend(others.into_iter().flat_map(|others| others.steps));
    let (mut loader_steps, mut boot_steps): (Vec<Step>, Vec<Step>) =
        files.into_iter().partition(|step| step.path().is_some_and(loader::reads));
    let entries = !loader_steps.is_empty() || chain.loader.is_stale(facts, isolating, &needed);
    let images = boot_steps
        .iter()
        .any(|step| step.path().is_some_and(|path| initramfs::reads(chain.generator.as_ref(), path)));
    if entries {
        loader::known(facts, &mut reasons);
    }
    if images {
        initramfs::known(facts, &mut reasons);
    }
    if !consent.untried_boot_chain {
        reasons.extend(chain.untried(entries, images));
    }
    if !reasons.is_empty() {
        // Two questions about one file may meet the same obstacle.
        let mut said = Vec::new();
        reasons.retain(|reason| {
            !said.contains(reason) && {
                said.push(reason.clone());
                true
            }
        });
        return Err(Refusal { reasons });
    }
    let contents = Contents::after(facts, chain.generator.as_ref(), wanted, &boot_steps);
    if images && !chain.loader.builds_images() {
        boot_steps.extend(initramfs::rebuild(facts, &chain, &contents));
    }
    let copies = chain.copies(facts);
    let mut copy = Vec::new();
    if copies && (images || (entries && isolating)) {
        // The loader starts copies of the images, so they are made last, from the new ones.
        copy = chain.loader.regenerate(facts, isolating, &needed);
        if images {
            initramfs::look_into_copies(facts, &chain, &contents, &mut copy);
        }
    } else if entries && !copies {
        loader_steps.extend(chain.loader.regenerate(facts, isolating, &needed));
    }
    if entries {
        plan.notes.extend(chain.loader.left_to_do(isolating));
    }
    plan.steps.extend(in_order(isolating, loader_steps, boot_steps, copy));
    notes::last(facts, wanted, plan);
    Ok(())
}

/// All steps in order: the way back stands before what it leads back from, and goes after it. What would make it anew meanwhile goes
/// first, and copies are made from settings and images that are as they are to be.
fn in_order(isolating: bool, loader: Vec<Step>, boot: Vec<Step>, copy: Vec<Step>) -> Vec<Step> {
    if isolating {
        return [loader, boot, copy].concat();
    }
    let is_plugin = |step: &Step| step.path() == Some(managed::KERNEL_INSTALL_OFF);
    let (plugin, loader): (Vec<Step>, Vec<Step>) = loader.into_iter().partition(is_plugin);
    if copy.is_empty() {
        return [plugin, boot, loader].concat();
    }
    let is_way_back = |step: &Step| step.path().is_some_and(|path| path.ends_with(managed::OFF_ENTRY_ENDING));
    let (way_back, settings): (Vec<Step>, Vec<Step>) = loader.into_iter().partition(is_way_back);
    [plugin, boot, settings, copy, way_back].concat()
}
