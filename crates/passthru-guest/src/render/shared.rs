//! Memory shared with Looking Glass.

use super::{Arguments, path};
use crate::layout::SHARED_SLOT;
use crate::machine::Shared;

/// The memory, and the device that the guest sees it in.
pub(super) fn shared(out: &mut Arguments, shared: &Shared) {
    let place = path(&shared.memory.path());
    out.option(
        "-object",
        format!("memory-backend-file,id=looking-glass,mem-path={place},size={}M,share=on", shared.mib),
    );
    out.option(
        "-device",
        format!("ivshmem-plain,id=shmem0,memdev=looking-glass,bus=pcie.0,addr={SHARED_SLOT:#x}"),
    );
}
