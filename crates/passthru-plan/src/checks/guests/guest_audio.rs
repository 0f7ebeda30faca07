//! Whether the sound of guests comes to the host.

use passthru_model::HostFacts;
use passthru_model::virtualisation::Setting;

use super::domains::{domains, libvirt};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-audio",
    title: "the sound of guests goes by a way that QEMU still knows",
    section: "Passing VM audio to host via PulseAudio",
    why: "QEMU 8.2 took the variables QEMU_AUDIO_DRV and QEMU_PA_SERVER out; sound goes by <audio> now",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let domains = match domains(facts, "has sound", |domain| {
        !domain.sound.is_empty()
            || !domain.audio.is_empty()
            || domain.qemu_environment.keys().any(|name| is_old(name))
    }) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    let user = libvirt(facts)
        .ok()
        .and_then(|libvirt| libvirt.qemu_conf.value())
        .and_then(|settings| settings.get("user"));
    let runs_as_somebody = matches!(user, Some((Setting::Text(name), _)) if !matches!(name.as_str(), "root" | "qemu" | "libvirt-qemu" | "nobody"));
    let mut remarks = Remarks::default();
    for domain in &domains {
        let name = &domain.name;
        for (variable, value) in domain.qemu_environment.iter().filter(|(variable, _)| is_old(variable)) {
            remarks
                .warn(format!("{name} sets {variable}, which QEMU has not read since 8.2"))
                .seen(domain.path.clone(), format!("{variable}={value}"))
                .by_hand(format!("Write <audio id='1' type='pipewire' runtimeDir='/run/user/1000'/> instead: virsh edit {name}"));
        }
        remarks.seen(
            domain.path.clone(),
            format!("<sound>: {}; <audio>: {}", domain.sound.join(", "), domain.audio.join(", ")),
        );
        let session = domain.audio.iter().find(|kind| matches!(kind.as_str(), "pulseaudio" | "pipewire"));
        if let Some(kind) = session.filter(|_| !runs_as_somebody) {
            remarks
                .warn(format!("{name} sends its sound to {kind}, and QEMU runs as another user than the one who listens"))
                .by_hand("Let QEMU run as that user (user = \"NAME\" in /etc/libvirt/qemu.conf), or send the sound by SPICE");
        }
        for argument in domain.qemu_arguments.iter().filter(|argument| argument.as_str() == "-soundhw") {
            remarks
                .fail(format!("{name} passes {argument}, which QEMU has not known since 7.1"))
                .seen(domain.path.clone(), argument.clone())
                .by_hand(format!("Use <sound model='ich9'/> and <audio>: virsh edit {name}"));
        }
    }
    remarks.outcome(format!("{} with sound as QEMU knows it", count(domains.len(), "guest")))
}

fn is_old(variable: &str) -> bool {
    variable == "QEMU_AUDIO_DRV" || variable.starts_with("QEMU_PA_") || variable.starts_with("QEMU_ALSA_")
}
