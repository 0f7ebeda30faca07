//! Why something is not carried over: one sentence for one reason, whichever program kept the guest.

/// Why there is nothing for it yet.
pub(super) const NO_KEY: &str = "a specification has no key for it";
pub(super) const NO_BACKING: &str = "passthru does not choose where memory comes from yet";
pub(super) const ONLY_USER: &str =
    "the network is QEMU's own (user), by which the guest reaches out and is not reached";
pub(super) const ADDRESS: &str = "QEMU or libvirt gives the card an address";
pub(super) const ONLY_SWTPM: &str = "a guest's TPM is emulated by swtpm";
pub(super) const SECURE_SMM: &str = "system management mode comes with Secure Boot alone";
pub(super) const TPM_2: &str = "a guest's TPM is a TPM 2.0";
pub(super) const NOT_ENLIGHTENED: &str = "passthru does not set Hyper-V's enlightenments yet";
pub(super) const NOT_HIDDEN: &str = "KVM is not hidden; drivers from 2021 on need no hiding";
pub(super) const NO_BALLOON: &str = "a guest has no balloon, which is no use beside a passed device";
pub(super) const PROCESSOR: &str = "with KVM the guest has the host's processor, else all that QEMU emulates";
pub(super) const TIMERS: &str = "timers are QEMU's defaults";
pub(super) const BOARD: &str = "the board is always q35, which has PCI Express";
pub(super) const NEWEST_BOARD: &str = "the board is the newest q35 of the QEMU that runs it";
pub(super) const FIRMWARE: &str = "the firmware is found by QEMU's descriptors";
pub(super) const BOOT_ORDER: &str = "disks are tried first, then discs";
pub(super) const ALL_MEMORY: &str = "a guest has all of its memory from the start";
pub(super) const ALL_CPUS: &str = "a guest has all of its vCPUs from the start";
pub(super) const PLAIN_VGA: &str = "the virtual display is a plain VGA";
pub(super) const TABLET: &str = "the virtual display comes with a tablet";
pub(super) const USB_CONTROLLER: &str = "a USB controller comes with the virtual display";
pub(super) const ON_SOCKET: &str = "the virtual display is VNC, on a socket that only its owner can open";
pub(super) const EMPTY_DRIVE: &str = "the drive is empty";
pub(super) const TWO_FORMATS: &str = "an image is raw or qcow2; qemu-img convert makes one of the other";
/// Why addresses in the guest are not kept.
pub(super) const PLACED: &str = "devices are placed anew, each host slot behind a root port of its own";
