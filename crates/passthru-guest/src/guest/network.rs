//! The network card of a guest.

use super::BuildError;
use crate::machine::Card;
use crate::spec::{Nic, NicBackend, NicModel, Os};

/// The card, and what is wrong with it.
pub(super) fn card(nic: &Nic, os: Os, wrong: &mut Vec<BuildError>) -> Card {
    let by_itself = if os.is_windows() { NicModel::E1000e } else { NicModel::Virtio };
    let model = nic.model.unwrap_or(by_itself);
    let queues = nic.queues.unwrap_or(1);
    if queues == 0 {
        wrong.push(BuildError::NoQueues);
    }
    if queues > 1 {
        // QEMU's helper opens a tap interface with one queue, and its own network has none.
        let is_tap = matches!(nic.backend, NicBackend::Tap(_));
        if !is_tap || model != NicModel::Virtio {
            wrong.push(BuildError::QueuesUnusable { queues });
        }
    }
    Card { backend: nic.backend.clone(), model, mac: nic.mac, queues: queues.max(1) }
}
