//! A plan as `--json` prints it.

use passthru_model::PciAddress;
use passthru_model::plan::{Action, Effect, Plan, Step};
use passthru_model::rebinding::Rebinding;
use schemars::JsonSchema;
use serde::Serialize;

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
    /// `file-create`, `file-edit`, `file-remove`, `run`, `sysfs-write` (drivers of functions) or `tune` (values of the kernel).
    pub kind: &'static str,
    /// The file, the first file that the program rewrites, or the attribute of the first function that is written.
    pub path: Option<String>,
    /// For `sysfs-write`: the functions, with who has them and who is to have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<FunctionMove>>,
    /// The program and its arguments, for `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// What it does.
    pub what: String,
    /// Why it is needed.
    pub why: String,
    /// When it takes effect.
    pub effect: Effect,
    /// The unified difference, for files; `ADDRESS: DRIVER -> DRIVER` a line, for functions.
    pub diff: Option<String>,
}

/// One function that goes to another driver.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FunctionMove {
    /// The function.
    pub address: PciAddress,
    /// The driver that has it; `null`: none.
    pub driver: Option<String>,
    /// The driver of VFIO that is to have it; `null`: one of the host's own, which the kernel chooses.
    pub vfio_driver: Option<String>,
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
                path: step
                    .path()
                    .map(str::to_owned)
                    .or_else(|| step.rebindings().first().map(|one| one.attribute("driver_override"))),
                functions: FunctionMove::all(step),
                command: match &step.action {
                    Action::Run { program, arguments, .. } => Some(
                        std::iter::once(program.file_name().to_owned())
                            .chain(arguments.iter().cloned())
                            .collect(),
                    ),
                    Action::File { .. } | Action::Rebind { .. } | Action::Tune { .. } => None,
                },
                what: step.what.clone(),
                why: step.why.clone(),
                effect: step.effect,
                diff: (!matches!(step.action, Action::Run { .. }))
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

impl FunctionMove {
    /// Those of a step; `None` where it is none that moves functions.
    fn all(step: &Step) -> Option<Vec<Self>> {
        let Action::Rebind { functions } = &step.action else { return None };
        let one = |function: &Rebinding| Self {
            address: function.device.address,
            driver: function.before.driver.clone(),
            vfio_driver: function.after.driver_override().map(str::to_owned),
        };
        Some(functions.iter().map(one).collect())
    }
}
