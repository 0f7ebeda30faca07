//! The root tree of the lab host: mmdebstrap, and the few files that make it ours.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::recipe;
use super::variant::Variant;
use crate::exec::Run;

/// Installs Debian into `root`, an empty or absent directory.
pub(super) fn install(variant: Variant, root: &Path, log: &Path) -> Result<()> {
    let mut run = Run::new("mmdebstrap")
        .args(["--mode=root", "--variant=minbase", "--components=main", "--format=directory"])
        .arg(format!("--include={}", variant.packages().join(",")))
        .arg(variant.suite())
        .arg(root)
        .arg(mirror())
        .log(log)
        .limit(Duration::from_mins(25));
    if let Some(proxy) = proxy() {
        run = run.env("http_proxy", &proxy);
    }
    run.go()
}

/// Writes our files, and returns the kernel's release.
pub(super) fn seed(variant: Variant, root: &Path) -> Result<String> {
    for seed in variant.seeds() {
        put(root, seed.path, seed.text, seed.mode)?;
    }
    for unit in recipe::MASKED {
        let link = inside(root, "/etc/systemd/system").join(unit);
        symlink("/dev/null", &link).with_context(|| format!("cannot mask {unit}"))?;
    }
    fs::create_dir_all(inside(root, "/boot/efi"))?;
    let release = kernel_release(root)?;
    if !variant.is_systemd_boot() {
        put(root, "/boot/grub/grub.cfg", &recipe::first_grub_cfg(&release), 0o600)?;
        Run::new("chroot").arg(root).args(["grub-editenv", "/boot/grub/grubenv", "create"]).go()?;
    }
    // No password: whoever has the serial line of a lab host already has the machine.
    Run::new("chroot").arg(root).args(["passwd", "-d", "root"]).go()?;
    // The host's own name server does not belong into an image that has no network.
    fs::remove_file(inside(root, "/etc/resolv.conf")).ok();
    Ok(release)
}

fn kernel_release(root: &Path) -> Result<String> {
    for entry in fs::read_dir(inside(root, "/boot"))? {
        let name = entry?.file_name();
        if let Some(release) = name.to_string_lossy().strip_prefix("vmlinuz-") {
            return Ok(release.to_owned());
        }
    }
    anyhow::bail!("no kernel was installed into {}", root.display())
}

fn put(root: &Path, path: &str, text: &str, mode: u32) -> Result<()> {
    let file = inside(root, path);
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
    Ok(())
}

/// An absolute path of the lab host, seen from here.
pub(super) fn inside(root: &Path, path: &str) -> std::path::PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// The Debian mirror that this machine's own apt uses, so that whoever set one up has it honoured.
fn mirror() -> String {
    Run::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI)"])
        .stdout()
        .unwrap_or_default()
        .lines()
        .map(|line| line.trim_end_matches('/'))
        .find(|uri| uri.ends_with("/debian"))
        .map_or_else(|| recipe::FALLBACK_MIRROR.to_owned(), str::to_owned)
}

/// The proxy of this machine's apt: mmdebstrap runs apt with a configuration of its own.
fn proxy() -> Option<String> {
    let said = Run::new("apt-config").args(["shell", "PROXY", "Acquire::http::Proxy"]).stdout().ok()?;
    let value = said.trim().strip_prefix("PROXY=")?.trim_matches('\'').to_owned();
    (!value.is_empty()).then_some(value)
}
