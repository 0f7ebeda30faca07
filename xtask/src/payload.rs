//! What is under test: the static binary, built here and carried into the machines.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::exec::Run;
use crate::paths;
use crate::target::Target;
use crate::ui::Ui;

/// Fixed, so that the disk looks the same to a restored machine whatever is on it; sparse.
const DISK_SIZE: u64 = 128 << 20;
/// How a lab host sees the disk.
const DEVICE: &str = "/dev/disk/by-id/virtio-payload";

/// The binary, and a disk with it.
#[derive(Debug)]
pub struct Payload {
    binary: PathBuf,
    disk: PathBuf,
    _scratch: TempDir,
}

impl Payload {
    /// Builds the binary and writes the disk.
    pub fn build(ui: &Ui) -> Result<Self> {
        ui.timed("cargo build --release -p passthru", || {
            Run::new("cargo")
                .args(["build", "--release", "--locked", "-p", "passthru"])
                .dir(&paths::repo())
                .limit(Duration::from_mins(30))
                .go()
        })?;
        Self::with(paths::target().join("x86_64-unknown-linux-gnu/release/passthru"))
    }

    /// Takes a binary that is there.
    pub fn with(binary: PathBuf) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let disk = scratch.path().join("payload.img");
        let dir = scratch.path().join("files");
        std::fs::create_dir(&dir)?;
        std::fs::copy(&binary, dir.join("passthru"))
            .with_context(|| format!("no program to judge at {}", binary.display()))?;
        // A bare archive instead of a file system: nothing to mount, and nothing that a restored guest holds in its cache.
        Run::new("tar")
            .args(["--owner=0", "--group=0", "--mode=0755", "-cf"])
            .arg(&disk)
            .arg("-C")
            .arg(&dir)
            .arg("passthru")
            .go()?;
        File::options().write(true).open(&disk)?.set_len(DISK_SIZE)?;
        Ok(Self { binary, disk, _scratch: scratch })
    }

    /// The binary itself.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The disk that a lab host is given.
    pub fn disk(&self) -> &Path {
        &self.disk
    }

    /// Puts the binary into a booted lab host.
    pub fn install(target: &mut dyn Target) -> Result<()> {
        // What a restored machine remembers of the disk is of another run.
        target.ask(&["blockdev", "--flushbufs", DEVICE])?;
        target.ask(&["tar", "-C", "/usr/local/bin", "-xf", DEVICE])?;
        Ok(())
    }
}
