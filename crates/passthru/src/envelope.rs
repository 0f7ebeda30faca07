//! What `--json` prints. Fields may be added; none is renamed or removed. The schemas in `schemas/` are made of these types.

pub mod rom;

use passthru_model::plan::{Effect, Plan};
use passthru_model::{ClassCode, Finding, Hex16, PciAddress, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

/// `passthru doctor --json` and, with another schema name, `passthru verify --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Findings {
    /// `passthru.doctor/1` or `passthru.verify/1`.
    pub schema: &'static str,
    /// One finding a check, in a stable order.
    pub findings: Vec<Finding>,
}

/// `passthru doctor --list --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Checks {
    /// `passthru.checks/1`.
    pub schema: &'static str,
    /// The checks, in the order in which they are run.
    pub checks: Vec<CheckLine>,
}

/// One check, described.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckLine {
    /// Its stable name.
    pub id: String,
    /// What it looks at.
    pub title: String,
    /// The section of the wiki page that it belongs to.
    pub section: String,
    /// Why it matters.
    pub why: String,
}

/// `passthru groups --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Groups {
    /// `passthru.groups/1`.
    pub schema: &'static str,
    /// The groups in order of number.
    pub groups: Vec<Group>,
    /// Functions that are in no group, in order of address.
    pub ungrouped: Vec<Device>,
    /// Why groups or functions are missing here, where they could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// One group.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Group {
    /// Its number; numbers have gaps.
    pub id: u32,
    /// Its PCI functions in order of address.
    pub devices: Vec<Device>,
    /// Whether the devices in it can be passed.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<String>,
}

/// One function.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Device {
    /// Where it sits.
    pub address: PciAddress,
    /// Vendor.
    pub vendor: Hex16,
    /// Device.
    pub device: Hex16,
    /// The board maker's vendor id.
    pub subsystem_vendor: Hex16,
    /// The board maker's device id.
    pub subsystem_device: Hex16,
    /// Class code, six digits.
    pub class: ClassCode,
    /// The name from `pci.ids`, or the class in words.
    pub name: String,
    /// The driver bound now.
    pub driver: Option<String>,
    /// Reset methods in the order in which the kernel tries them.
    pub reset_methods: Vec<String>,
    /// Whether the firmware drew on it; null where the kernel does not say.
    pub boot_vga: Option<bool>,
    /// Whether it is a bridge, which stays with the host.
    pub is_bridge: bool,
    /// Other functions of this host with the same ids.
    pub twins: Vec<PciAddress>,
    /// Whether it can go to a guest alone, with others, or not at all.
    pub outlook: String,
}

/// `passthru plan --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanEnvelope {
    /// `passthru.plan/1`.
    pub schema: &'static str,
    /// What it is for.
    pub title: String,
    /// The steps in order.
    pub steps: Vec<PlanStep>,
    /// What to know before agreeing.
    pub notes: Vec<String>,
}

/// One step of a plan.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanStep {
    /// Its name, unique in the plan.
    pub id: String,
    /// `file-create`, `file-edit`, `file-remove` or `run`.
    pub kind: &'static str,
    /// The file, or the first file that the program rewrites.
    pub path: Option<String>,
    /// The program and its arguments, for `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// What it does.
    pub what: String,
    /// Why it is needed.
    pub why: String,
    /// When it takes effect.
    pub effect: Effect,
    /// The unified difference, for files.
    pub diff: Option<String>,
}

impl PlanEnvelope {
    /// The envelope of a plan.
    pub fn of(plan: &Plan) -> Self {
        let steps = plan
            .steps
            .iter()
            .map(|step| PlanStep {
                id: step.id.clone(),
                kind: step.kind(),
                path: step.path().map(str::to_owned),
                command: match &step.action {
                    passthru_model::plan::Action::Run { program, arguments, .. } => Some(
                        std::iter::once(program.file_name().to_owned())
                            .chain(arguments.iter().cloned())
                            .collect(),
                    ),
                    passthru_model::plan::Action::File { .. } => None,
                },
                what: step.what.clone(),
                why: step.why.clone(),
                effect: step.effect,
                diff: matches!(step.action, passthru_model::plan::Action::File { .. })
                    .then(|| passthru_plan::diff::of_step(step)),
            })
            .collect();
        Self {
            schema: passthru_model::plan::PLAN_SCHEMA,
            title: plan.title.clone(),
            steps,
            notes: plan.notes.clone(),
        }
    }
}

/// `passthru history --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct History {
    /// `passthru.history/1`.
    pub schema: &'static str,
    /// The changes, oldest first.
    pub changes: Vec<Change>,
}

/// One change made on this host.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Change {
    /// Its name, which `undo` takes.
    pub id: String,
    /// What it was for.
    pub title: String,
    /// When it was begun, such as `20261122T200000Z` (UTC).
    pub started: String,
    /// When it came to its present state, where it is finished.
    pub ended: Option<String>,
    /// `applied`, `undone`, `rolled-back`, `interrupted`, or `unreadable: …`.
    pub state: String,
    /// Where its before-images are.
    pub journal: String,
}

/// `passthru status --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Status {
    /// `passthru.status/1`.
    pub schema: &'static str,
    /// One sentence: how far this host is.
    pub headline: String,
    /// What is ready, a line each.
    pub ready: Vec<String>,
    /// What stands in the way, or could not be seen, the worst first.
    pub blocks: Vec<passthru_plan::status::Block>,
    /// The next step to take.
    pub next: Option<passthru_model::Remedy>,
    /// A change that was not brought to its end.
    pub interrupted: Option<String>,
}

/// `passthru guest list --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GuestList {
    /// `passthru.guests/1`.
    pub schema: &'static str,
    /// The guests in order of name.
    pub guests: Vec<GuestLine>,
}

/// One guest.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GuestLine {
    /// Its name.
    pub name: String,
    /// `running`, `stopped` or `dead`.
    pub state: String,
    /// The process id of its QEMU, while it runs.
    pub pid: Option<i32>,
    /// Its specification.
    pub path: String,
}

/// `passthru guest show --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GuestShow {
    /// `passthru.guest/1`.
    pub schema: &'static str,
    /// Its name.
    pub name: String,
    /// `running`, `stopped` or `dead`.
    pub state: String,
    /// The process id of its QEMU, while it runs.
    pub pid: Option<i32>,
    /// Its specification.
    pub path: String,
    /// QEMU and its arguments.
    pub command: Vec<String>,
    /// The passed functions as the guest has them, while it runs.
    pub devices: Vec<passthru_guest::run::PassedDevice>,
}
