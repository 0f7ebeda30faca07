//! Fast machines: a kernel and a small initramfs, one topology in seconds. No disk, no firmware tables to configure.

mod archive;
mod initramfs;

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::exec::{self, tail};
use crate::image::Image;
use crate::image::hex;
use crate::machine::accel::Accel;
use crate::machine::spec::MachineSpec;
use crate::machine::{FRESH_VARIABLES, connect, device_arguments, uefi_arguments};
use crate::target::{Job, LabFault, Output, Target};

/// From power-on to the first question. Seconds on an idle machine; minutes with hundreds of devices on a busy one.
const BOOT_LIMIT: Duration = Duration::from_mins(5);
/// Ends every answer, on a line of its own.
const END: &str = "=== end ===";
/// The answer to a job that did not arrive as it was sent.
const AGAIN: &str = "again\n";
/// How often a job is sent before the port counts as broken.
const TRIES: usize = 5;

/// A running fast machine. Ends with its owner.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    port: UnixStream,
    pending: Vec<u8>,
    logs: PathBuf,
    kit: Kit,
    _scratch: TempDir,
}

/// What fast machines are made of.
#[derive(Debug, Clone)]
pub struct Kit {
    /// How QEMU runs their processors.
    pub accel: Accel,
    /// Where their kernel and modules are from.
    pub image: Image,
    /// The program under test.
    pub binary: PathBuf,
    /// The disk of those that have one: an overlay, which is written to. `None`: the image's, of which nothing is kept.
    pub disk: Option<PathBuf>,
}

impl Machine {
    /// Boots one and waits until it takes commands.
    pub fn boot(spec: &MachineSpec, kit: Kit, logs: &Path) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("passthru-lab").tempdir()?;
        let initrd = scratch.path().join("initramfs");
        fs::write(&initrd, initramfs::make(&kit.image, &kit.binary, spec.acpi_table.as_deref())?)?;
        let socket = scratch.path().join("port");
        let mut arguments: Vec<String> = Vec::new();
        // On a busy machine the emulated timer is late, and the kernel would take it for broken without no_timer_check.
        let cmdline =
            format!("console=ttyS0 panic=-1 quiet loglevel=4 no_timer_check {}", spec.kernel_args.join(" "));
        for (name, value) in [
            ("-machine", "q35,kernel-irqchip=split".to_owned()),
            ("-accel", kit.accel.argument().to_owned()),
            ("-cpu", spec.cpu.clone()),
            ("-smp", format!("{},threads={}", spec.cpus, spec.threads)),
            ("-m", spec.memory.clone()),
            ("-display", "none".to_owned()),
            ("-kernel", kit.image.kernel().display().to_string()),
            ("-initrd", initrd.display().to_string()),
            ("-append", cmdline),
            ("-serial", format!("file:{}", logs.join("serial.log").display())),
            ("-serial", format!("unix:{},server=on,wait=off", socket.display())),
        ] {
            arguments.extend([name.to_owned(), value]);
        }
        arguments.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(str::to_owned));
        arguments.extend(device_arguments(spec)?);
        if spec.uefi {
            let variables = scratch.path().join("variables");
            fs::copy(FRESH_VARIABLES, &variables)?;
            arguments.extend(uefi_arguments(&variables));
        }
        if spec.disk {
            let file = match &kit.disk {
                Some(overlay) => format!("format=qcow2,file={}", overlay.display()),
                None => format!("format=raw,snapshot=on,file={}", kit.image.disk().display()),
            };
            let drive = format!("if=none,id=disk,{file}");
            let device = "virtio-blk-pci,drive=disk,bus=pcie.0,addr=0x1a".to_owned();
            arguments.extend(["-drive".to_owned(), drive, "-device".to_owned(), device]);
        }
        let program = exec::find("qemu-system-x86_64").context("qemu-system-x86_64 is not installed")?;
        let mut command = Command::new(exec::find("setpriv").context("setpriv is not installed")?);
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(arguments);
        fs::write(logs.join("qemu.args"), format!("{command:?}\n"))?;
        let said = File::create(logs.join("qemu.stderr"))?;
        let child = command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said).spawn()?;
        let port = connect(&socket, Duration::from_secs(20));
        let mut machine = match port {
            Ok(port) => {
                Self { child, port, pending: Vec::new(), logs: logs.to_owned(), kit, _scratch: scratch }
            }
            Err(error) => {
                let mut child = child;
                child.kill().ok();
                child.wait().ok();
                let said = fs::read_to_string(logs.join("qemu.stderr")).unwrap_or_default();
                return Err(error).with_context(|| format!("QEMU did not start: {}", tail(&said, 8)));
            }
        };
        machine.port.set_read_timeout(Some(Duration::from_millis(200)))?;
        machine.answer(BOOT_LIMIT).context("the fast machine did not boot")?;
        Ok(machine)
    }

    /// Ends it when all that it has written is on its disk.
    pub fn end(mut self) -> Result<()> {
        // QEMU too keeps what a guest has written for itself until it is asked for it, as this does.
        self.ask(&["sync"])?;
        Ok(())
    }

    /// Everything up to the end mark.
    fn answer(&mut self, limit: Duration) -> Result<String> {
        let until = Instant::now() + limit;
        let mark = format!("{END}\n");
        loop {
            let found = self.pending.windows(mark.len()).position(|window| window == mark.as_bytes());
            if let Some(at) = found {
                let text = String::from_utf8_lossy(&self.pending[..at]).into_owned();
                self.pending.drain(..at + mark.len());
                return Ok(text);
            }
            let mut chunk = [0; 8192];
            match self.port.read(&mut chunk) {
                Ok(0) => return Err(self.ended()),
                Ok(count) => self.pending.extend_from_slice(&chunk[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if Instant::now() > until {
                        let serial = fs::read_to_string(self.logs.join("serial.log")).unwrap_or_default();
                        bail!(
                            "no answer within {} seconds; its console ends:\n{}",
                            limit.as_secs(),
                            tail(&serial, 12)
                        );
                    }
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(self.ended()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn ended(&mut self) -> anyhow::Error {
        let said = fs::read_to_string(self.logs.join("qemu.stderr")).unwrap_or_default();
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        LabFault(format!("QEMU ended with {status}: {}", tail(&said, 4))).into()
    }
}

impl Target for Machine {
    fn run(&mut self, job: &Job) -> Result<Output> {
        let begun = Instant::now();
        // One line a job: limit, input and arguments, encoded so that no shell looks at them before they are split.
        let words: Vec<String> = job.argv.iter().map(|word| BASE64.encode(word)).collect();
        let input = job.input.as_deref().map_or("-".to_owned(), |bytes| BASE64.encode(bytes));
        let line = format!("{} {input} {}\n", job.limit.as_secs(), words.join(" "));
        let sum = hex(&Sha256::digest(line.as_bytes()));
        let mut answer = AGAIN.to_owned();
        for _ in 0..TRIES {
            self.port.write_all(format!("{sum} {line}").as_bytes())?;
            answer = self.answer(job.limit + Duration::from_secs(30))?;
            if answer != AGAIN {
                break;
            }
        }
        let mut parts = answer.split("=== part ===\n");
        let mut part = || parts.next().context("the fast machine's answer lacks a part");
        let code = part()?.trim().parse().with_context(|| format!("not an exit status in {answer:?}"))?;
        let mut text = || -> Result<String> {
            let encoded: String = part()?.split_whitespace().collect();
            Ok(String::from_utf8_lossy(&BASE64.decode(encoded)?).into_owned())
        };
        Ok(Output { code, stdout: text()?, stderr: text()?, took: begun.elapsed() })
    }

    fn reboot(&mut self, _entry: Option<&str>) -> Result<()> {
        bail!("a fast machine has nothing to reboot into")
    }

    fn rescue(&mut self, _machine: &str) -> Result<()> {
        bail!("a fast machine has no system to be rescued")
    }

    fn rebuild(&mut self, machine: &str, kernel_args: &[String]) -> Result<()> {
        let mut spec = MachineSpec::load(machine)?;
        spec.kernel_args.extend_from_slice(kernel_args);
        let (kit, logs) = (self.kit.clone(), self.logs.clone());
        // The console's log of the last boot would be overwritten.
        let words: String =
            kernel_args.concat().chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        fs::rename(logs.join("serial.log"), logs.join(format!("serial-before-{machine}-{words}.log")))?;
        self.child.kill().ok();
        self.child.wait().ok();
        *self = Self::boot(&spec, kit, &logs)?;
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Nothing in it lasts: there is nothing to end in order.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
