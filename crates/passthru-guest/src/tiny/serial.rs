//! A line on a serial port, as it is.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use rustix::termios::{OptionalActions, tcdrain, tcgetattr, tcsetattr};

/// Sends one line and waits until the port has taken all of it.
pub(super) fn send(port: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(port)?;
    // Raw: no translation of line ends, nothing echoed back into what is read on the other side.
    if let Ok(mut settings) = tcgetattr(&file) {
        settings.make_raw();
        let _ = tcsetattr(&file, OptionalActions::Now, &settings);
    }
    file.write_all(format!("{line}\n").as_bytes())?;
    let _ = tcdrain(&file);
    Ok(())
}
