//! Network cards and random numbers.

use passthru_model::virtualisation::DomainElement;

use super::{behind, element};
use crate::layout::RootPort;
use crate::machine::Card;
use crate::spec::{NicBackend, NicModel};

/// A card and what it is on.
pub(super) fn card(card: &Card, port: RootPort) -> DomainElement {
    let (kind, on) = match &card.backend {
        NicBackend::User => ("user", None),
        NicBackend::Bridge(name) => ("bridge", Some(element("source", &[("bridge", name.as_str())]))),
        // One that is there already, and stays when the guest ends.
        NicBackend::Tap(name) => {
            ("ethernet", Some(element("target", &[("dev", name.as_str()), ("managed", "no")])))
        }
    };
    let mut interface = element("interface", &[("type", kind)]);
    interface.children.extend(card.mac.map(|mac| element("mac", &[("address", &mac.to_string())])));
    interface.children.extend(on);
    interface.children.push(element("model", &[("type", card.model.word())]));
    if card.queues > 1 && card.model == NicModel::Virtio {
        let queues = card.queues.to_string();
        interface.children.push(element("driver", &[("name", "vhost"), ("queues", &queues)]));
    }
    interface.with([behind(port, 0)])
}

/// Random numbers of the host.
pub(super) fn rng(port: RootPort) -> DomainElement {
    let backend = element("backend", &[("model", "random")]).with_text("/dev/urandom");
    element("rng", &[("model", "virtio")]).with([backend, behind(port, 0)])
}
