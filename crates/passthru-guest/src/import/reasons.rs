//! Why something is not carried over: one sentence for one reason, whichever program kept the guest.

/// Why there is nothing for it yet.
pub(super) const NO_KEY: &str = "a specification has no key for it";
pub(super) const ONLY_USER: &str = "a card is on QEMU's own network, on a bridge of the host's or on a tap interface, and here it is QEMU's own (user)";
pub(super) const ONE_THREAD: &str = "one thread carries what all disks of virtio read and write";
pub(super) const ONLY_SWTPM: &str = "a guest's TPM is emulated by swtpm";
pub(super) const SECURE_SMM: &str = "system management mode comes with Secure Boot alone";
pub(super) const NO_SERVER: &str = "sound goes to PipeWire, PulseAudio, JACK, a SPICE viewer or nobody";
pub(super) const NO_SHARED: &str = "what is shared is a file right in /dev/shm or /dev/kvmfr0, for Looking Glass, of a size that is a power of two";
pub(super) const VIRTIO_INPUT: &str = "keyboard and mouse by virtio come with input devices of the host";
pub(super) const NO_AGENT: &str = "a SPICE display comes without an agent in the guest";
pub(super) const LEGACY_VGA: &str =
    "under SeaBIOS the first GPU has it where there is no virtual display, and UEFI needs none of it";
pub(super) const ICH9: &str = "the sound card is that of ICH9";
pub(super) const ONE_QUEUE: &str = "only a virtio card on a tap interface has several queues: QEMU's own network and its helper for bridges open one";
pub(super) const TPM_2: &str = "a guest's TPM is a TPM 2.0";
pub(super) const ONLY_KVM: &str = "only KVM heeds it, and the guest is emulated";
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
pub(super) const ON_SOCKET: &str =
    "the virtual display is VNC or SPICE, on a socket that only its owner can open";
pub(super) const EMPTY_DRIVE: &str = "the drive is empty";
pub(super) const TWO_FORMATS: &str = "an image is raw or qcow2; qemu-img convert makes one of the other";
/// Why addresses in the guest are not kept.
pub(super) const PLACED: &str = "devices are placed anew, each host slot behind a root port of its own";
