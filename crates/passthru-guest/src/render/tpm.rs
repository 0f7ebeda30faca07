//! The TPM.

use std::path::Path;

use super::{Arguments, path};

/// A TPM 2.0 that swtpm emulates behind a socket.
pub(super) fn tpm(out: &mut Arguments, socket: &Path) {
    out.option("-chardev", format!("socket,id=tpm,path={}", path(socket)));
    out.option("-tpmdev", "emulator,id=tpm0,chardev=tpm");
    out.option("-device", "tpm-crb,tpmdev=tpm0");
}
