//! The tiny guest of `passthru try`: this program as `/init`, alone with a kernel. It looks at the PCI functions that the
//! firmware and the kernel show, says so in one line on the second serial port, and switches the machine off.

mod scan;
mod serial;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use passthru_model::guest_report::{GuestReport, REPORT_MARK};
use rustix::mount::{MountFlags, mount};
use rustix::system::RebootCommand;

/// The text before the words of a tiny guest that could not report.
pub const FAILURE_MARK: &str = "passthru-guest-failure ";

/// What the tiny guest says on its console before it looks at anything.
pub const HELLO: &str = "passthru: the tiny guest runs";

/// How long functions may take to appear; those that were there at power-on are there already.
const PATIENCE: Duration = Duration::from_secs(10);

/// The life of pid 1. Never returns: a pid 1 that ends is a kernel panic.
pub fn init_main() -> ! {
    let line = match report() {
        Ok(report) => {
            serde_json::to_string(&report).map(|json| format!("{REPORT_MARK}{json}")).map_err(io::Error::from)
        }
        Err(error) => Err(error),
    };
    let line = line.unwrap_or_else(|error| format!("{FAILURE_MARK}{error}"));
    if let Err(error) = serial::send(Path::new("/dev/ttyS1"), &line) {
        // The console is the last place left to be heard.
        let _ = serial::send(Path::new("/dev/console"), &format!("{FAILURE_MARK}the report port: {error}"));
    }
    rustix::fs::sync();
    let _ = rustix::system::reboot(RebootCommand::PowerOff);
    loop {
        std::thread::sleep(Duration::from_mins(1));
    }
}

fn report() -> io::Result<GuestReport> {
    for (kind, target) in [("devtmpfs", "/dev"), ("proc", "/proc"), ("sysfs", "/sys")] {
        mount(kind, target, kind, MountFlags::empty(), None)
            .map_err(|error| io::Error::other(format!("{kind} cannot be mounted on {target}: {error}")))?;
    }
    let _ = serial::send(Path::new("/dev/console"), HELLO);
    let expected: usize = std::env::args().nth(2).and_then(|count| count.parse().ok()).unwrap_or(0);
    let devices = Path::new("/sys/bus/pci/devices");
    let deadline = Instant::now() + PATIENCE;
    while scan::behind_ports(devices) < expected && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(GuestReport {
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        uefi: Path::new("/sys/firmware/efi").exists(),
        functions: scan::functions(devices)?,
    })
}
