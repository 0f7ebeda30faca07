//! Where things lie: the repository, the cache outside of it, and the logs below `target`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

/// The root of the repository.
pub fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The data of the laboratory: machines and scenarios.
pub fn lab() -> PathBuf {
    repo().join("lab")
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repo().join("target"), |dir| repo().join(dir))
}

/// The logs of one scenario, emptied: what is there afterwards is of this run.
pub fn fresh_logs(name: &str) -> Result<PathBuf> {
    let dir = target().join("lab").join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// The cache of images and snapshots: large, slow to make, and so kept outside of the repository.
pub fn cache() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let dir = set("PASSTHRU_LAB_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("passthru-lab")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/passthru-lab")))
        .context("neither PASSTHRU_LAB_CACHE nor HOME says where to keep the image")?;
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// Removes the scratch directories of runs that were killed: whole disks, which nobody else would ever remove.
pub fn sweep() -> Result<()> {
    const DAY: Duration = Duration::from_hours(24);
    for entry in std::fs::read_dir(cache()?)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let scratch = name.starts_with("run-") || name.starts_with("building-");
        // A day is longer than any run: what is younger may be in use.
        if scratch && entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > DAY) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
