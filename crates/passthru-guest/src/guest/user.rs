//! Whom QEMU becomes.

use passthru_model::HostFacts;
use passthru_model::backend::Backend;

use super::{BuildError, Building};
use crate::choice::Topic;
use crate::machine::RunAs;
use crate::spec::GuestSpec;

/// The version in which `-run-with user=` came, and `-runas` began to go.
const RUN_WITH: (u32, u32) = (9, 1);

/// Decides how it is told. What QEMU needs is opened by whoever starts it, so nothing of the host has to change hands.
pub(super) fn decide(spec: &GuestSpec, facts: &HostFacts, building: &mut Building) -> Option<RunAs> {
    let user = spec.run_as.clone()?;
    if spec.backend == Backend::Libvirt {
        building.wrong(BuildError::RunAsUnderLibvirt);
    }
    building.say(
        Topic::User,
        format!(
            "QEMU becomes {user} before the guest's first instruction, as the specification wants; it has opened its files and devices \
             by then, so none of them changes hands"
        ),
    );
    let by_run_with = facts.virtualisation.qemu_version().is_some_and(|have| have >= RUN_WITH);
    Some(RunAs { user, by_run_with })
}

#[cfg(test)]
mod tests {
    use passthru_model::Fact;
    use passthru_model::backend::Backend;

    use crate::guest::Guest;
    use crate::look::Looked;
    use crate::render;
    use crate::run::GuestPaths;
    use crate::spec::GuestSpec;
    use crate::testing;

    #[test]
    fn qemu_is_told_in_the_words_of_its_version_and_may_change_its_user() {
        let mut spec = GuestSpec::new("box".parse().expect("a name"));
        spec.run_as = Some("qemu".parse().expect("a name"));
        let mut facts = testing::facts();
        let told = |spec: &GuestSpec, facts: &passthru_model::HostFacts| {
            let guest = Guest::build(spec, facts, &Looked::default()).expect("a guest");
            let paths = GuestPaths::new("/run".as_ref(), "/var".as_ref(), guest.name());
            render::arguments(&guest.machine(&paths)).join(" ")
        };
        let older = told(&spec, &facts);
        assert!(older.contains(" -runas qemu ") && !older.contains("-run-with"), "{older}");
        assert!(older.contains("-sandbox on,obsolete=deny,spawn=deny,resourcecontrol=deny"), "{older}");
        let packages = [("qemu-system-x86".to_owned(), "1:10.0.2+ds-2".to_owned())].into();
        facts.virtualisation.packages = Fact::known(packages, "/var/lib/dpkg/status", "");
        let newer = told(&spec, &facts);
        assert!(newer.contains(" -run-with user=qemu ") && !newer.contains("-runas"), "{newer}");
        spec.backend = Backend::Libvirt;
        let errors =
            Guest::build(&spec, &facts, &Looked::default()).expect_err("libvirt has its own").to_string();
        assert!(errors.contains("/etc/libvirt/qemu.conf"), "{errors}");
    }
}
