//! Where a guest's files are. The two roots come from the caller.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::name::GuestName;

/// The longest path of a Unix socket (`sun_path` has 108 bytes with its end).
const LONGEST_SOCKET: usize = 107;

/// The files of one guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestPaths {
    state: PathBuf,
    data: PathBuf,
}

impl GuestPaths {
    /// `run_root` holds what is gone after a reboot, such as `/run/passthru/guests`; `data_root` what must stay, such as
    /// `/var/lib/passthru/guests`.
    pub fn new(run_root: &Path, data_root: &Path, name: &GuestName) -> Self {
        Self { state: run_root.join(name.as_str()), data: data_root.join(name.as_str()) }
    }

    /// The directory of what is gone after a reboot.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The directory of what stays.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// QEMU's control socket.
    pub fn qmp(&self) -> PathBuf {
        self.state.join("qmp.sock")
    }

    /// The serial console's socket.
    pub fn serial(&self) -> PathBuf {
        self.state.join("serial.sock")
    }

    /// What the serial console said.
    pub fn serial_log(&self) -> PathBuf {
        self.state.join("serial.log")
    }

    /// The VNC display's socket.
    pub fn vnc(&self) -> PathBuf {
        self.state.join("vnc.sock")
    }

    /// The SPICE display's socket.
    pub fn spice(&self) -> PathBuf {
        self.state.join("spice.sock")
    }

    /// The control socket of the guest's swtpm.
    pub fn tpm(&self) -> PathBuf {
        self.state.join("tpm.sock")
    }

    /// What swtpm said.
    pub fn tpm_log(&self) -> PathBuf {
        self.state.join("swtpm.log")
    }

    /// Which process swtpm is.
    pub fn tpm_record(&self) -> PathBuf {
        self.state.join("swtpm.pid")
    }

    /// The directory of what the guest's TPM keeps. What was sealed with it is lost with it.
    pub fn tpm_state(&self) -> PathBuf {
        self.data.join("tpm")
    }

    /// What QEMU said.
    pub fn log(&self) -> PathBuf {
        self.state.join("qemu.log")
    }

    /// Which process it is.
    pub fn record(&self) -> PathBuf {
        self.state.join("process.json")
    }

    /// Which process supervises it.
    pub fn supervisor(&self) -> PathBuf {
        self.state.join("supervisor.json")
    }

    /// That libvirt has it, and which of its processes.
    pub(super) fn libvirt(&self) -> PathBuf {
        self.state.join("libvirt.json")
    }

    /// What the supervisor was told to do.
    pub fn order(&self) -> PathBuf {
        self.state.join("order.json")
    }

    /// What the supervisor said.
    pub fn supervisor_log(&self) -> PathBuf {
        self.state.join("supervisor.log")
    }

    /// Held while a guest is started or stopped.
    pub fn lock(&self) -> PathBuf {
        self.state.join("lock")
    }

    /// The guest's own UEFI variables.
    pub fn vars(&self, format: &str) -> PathBuf {
        self.data.join(if format == "qcow2" { "vars.qcow2" } else { "vars.fd" })
    }

    /// The first socket whose path the kernel would not take.
    pub fn socket_too_long(&self) -> Option<PathBuf> {
        [self.qmp(), self.serial(), self.vnc(), self.spice(), self.tpm()]
            .into_iter()
            .find(|path| path.as_os_str().len() > LONGEST_SOCKET)
    }
}
