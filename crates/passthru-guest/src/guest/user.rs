//! Whom QEMU becomes.

use passthru_model::HostFacts;
use passthru_model::backend::Backend;

use super::{BuildError, Building};
use crate::choice::Topic;
use crate::look::{Looked, Starter};
use crate::machine::RunAs;
use crate::spec::{Account, GuestSpec};

/// The version in which `-run-with user=` came, and `-runas` began to go.
const RUN_WITH: (u32, u32) = (9, 1);

/// Decides how it is told. What QEMU needs is opened by whoever starts it, so nothing of the host has to change hands.
pub(super) fn decide(
    spec: &GuestSpec,
    facts: &HostFacts,
    looked: &Looked,
    building: &mut Building,
) -> Option<RunAs> {
    if spec.backend == Backend::Libvirt {
        if spec.run_as.is_some() {
            building.wrong(BuildError::RunAsUnderLibvirt);
        }
        return None;
    }
    let (user, why) = match (&spec.run_as, &looked.starter) {
        (Some(Account::User(user)), _) => (user.clone(), "as the specification wants"),
        (None, Starter::Root(Some(user))) => {
            (user.clone(), "so that a guest that breaks out of it is not root")
        }
        (Some(Account::Root), _) => {
            building.say(Topic::User, "QEMU stays root, as the specification wants");
            return None;
        }
        (None, Starter::Root(None)) => {
            building.say(
                Topic::User,
                "QEMU stays root: this host has no user ‘libvirt-qemu’, ‘qemu’ or ‘nobody’; run-as names another",
            );
            return None;
        }
        (None, Starter::Anybody) => return None,
    };
    let plugged = if spec.usb.is_empty() {
        ""
    } else {
        "; a USB device that is plugged in anew it finds again only where that user may open it"
    };
    building.say(
        Topic::User,
        format!(
            "QEMU becomes {user} before the guest's first instruction, {why}; it has opened its files and devices by then, so none of them \
             changes hands{plugged}"
        ),
    );
    let by_run_with = facts.virtualisation.qemu_version().is_some_and(|have| have >= RUN_WITH);
    Some(RunAs { user, by_run_with })
}

#[cfg(test)]
mod tests {
    use passthru_model::Fact;
    use passthru_model::backend::Backend;

    use crate::choice::Topic;
    use crate::guest::Guest;
    use crate::look::{Looked, Starter};
    use crate::render;
    use crate::run::GuestPaths;
    use crate::spec::{GuestSpec, UsbChoice, UsbDevice};
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

    #[test]
    fn where_root_starts_it_qemu_is_a_user_who_may_do_little_unless_the_specification_says_otherwise() {
        let told = |run_as: Option<&str>, backend: Backend, starter: Starter| {
            let mut spec = GuestSpec::new("box".parse().expect("a name"));
            spec.run_as = run_as.map(|name| name.parse().expect("a name"));
            spec.backend = backend;
            spec.usb.push(UsbDevice {
                choice: UsbChoice::Id("046d:c31c".parse().expect("an id")),
                optional: true,
            });
            let looked = Looked { starter, ..Looked::default() };
            let guest = Guest::build(&spec, &testing::facts(), &looked).expect("a guest");
            let paths = GuestPaths::new("/run".as_ref(), "/var".as_ref(), guest.name());
            let user = guest.machine(&paths).run_as.map(|run_as| run_as.user.to_string());
            let about = guest.choices().iter().find(|choice| choice.about == Topic::User);
            (user, about.map(|choice| choice.why.clone()))
        };
        let root = |user: Option<&str>| Starter::Root(user.map(|name| name.parse().expect("a name")));
        let of_host = || root(Some("libvirt-qemu"));
        insta::assert_debug_snapshot!([
            told(None, Backend::Qemu, of_host()),
            told(Some("qemu"), Backend::Qemu, of_host()),
            told(Some("root"), Backend::Qemu, of_host()),
            told(None, Backend::Qemu, root(None)),
            told(None, Backend::Qemu, Starter::Anybody),
            told(None, Backend::Libvirt, of_host()),
        ]);
    }
}
