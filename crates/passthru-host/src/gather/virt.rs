//! KVM and QEMU.

use passthru_model::fact::Fact;
use passthru_model::facts::KvmState;
use passthru_model::program::Program;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::host::Host;
use crate::program::DIRECTORIES;

/// Whether KVM can be used, found out by opening it, which changes nothing.
pub(super) fn kvm(host: &Host) -> Fact<KvmState> {
    const KVM: &str = "/dev/kvm";
    if !host.is_live() {
        return Fact::unknown("only the running machine can say whether /dev/kvm opens");
    }
    match rustix::fs::open(KVM, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        Ok(_) => Fact::known(KvmState::Usable, KVM, "opens for reading and writing"),
        Err(Errno::ACCESS | Errno::PERM) => Fact::known(KvmState::Denied, KVM, "this user may not open it"),
        Err(Errno::NOENT) => Fact::known(KvmState::Absent, KVM, "is not there"),
        // The node is there and no driver answers it.
        Err(Errno::NODEV | Errno::NXIO) => Fact::known(KvmState::Absent, KVM, "no driver answers"),
        Err(errno) => Fact::unknown(format!("{KVM} could not be opened: {}", std::io::Error::from(errno))),
    }
}

/// Where QEMU is.
pub(super) fn qemu(host: &Host) -> Fact<Option<String>> {
    let name = Program::QemuSystemX86_64.file_name();
    let mut looked = false;
    for directory in DIRECTORIES {
        let path = format!("{directory}/{name}");
        match host.exists(&path) {
            Ok(true) => return Fact::known(Some(path.clone()), path, "is there"),
            Ok(false) => looked |= matches!(host.exists(directory), Ok(true)),
            Err(error) => return super::because(&error),
        }
    }
    if looked {
        Fact::known(None, "/usr/bin", format!("no {name} here or in the other program directories"))
    } else {
        Fact::unknown("none of the program directories is there")
    }
}
