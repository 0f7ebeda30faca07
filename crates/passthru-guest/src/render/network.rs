//! Network cards.

use std::fmt::Write as _;

use super::{Arguments, root_port};
use crate::layout::RootPort;
use crate::machine::Card;
use crate::spec::{NicBackend, NicModel};

/// A card and what it is on.
pub(super) fn network(out: &mut Arguments, card: &Card, port: RootPort) {
    let several = card.queues > 1;
    out.option(
        "-netdev",
        match &card.backend {
            NicBackend::User => "user,id=net0".to_owned(),
            NicBackend::Bridge(name) => format!("bridge,id=net0,br={}", name.as_str()),
            NicBackend::Tap(name) => {
                // The kernel's own vhost moves the packets of a virtio card past QEMU.
                let vhost = if card.model == NicModel::Virtio { ",vhost=on" } else { "" };
                let queues = if several { format!(",queues={}", card.queues) } else { String::new() };
                format!("tap,id=net0,ifname={},script=no,downscript=no{vhost}{queues}", name.as_str())
            }
        },
    );
    let driver = match card.model {
        NicModel::Virtio => "virtio-net-pci",
        NicModel::E1000e => "e1000e",
    };
    let bus = root_port(out, port);
    let mut device = format!("{driver},netdev=net0");
    if let Some(mac) = card.mac {
        let _ = write!(device, ",mac={mac}");
    }
    if several {
        // An interrupt for each queue, two for its pair, one for the settings, one for control.
        let _ = write!(device, ",mq=on,vectors={}", 2 * u16::from(card.queues) + 2);
    }
    out.option("-device", format!("{device},bus={bus},addr=0x0"));
}

/// Random numbers of the host.
pub(super) fn rng(out: &mut Arguments, port: RootPort) {
    out.option("-object", "rng-random,id=rng0,filename=/dev/urandom");
    let bus = root_port(out, port);
    out.option("-device", format!("virtio-rng-pci,rng=rng0,bus={bus},addr=0x0"));
}
