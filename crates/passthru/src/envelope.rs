//! What `--json` prints. Fields may be added; none is renamed or removed. The schemas in `schemas/` are made of these types.

mod plan;
pub mod rom;
pub mod topology;
pub mod usb;

use passthru_model::{Finding, PciAddress};
use schemars::JsonSchema;
use serde::Serialize;

pub use plan::{FunctionMove, PlanEnvelope, PlanStep};

/// `passthru doctor --json` and, with another schema name, `passthru verify --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Findings {
    /// `passthru.doctor/1` or `passthru.verify/1`.
    pub schema: &'static str,
    /// One finding a check, in a stable order.
    pub findings: Vec<Finding>,
}

/// `passthru guest check --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GuestCheck {
    /// `passthru.guest-check/1`.
    pub schema: &'static str,
    /// What was found, in a stable order; of domain XML and of scripts one or more a rule.
    pub findings: Vec<Finding>,
    /// Of domain XML and of scripts: a unified diff that mends what a change of the file can mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
}

/// `passthru guest import --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GuestImport {
    /// `passthru.guest-import/1`.
    pub schema: &'static str,
    /// The guest's name.
    pub name: String,
    /// The file that was written; nothing with `-o -`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The specification, as TOML.
    pub specification: String,
    /// What the file says and the specification does not, in order of line.
    pub notes: Vec<passthru_guest::import::Note>,
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
    pub ungrouped: Vec<passthru_plan::DeviceView>,
    /// Why groups or functions are missing here, where they could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// True with `--predict`: the groups are foretold, and their numbers are those of a kernel that counts from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted: Option<bool>,
    /// With `--predict`: what could not be read, a sentence for each reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Vec<String>>,
    /// With `--predict` on a host that has groups: where they differ from the foretold ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<Vec<passthru_plan::predict::Difference>>,
    /// With `--acs-override`: what it would change, and at what risk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acs_override: Option<Overridden>,
}

/// What the ACS override patch would change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Overridden {
    /// The words of `pcie_acs_override=`.
    pub words: String,
    /// The groups that it would take apart, as they are without it.
    pub parted: Vec<Vec<PciAddress>>,
    /// What is at risk.
    pub risk: String,
}

/// What is said of a group that is foretold.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Foretold {
    /// Whether what could not be read changes nothing of it.
    pub certain: bool,
    /// The groups that it would be, if all that could not be read kept devices apart; empty where it is certain.
    pub at_best: Vec<Vec<PciAddress>>,
    /// How its functions came into it, in the kernel's order.
    pub members: Vec<ForetoldMember>,
}

/// How one function came into its group.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ForetoldMember {
    /// The function.
    pub address: PciAddress,
    /// The rule by which it came in.
    pub joined: passthru_plan::predict::Joined,
    /// The same in a sentence; empty for the first of a group.
    pub because: String,
}

/// `passthru groups --why ADDRESS --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GroupsWhy {
    /// `passthru.groups-why/1`.
    pub schema: &'static str,
    /// The explanation.
    #[serde(flatten)]
    pub why: passthru_plan::predict::Why,
}

/// One group.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Group {
    /// Its number, its functions, whether they can be passed, and why.
    #[serde(flatten)]
    pub view: passthru_plan::GroupView,
    /// With `--predict`: how sure it is, and why its functions are together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foretold: Option<Foretold>,
    /// Of named functions that share their group: where they are, and which slots would do better. Empty for others.
    pub advice: Vec<String>,
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
    /// `applied`, `undone`, `rolled-back`, `interrupted`, `ended-by-boot`, or `unreadable: …`.
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
    /// Changes that last until the next boot, oldest first, as far as this user may see them.
    pub until_boot: Vec<String>,
    /// Guests that have ended and for which something of the host is still changed, with the command that puts it back.
    pub left_behind: Vec<String>,
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
    /// With `--explain`: what was chosen for it on this host, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<passthru_guest::choice::Choice>>,
}
