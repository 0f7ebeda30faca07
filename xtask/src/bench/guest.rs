//! What `guest start` adds to QEMU's own start, until the guest runs, and beside it `virsh start` of the same machine where libvirt's
//! session driver is.
//!
//! The guest is a user's, so that nothing outside a temporary directory is touched; as root that user is `nobody`. Nothing of the
//! host is tuned for it: what a plan of values takes is the journal's and the kernel's time.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::median;
use crate::exec;

/// The numbers of `nobody` and its group on Debian.
const NOBODY: u32 = 65534;

/// How long QEMU gets before something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is aimed at, in milliseconds above QEMU's own start.
const TARGET: f64 = 50.0;

/// A user with a guest.
struct Bench {
    place: tempfile::TempDir,
    passthru: PathBuf,
    root: bool,
}

/// Times both, or all three, in turn.
pub(super) fn work(passthru: &str, repeats: usize) -> Result<()> {
    println!("\nstart of a guest without devices, to the moment it runs");
    if exec::find("qemu-system-x86_64").is_none() {
        println!("  not timed: qemu-system-x86_64 is not installed");
        return Ok(());
    }
    let bench = Bench::new(Path::new(passthru))?;
    bench.ours(&["guest", "new", "box", "--memory", "256M", "--cpus", "1", "--firmware", "seabios"])?;
    let shown = bench.ours(&["guest", "show", "box", "--json"])?;
    let shown: serde_json::Value = serde_json::from_str(&shown).context("guest show --json")?;
    let words = shown["command"].as_array().context("no command")?.iter();
    let command: Vec<String> = words.filter_map(|word| word.as_str().map(str::to_owned)).collect();
    let socket = command
        .iter()
        .find_map(|word| word.split("path=").nth(1).filter(|path| path.contains("qmp.sock")))
        .and_then(|path| path.split(',').next())
        .context("QEMU has no control socket")?;
    let socket = PathBuf::from(socket);
    let libvirt = bench.define()?;
    let (mut qemu, mut ours, mut virsh) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=repeats {
        let took = bench.started()?;
        let bare = bench.bare(&command, &socket)?;
        let other = if libvirt { Some(bench.virsh_started()?) } else { None };
        if round > 0 {
            ours.push(took);
            qemu.push(bare);
            virsh.extend(other);
        }
    }
    let (qemu, ours) = (median(&mut qemu), median(&mut ours));
    println!("  {:<28} {qemu:>10.2} ms", "QEMU by itself");
    println!(
        "  {:<28} {ours:>10.2} ms   adds {:.2} ms, target {TARGET} ms",
        "passthru guest start",
        ours - qemu
    );
    if libvirt {
        let virsh = median(&mut virsh);
        println!("  {:<28} {virsh:>10.2} ms   adds {:.2} ms", "virsh start", virsh - qemu);
    } else {
        println!(
            "  virsh start is not timed: there is no virsh, or its session driver does not take the guest"
        );
    }
    Ok(())
}

impl Bench {
    fn new(passthru: &Path) -> Result<Self> {
        let open = std::fs::Permissions::from_mode(0o755);
        let place = tempfile::Builder::new().permissions(open).tempdir()?;
        let copy = place.path().join("passthru");
        std::fs::copy(passthru, &copy)?;
        let root = rustix::process::geteuid().is_root();
        for name in ["home", "run"] {
            let path = place.path().join(name);
            std::fs::create_dir(&path)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
            if root {
                std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY))?;
            }
        }
        Ok(Self { place, passthru: copy, root })
    }

    /// A command of the user's.
    fn command(&self, program: &Path) -> Command {
        let mut command = if self.root {
            let mut command = Command::new("setpriv");
            command.args([
                format!("--reuid={NOBODY}"),
                format!("--regid={NOBODY}"),
                "--clear-groups".to_owned(),
            ]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .env("HOME", self.place.path().join("home"))
            .env("XDG_RUNTIME_DIR", self.place.path().join("run"))
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .current_dir("/")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Runs passthru, which must do its work, and gives back what it printed.
    fn ours(&self, words: &[&str]) -> Result<String> {
        let output = self.command(&self.passthru).args(words).stderr(Stdio::piped()).output()?;
        if !output.status.success() {
            bail!("passthru {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// How long `guest start` takes. The guest is stopped again.
    fn started(&self) -> Result<Duration> {
        let begin = Instant::now();
        self.ours(&["guest", "start", "box"])?;
        let took = begin.elapsed();
        self.ours(&["guest", "stop", "box", "--timeout", "0", "--force"])?;
        Ok(took)
    }

    /// How long QEMU takes with the same arguments until the guest runs. It greets on its control socket while it still makes the
    /// machine, so it is asked as barely as can be, and its answer is waited for.
    fn bare(&self, command: &[String], socket: &Path) -> Result<Duration> {
        let (program, arguments) = command.split_first().context("QEMU's command is empty")?;
        let begin = Instant::now();
        let mut qemu = self.command(Path::new(program)).args(arguments).stdout(Stdio::null()).spawn()?;
        let mut runs = false;
        while !runs && begin.elapsed() < PATIENCE && qemu.try_wait()?.is_none() {
            match UnixStream::connect(socket) {
                Ok(stream) => runs = says_that_it_runs(stream)?,
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        let took = begin.elapsed();
        qemu.kill()?;
        qemu.wait()?;
        let _ = std::fs::remove_file(socket);
        if runs { Ok(took) } else { bail!("QEMU did not start by itself") }
    }

    /// Has libvirt know the same guest; whether it does.
    fn define(&self) -> Result<bool> {
        let Some(virsh) = exec::find("virsh") else { return Ok(false) };
        let xml = self.ours(&["guest", "export", "box", "--format", "libvirt"])?;
        let file = self.place.path().join("box.xml");
        std::fs::write(&file, xml)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
        let taken = |words: &[&str]| -> Result<bool> {
            let mut command = self.command(&virsh);
            Ok(command.args(["-c", "qemu:///session"]).args(words).stdout(Stdio::null()).status()?.success())
        };
        let file = file.to_str().context("the temporary path is not UTF-8")?;
        Ok(taken(&["define", file])? && taken(&["start", "box"])? && taken(&["destroy", "box"])?)
    }

    /// How long `virsh start` takes. The guest is destroyed again.
    fn virsh_started(&self) -> Result<Duration> {
        let virsh = exec::find("virsh").context("virsh is gone")?;
        let go = |verb: &str| {
            let mut command = self.command(&virsh);
            command.args(["-c", "qemu:///session", verb, "box"]).stdout(Stdio::null()).status()
        };
        let begin = Instant::now();
        let started = go("start")?;
        let took = begin.elapsed();
        go("destroy")?;
        if started.success() { Ok(took) } else { bail!("virsh does not start the guest any more") }
    }
}

/// Asks QEMU for the guest's status, with nothing but the words that it takes.
fn says_that_it_runs(mut stream: UnixStream) -> Result<bool> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-status\"}")?;
    for answer in BufReader::new(stream).lines() {
        let answer = answer?;
        if answer.contains("\"status\"") {
            return Ok(answer.contains("\"running\": true"));
        }
    }
    Ok(false)
}
