//! Where the trees lie.

use std::path::Path;

use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::thread::UnshareFlags;

/// Mounts a file system in memory at an empty directory, seen by this process and its children alone, and says so; where that
/// is not allowed, says that and leaves the directory as it is.
pub fn mount(place: &Path) {
    match in_own_namespace(place) {
        Ok(()) => println!("trees: in memory, on a mount without device nodes"),
        Err(error) => println!("trees: in {} ({error})", place.display()),
    }
}

fn in_own_namespace(place: &Path) -> rustix::io::Result<()> {
    #[expect(
        deprecated,
        reason = "mount points alone are parted, and no descriptors, which is what the other name warns of"
    )]
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    rustix::mount::mount("passthru-bench", place, "tmpfs", MountFlags::NODEV | MountFlags::NOSUID, None)
}
