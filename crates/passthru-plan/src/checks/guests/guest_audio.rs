//! Whether the sound of guests comes to the host.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, DomainEdit, Setting};

use super::domains::libvirt;
use super::lint::{Lint, nothing};
use crate::checks::Check;
use crate::checks::remarks::Remarks;

pub(super) const LINT: Lint = Lint {
    id: "guest-audio",
    title: "the sound of guests goes by a way that QEMU still knows",
    section: "Passing VM audio to host via PulseAudio",
    why: "QEMU 8.2 took the variables QEMU_AUDIO_DRV and QEMU_PA_SERVER out; sound goes by <audio> now",
    about: "has sound",
    concerns: |_, domain| {
        !domain.sound.is_empty()
            || !domain.audio.is_empty()
            || domain.qemu_environment.keys().any(|name| is_old(name))
            || domain.qemu_arguments.iter().any(|(argument, _)| argument == "-soundhw")
    },
    judge,
    instead: nothing,
    well: "with sound as QEMU knows it",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    for (variable, (value, place)) in domain.qemu_environment.iter().filter(|(variable, _)| is_old(variable))
    {
        remarks
            .warn(format!("{name} sets {variable}, which QEMU has not read since 8.2"))
            .seen(domain.path.clone(), format!("{variable}={value}"))
            .at(place)
            .in_file("Write <audio id='1' type='pipewire' runtimeDir='/run/user/1000'/> instead")
            .in_command("Write -audiodev pipewire,id=snd instead, and audiodev=snd at the sound card")
            .edits([DomainEdit::Remove(place.clone())]);
    }
    remarks.seen(
        domain.path.clone(),
        format!("<sound>: {}; <audio>: {}", domain.sound.join(", "), domain.audio.join(", ")),
    );
    let session = domain.audio.iter().position(|kind| matches!(kind.as_str(), "pulseaudio" | "pipewire"));
    if let Some((at, kind)) = session.and_then(|at| Some((at, domain.audio.get(at)?)))
        && runs_as_somebody(facts) == Some(false)
    {
        remarks
            .warn(format!("{name} sends its sound to {kind}, and QEMU runs as another user than the one who listens"))
            .at_path(&format!("devices/audio[{}]", at + 1))
            .by_hand("Let QEMU run as that user (user = \"NAME\" in /etc/libvirt/qemu.conf), or send the sound by SPICE");
    }
    for (argument, place) in domain.qemu_arguments.iter().filter(|(argument, _)| argument == "-soundhw") {
        remarks
            .fail(format!("{name} passes {argument}, which QEMU has not known since 7.1"))
            .seen(domain.path.clone(), argument.clone())
            .at(place)
            .in_file("Use <sound model='ich9'/> and <audio>")
            .in_command(
                "Write -audiodev pipewire,id=snd -device ich9-intel-hda -device hda-duplex,audiodev=snd",
            );
    }
}

/// Whether libvirt is told to run QEMU as a person; `None` where its settings are not known.
pub(super) fn runs_as_somebody(facts: &HostFacts) -> Option<bool> {
    let settings = libvirt(facts).ok()?.qemu_conf.value()?;
    Some(
        matches!(settings.get("user"), Some((Setting::Text(name), _)) if !matches!(name.as_str(), "root" | "qemu" | "libvirt-qemu" | "nobody")),
    )
}

fn is_old(variable: &str) -> bool {
    variable == "QEMU_AUDIO_DRV" || variable.starts_with("QEMU_PA_") || variable.starts_with("QEMU_ALSA_")
}
