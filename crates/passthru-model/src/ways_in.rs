//! How a host is reached that shows nothing on a screen.

/// The ways that are set up to be there after every boot, each with the sign of it; `None`: there is no sign of any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaysIn {
    /// A server for SSH that is started at boot: the link or script that has it started.
    pub ssh: Option<String>,
    /// A login on a serial line: the word of the kernel command line, or the unit.
    pub serial: Option<String>,
}

impl WaysIn {
    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.ssh.is_some() || self.serial.is_some()
    }
}
