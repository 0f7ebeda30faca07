//! `passthru isolate`: change the intent, then plan and apply.

use passthru_model::intent::Method;
use passthru_plan::{Consent, HostEdit, IntentEdit};

use crate::args::{IsolateArguments, MethodChoice};
use crate::commands::change;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Plans the isolation of the named functions and carries it out once agreed.
pub(crate) fn run(context: &Context, arguments: &IsolateArguments) -> Result<Exit, Failure> {
    if !arguments.agreement.dry_run {
        context.only_live("isolate")?;
    }
    let facts = context.facts()?;
    let method = arguments.method.map(|choice| match choice {
        MethodChoice::Override => Method::Override,
        MethodChoice::Ids => Method::Ids,
        MethodChoice::PciStub => Method::PciStub,
    });
    let consent = Consent { adopt: arguments.adopt, ..change::consent(arguments.insist, arguments.boot) };
    let wishes = &arguments.wishes;
    let host = &arguments.host_wishes;
    let edit = IntentEdit {
        method,
        hugepages: wishes.hugepages.clone(),
        isolated_cpus: wishes.isolated_cpus.clone(),
        igfx_off: wishes.igfx_off,
        disable_idle_d3: wishes.disable_idle_d3,
        acs_override: wishes.acs_override.clone(),
        host: HostEdit {
            gpu: host.host_gpu.clone(),
            guest_user: host.guest_user.clone(),
            kvmfr: host.kvmfr.clone(),
            vendor_reset: host.vendor_reset,
            no_d3cold: host.no_d3cold,
            reset_methods: host.reset_methods.clone(),
            virtual_functions: host.virtual_functions.clone(),
        },
    };
    let addresses = if arguments.all_but_boot_gpu {
        passthru_plan::all_but_the_boot_gpu(&facts).map_err(|refusal| change::refusal(&refusal))?
    } else {
        arguments.addresses.clone()
    };
    let planned = passthru_plan::isolate_by(&facts, &addresses, &edit, &consent)
        .map_err(|refusal| change::refusal(&refusal))?;
    change::carry_out(context, &planned.plan, arguments.agreement)
}
