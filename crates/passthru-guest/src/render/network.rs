//! Network cards.

use super::{Arguments, root_port};
use crate::layout::RootPort;
use crate::machine::NetworkCard;

/// A card on QEMU's own network.
pub(super) fn network(out: &mut Arguments, card: NetworkCard, port: RootPort) {
    let driver = match card {
        NetworkCard::Virtio => "virtio-net-pci",
        NetworkCard::E1000e => "e1000e",
    };
    out.option("-netdev", "user,id=net0");
    let bus = root_port(out, port);
    out.option("-device", format!("{driver},netdev=net0,bus={bus},addr=0x0"));
}
