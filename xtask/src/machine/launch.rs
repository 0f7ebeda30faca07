//! QEMU's command line for a lab host.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::accel::Accel;
use super::spec::MachineSpec;
use super::topology;
use crate::exec::{self, Run};

/// The host's firmware without secure boot.
pub const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// A store for its variables that nobody has written to.
pub const FRESH_VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// The disk that a lab host boots from.
#[derive(Debug, Clone)]
pub enum Disk {
    /// The raw image itself: what is written stays. Only for making the image.
    Raw(PathBuf),
    /// A file over an image: the image stays as it is.
    Overlay(PathBuf),
}

impl Disk {
    /// An empty overlay in `dir`, over a raw or qcow2 image.
    pub fn over(base: &Path, format: &str, dir: &Path) -> Result<Self> {
        let file = dir.join("disk.qcow2");
        Run::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2", "-F", format, "-b"])
            .arg(base)
            .arg(&file)
            .go()?;
        Ok(Self::Overlay(file))
    }
}

/// Everything that makes one run of a lab host.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The machine.
    pub spec: MachineSpec,
    /// The accelerator.
    pub accel: Accel,
    /// Its disk.
    pub disk: Disk,
    /// The store of firmware variables, written to.
    pub variables: PathBuf,
    /// A read-only disk with what is under test.
    pub payload: Option<PathBuf>,
    /// Directory of logs: the serial console and what QEMU says.
    pub logs: PathBuf,
    /// A saved state to start from.
    pub incoming: Option<PathBuf>,
    /// Puts the serial console on the caller's terminal instead of a file.
    pub terminal: bool,
}

/// Starts QEMU with sockets `qmp` and `agent` in the directory that is returned.
pub(super) fn spawn(setup: &Setup) -> Result<(Child, TempDir)> {
    fs::create_dir_all(&setup.logs)?;
    let sockets = tempfile::Builder::new().prefix("passthru-lab").tempdir()?;
    let program = exec::find("qemu-system-x86_64").context("qemu-system-x86_64 is not installed")?;
    // With its starter gone nobody would end it: let the kernel do so.
    let mut command = Command::new(exec::find("setpriv").context("setpriv is not installed")?);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(arguments(setup, sockets.path())?);
    let said = File::create(setup.logs.join("qemu.stderr"))?;
    fs::write(setup.logs.join("qemu.args"), format!("{command:?}\n"))?;
    if setup.terminal {
        command.stdin(Stdio::inherit()).stdout(Stdio::inherit());
    } else {
        command.stdin(Stdio::null()).stdout(said.try_clone()?);
    }
    let child = command.stderr(said).spawn().context("cannot start QEMU")?;
    Ok((child, sockets))
}

fn arguments(setup: &Setup, sockets: &Path) -> Result<Vec<String>> {
    let spec = &setup.spec;
    ensure!(
        spec.kernel_args.is_empty(),
        "kernel_args are for fast machines: a distribution takes its command line from its boot loader"
    );
    let mut args = Args(Vec::new());
    args.add("-nodefaults", "");
    args.add("-no-user-config", "");
    args.add("-display", "none");
    args.add("-machine", "q35,kernel-irqchip=split");
    args.add("-accel", setup.accel.argument());
    args.add("-cpu", &spec.cpu);
    ensure!(
        spec.threads == 1 && !spec.disk && !spec.uefi,
        "threads, disk and uefi are for fast machines: a distribution has its disk, and boots by UEFI anyway"
    );
    args.add("-smp", &spec.cpus.to_string());
    args.add("-m", &spec.memory);
    args.0.extend(uefi_arguments(&setup.variables));
    args.0.extend(topology::arguments(spec)?);
    let (file, format) = match &setup.disk {
        Disk::Raw(file) => (file, "raw"),
        Disk::Overlay(file) => (file, "qcow2"),
    };
    args.add(
        "-drive",
        &format!("if=none,id=disk,format={format},cache=unsafe,discard=unmap,file={}", file.display()),
    );
    args.add("-device", "virtio-blk-pci,drive=disk,bus=pcie.0,addr=0x1a,bootindex=1");
    if let Some(payload) = &setup.payload {
        args.add("-drive", &format!("if=none,id=payload,format=raw,readonly=on,file={}", payload.display()));
        args.add("-device", "virtio-blk-pci,drive=payload,serial=payload,bus=pcie.0,addr=0x1b");
    }
    args.add("-device", "virtio-serial-pci,bus=pcie.0,addr=0x1c");
    let socket = |name: &str| sockets.join(name).display().to_string();
    args.add("-chardev", &format!("socket,id=agent,server=on,wait=off,path={}", socket("agent")));
    args.add("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0");
    args.add("-qmp", &format!("unix:{},server=on,wait=off", socket("qmp")));
    let console = if setup.terminal {
        "stdio,id=console,signal=off".to_owned()
    } else {
        format!("file,id=console,path={}", setup.logs.join("serial.log").display())
    };
    args.add("-chardev", &console);
    args.add("-serial", "chardev:console");
    if let Some(state) = &setup.incoming {
        // QEMU runs this line through a shell; the path is one of ours, from the cache, and refused if it needs quoting.
        let path = state.display().to_string();
        ensure!(!path.contains(['\'', '\n']), "the cache's path must not contain quotes");
        args.add("-incoming", &format!("exec:zstd -dcq '{path}'"));
    }
    Ok(args.0)
}

/// The firmware that makes a UEFI machine, with its store of variables.
pub fn uefi_arguments(variables: &Path) -> [String; 4] {
    [
        "-drive".to_owned(),
        format!("if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}"),
        "-drive".to_owned(),
        format!("if=pflash,unit=1,format=raw,file={}", variables.display()),
    ]
}

struct Args(Vec<String>);

impl Args {
    fn add(&mut self, name: &str, value: &str) {
        self.0.push(name.to_owned());
        if !value.is_empty() {
            self.0.push(value.to_owned());
        }
    }
}
