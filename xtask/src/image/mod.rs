//! The lab host's image: built once, kept outside of the repository under a key of all that goes in.

mod disk;
mod recipe;
mod root;
mod variant;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::exec::Run;
use crate::machine::accel::Accel;
use crate::machine::spec::MachineSpec;
use crate::machine::{Disk, FRESH_VARIABLES, Machine, Setup};
use crate::target::{Job, Target, persevere};
use crate::ui::Ui;
use crate::{packages, paths};

pub use variant::Variant;

/// A whole image in the cache. Nothing in it is ever written to again.
#[derive(Debug, Clone)]
pub struct Image {
    dir: PathBuf,
    key: String,
    variant: Variant,
}

impl Image {
    /// The raw disk.
    pub fn disk(&self) -> PathBuf {
        self.dir.join("disk.raw")
    }

    /// The firmware's variables after the first boot.
    pub fn variables(&self) -> PathBuf {
        self.dir.join("variables.fd")
    }

    /// The kernel, for fast machines.
    pub fn kernel(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    /// A static busybox, for fast machines.
    pub fn busybox(&self) -> PathBuf {
        self.dir.join("busybox")
    }

    /// The kernel's modules, as below `/usr/lib/modules/RELEASE`.
    pub fn modules(&self) -> PathBuf {
        self.dir.join("modules")
    }

    /// The kernel's release.
    pub fn release(&self) -> Result<String> {
        Ok(fs::read_to_string(self.dir.join("release"))?.trim().to_owned())
    }

    /// Where states of machines that booted from this image are saved.
    pub fn snapshots(&self) -> PathBuf {
        self.dir.with_extension("snapshots")
    }

    /// What the image was made from.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The image from the cache, built now if it is not there.
    pub fn ready(ui: &Ui, accel: Accel, variant: Variant) -> Result<Self> {
        let key = key(variant);
        let cache = paths::cache()?;
        let image = Self { dir: cache.join(&key), key, variant };
        if image.dir.exists() {
            return Ok(image);
        }
        let lock = File::create(cache.join("lock"))?;
        if lock.try_lock().is_err() {
            ui.say("another run is building the image: waiting for it");
            lock.lock()?;
        }
        // Built by the other run while we waited?
        if !image.dir.exists() {
            build(ui, accel, &image, &cache)?;
        }
        Ok(image)
    }
}

/// Sixteen digits that stand for everything that goes into the image.
fn key(variant: Variant) -> String {
    let parts = (
        recipe::VERSION,
        variant.suite(),
        variant.packages(),
        variant.seeds(),
        recipe::MASKED,
        recipe::ESP_GRUB_CFG,
        recipe::first_grub_cfg("RELEASE"),
        variant.settle(),
    );
    let more = variant.is_systemd_boot().then(|| (Variant::first_entry(), variant.esp_mib()));
    let text = format!("{parts:?}{}", more.map(|more| format!("{more:?}")).unwrap_or_default());
    hex(&Sha256::digest(text))[..16].to_owned()
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn build(ui: &Ui, accel: Accel, image: &Image, cache: &Path) -> Result<()> {
    if !packages::root() {
        bail!("building the image needs root: true owners in it, and mmdebstrap's chroot");
    }
    let variant = image.variant;
    ui.say(&format!("building the lab host's image {} ({}, {variant:?})", image.key, variant.suite()));
    let logs = paths::fresh_logs("image")?;
    // Next to its final place, so that renaming it is one step; gone again if anything fails.
    let scratch = tempfile::Builder::new().prefix("building-").tempdir_in(cache)?;
    let work = scratch.path();
    let (tree, made) = (work.join("root"), work.join("image"));
    fs::create_dir(&made)?;
    let part = Image { dir: made.clone(), key: image.key.clone(), variant };
    ui.timed("mmdebstrap", || root::install(variant, &tree, &logs.join("mmdebstrap.log")))?;
    let release = ui.timed("the lab host's own files", || root::seed(variant, &tree))?;
    ui.timed("disk image", || {
        disk::make(variant, &tree, &release, &part.disk(), work, &logs.join("disk.log"))
    })?;
    ui.timed("kernel and modules for fast machines", || extract(&tree, &part, &release))?;
    fs::copy(FRESH_VARIABLES, part.variables())?;
    ui.timed("first boot, initramfs, boot entries", || settle(ui, &part, accel, &logs))
        .with_context(|| format!("logs are in {}", logs.display()))?;
    fs::rename(&made, &image.dir)?;
    Ok(())
}

fn extract(tree: &Path, part: &Image, release: &str) -> Result<()> {
    let from = |path: &str| root::inside(tree, path);
    fs::copy(from(&format!("/boot/vmlinuz-{release}")), part.kernel())?;
    fs::copy(from("/usr/bin/busybox"), part.busybox())?;
    fs::write(part.dir.join("release"), release)?;
    Run::new("cp").arg("-a").arg(from(&format!("/usr/lib/modules/{release}"))).arg(part.modules()).go()
}

/// The first boot: what a system does only once, and what only a booted one can do, is in the image.
fn settle(ui: &Ui, part: &Image, accel: Accel, logs: &Path) -> Result<()> {
    let spec = MachineSpec::load("twins")?;
    let setup = Setup {
        spec,
        accel,
        disk: Disk::Raw(part.disk()),
        variables: part.variables(),
        payload: None,
        logs: logs.to_owned(),
        incoming: None,
        terminal: false,
    };
    let mut machine = persevere(ui, || Machine::boot(setup.clone()))?;
    for argv in part.variant.settle() {
        let output = machine.run(&Job::new(argv.iter().copied()).limit(Duration::from_mins(15)))?;
        let text = format!(
            "# {} = {} in {:.1?}\n{}{}",
            argv.join(" "),
            output.code,
            output.took,
            output.stdout,
            output.stderr
        );
        fs::write(logs.join(format!("{}.log", argv[0])), &text)?;
        if output.code != 0 {
            bail!("{text}");
        }
    }
    machine.power_off()
}
