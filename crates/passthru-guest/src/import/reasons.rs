//! Why something is not carried over: one sentence for one reason, whichever program kept the guest.

/// Why there is nothing for it yet.
pub(super) const NO_KEY: &str = "a specification has no key for it";
pub(super) const ONLY_KVM: &str = "only KVM heeds it, and the guest is emulated";
pub(super) const ONLY_USER: &str =
    "the network is QEMU's own (user), by which the guest reaches out and is not reached";
pub(super) const ADDRESS: &str = "QEMU or libvirt gives the card an address";
pub(super) const NO_SECURE_BOOT: &str = "passthru does not give a guest Secure Boot yet";
pub(super) const NO_TPM: &str = "passthru does not give a guest a TPM yet";
pub(super) const NO_BALLOON: &str = "a guest has no balloon, which is no use beside a passed device";
pub(super) const PROCESSOR: &str = "with KVM the guest has the host's processor, else all that QEMU emulates";
pub(super) const TIMERS: &str =
    "a guest's clock is said by [clock]: base, hpet, rtc (catchup or delay) and pit (delay or discard)";
pub(super) const LOCKED: &str = "the memory of a guest with a device of the host is locked anyway";
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
