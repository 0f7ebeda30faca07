//! Each reason why there may be no plan, in words.

use passthru_formats::error::Refused as EditError;
use passthru_formats::intent_toml::IntentError;
use passthru_model::address::PciAddress;
use passthru_model::hex::PciId;
use passthru_model::intent::INTENT_PATH;

use crate::groups::listed;
use crate::intent::IntentProblem;

/// One reason why there is no plan. The text says what is at stake and what would settle it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Something that matters is not known.
    #[error("{what} is not known: {because}. {settle}")]
    Unknown {
        /// What is not known.
        what: String,
        /// Why.
        because: String,
        /// What would settle it.
        settle: String,
    },
    /// Something that a guest's specification asks for cannot be done on this host.
    #[error("{0}")]
    CannotTune(String),
    /// Nothing was named.
    #[error("no device is named; `passthru groups` lists the devices and their addresses")]
    NothingNamed,
    /// Of these no virtual functions are made, so there are none to do without.
    #[error("{INTENT_PATH} has no virtual functions made of {}, so nothing changes", listed(.0))]
    NoVirtualFunctions(Vec<PciAddress>),
    /// There is nothing to take over.
    #[error(
        "nothing on this host was set up for guests by other tools or by hand, so there is nothing to take over; name the functions to isolate"
    )]
    NothingToAdopt,
    /// No such function is in the host.
    #[error("there is no PCI function {0} in this host; `passthru groups` lists the functions")]
    NoSuchDevice(PciAddress),
    /// The function to be released is not in the intent.
    #[error("{0} is not isolated, so there is nothing to release")]
    NotIsolated(PciAddress),
    /// The function is a bridge.
    #[error(
        "{address} ({name}) is a bridge: it carries other devices, and no guest can have it. Name the devices behind it"
    )]
    Bridge {
        /// The function.
        address: PciAddress,
        /// Its name.
        name: String,
    },
    /// The function keeps the host itself going.
    #[error("{address} ({name}) is part of the host's chipset, and the host cannot do without it")]
    Chipset {
        /// The function.
        address: PciAddress,
        /// Its name.
        name: String,
    },
    /// A virtual function comes into being only after boot.
    #[error(
        "{address} ({name}) is a virtual function (SR-IOV) of {physical}, made anew after each boot, so it cannot be isolated at boot"
    )]
    VirtualFunction {
        /// The function.
        address: PciAddress,
        /// Its name.
        name: String,
        /// The function that it belongs to.
        physical: PciAddress,
    },
    /// The host would be left without a display.
    #[error(
        "{address} ({name}) is the host's only display; without it the host can be reached over the network or a serial line only"
    )]
    OnlyDisplay {
        /// The function.
        address: PciAddress,
        /// Its name.
        name: String,
    },
    /// Without its display the host could not be reached.
    #[error(
        "{address} ({name}) is the host's only display, and nothing else leads in: no server for SSH is started at boot, and there is no login on a serial line. Have one started (`systemctl enable --now ssh`, or sshd), and try it, then run the command again"
    )]
    NoWayIn {
        /// The function.
        address: PciAddress,
        /// Its name.
        name: String,
    },
    /// Storage in use.
    #[error("{address} ({name}) holds storage that the host uses: {what}")]
    StorageInUse {
        /// The function.
        address: PciAddress,
        /// Its name.
        name: String,
        /// What is used.
        what: String,
    },
    /// Network in use.
    #[error("{address} ({name}) is the network that the host uses: {what}")]
    NetworkInUse {
        /// The function.
        address: PciAddress,
        /// Its name.
        name: String,
        /// What is used.
        what: String,
    },
    /// The host would be left without a keyboard.
    #[error("{address} ({name}) carries the host's last keyboard: {what}")]
    LastKeyboard {
        /// The function.
        address: PciAddress,
        /// Its name.
        name: String,
        /// Which keyboard.
        what: String,
    },
    /// The group holds others.
    #[error("{address} shares IOMMU group {group} with {}, and a group goes to one guest as a whole. {}", others.join(", "), advice)]
    GroupHolds {
        /// The function that is wanted.
        address: PciAddress,
        /// Its group.
        group: u32,
        /// The others, each with its name and what it is to the host.
        others: Vec<String>,
        /// What would settle it.
        advice: String,
    },
    /// The firmware keeps memory of the device for itself.
    #[error(
        "IOMMU group {group} of {address} has a region that the firmware requires to be mapped one to one ({range}), so the kernel refuses to give it to a guest; a firmware update or its option for this device (RMRR) may lift that"
    )]
    DirectRegion {
        /// The function that is wanted.
        address: PciAddress,
        /// Its group.
        group: u32,
        /// The region.
        range: String,
    },
    /// The function has no group although others do.
    #[error(
        "{address} has no IOMMU group although the IOMMU is on, so its memory access cannot be contained"
    )]
    NoGroup {
        /// The function.
        address: PciAddress,
    },
    /// No function has a group.
    #[error(
        "no IOMMU is in use, so no function has an IOMMU group and no guest can have a device; `passthru doctor iommu-enabled` says why, and `passthru isolate` turns it on at boot"
    )]
    NoGroupsAtAll,
    /// The function reads as ones: it has no power, or hangs.
    #[error(
        "{address} ({name}) does not answer (its configuration space reads as ones): it has no power or hangs; only a power cycle of the machine is sure to bring it back"
    )]
    Silent {
        /// The function.
        address: PciAddress,
        /// Its name.
        name: String,
    },
    /// Programs have it open.
    #[error(
        "{address} ({name}) is open in {}: its driver could not let go of it, and to ask it to would hang until they close it. {advice}",
        holders.join(", ")
    )]
    Held {
        /// The function.
        address: PciAddress,
        /// Its name.
        name: String,
        /// The programs, each with its process and files.
        holders: Vec<String>,
        /// What would settle it.
        advice: String,
    },
    /// The modules of the running kernel are not there.
    #[error(
        "the modules of the running kernel {release} are not under /lib/modules, so vfio-pci cannot be loaded: the kernel was updated since the boot; reboot first"
    )]
    ModulesGone {
        /// The kernel's release.
        release: String,
    },
    /// The platform offers no IOMMU.
    #[error(
        "the firmware offers no IOMMU (no DMAR or IVRS table): turn on VT-d (Intel) or IOMMU/AMD-Vi (AMD) in the firmware setup{surroundings}"
    )]
    NoIommu {
        /// What the surroundings have to do with it, or nothing.
        surroundings: String,
    },
    /// The kernel does not drive the IOMMU, and nothing that we could change explains it.
    #[error(
        "the firmware offers an IOMMU ({table}) and the kernel does not use it, though no parameter turns it off; the kernel log says why (look for {hint})"
    )]
    IommuNotDriven {
        /// The firmware's table.
        table: &'static str,
        /// What the kernel's lines about it begin with.
        hint: &'static str,
    },
    /// A parameter turns the IOMMU off and stands in no file that we can edit.
    #[error("‘{token}’ on the kernel command line turns the IOMMU off, and it stands in none of {}; look for it in {}", looked.join(", "), elsewhere)]
    ParameterElsewhere {
        /// The parameter.
        token: String,
        /// The files that were looked at.
        looked: Vec<String>,
        /// Where it could be.
        elsewhere: String,
    },
    /// A settings file cannot be judged or edited.
    #[error("{path}, {problem}; change it by hand, then run the command again")]
    Settings {
        /// The file.
        path: String,
        /// What is in the way.
        problem: String,
    },
    /// A settings file cannot be edited, with what its owner can do about that.
    #[error("{path}, {error}, then run the command again")]
    EditRefused {
        /// The file.
        path: String,
        /// What is in the way, and the cure.
        error: EditError,
    },
    /// What we would add to the kernel command line would not come to it.
    #[error(
        "{path} is read after our file and sets {name} anew, so ‘{token}’ would be lost; let it keep the old value (\"${name} …\"), then run the command again"
    )]
    Overridden {
        /// The file that sets it.
        path: String,
        /// The variable.
        name: String,
        /// The parameter.
        token: String,
    },
    /// A setting of the intent that this host cannot have.
    #[error("the intent asks for {setting}, and {problem}")]
    Setting {
        /// The setting and its value, such as ‘hugepages = "1G=16"’.
        setting: String,
        /// What is in the way, and what would settle it.
        problem: String,
    },
    /// A parameter that the intent needs is set to something else by the user.
    #[error(
        "‘{theirs}’ is in {} already, and the intent asks for ‘{wanted}’: take out the one that is not meant, there or under [boot] in the intent",
        paths.join(", ")
    )]
    ParameterTaken {
        /// The word that stands there.
        theirs: String,
        /// The word that the intent needs.
        wanted: String,
        /// The files that it may be in.
        paths: Vec<String>,
    },
    /// The override makes groups that nothing keeps apart.
    #[error(
        "‘{token}’ has the kernel take devices for apart that are not: a guest can then read and write memory of other devices, and through them of the host, past the IOMMU"
    )]
    AcsOverride {
        /// The parameter.
        token: String,
    },
    /// The boot loader is not known for certain.
    #[error("the boot loader cannot be told for certain: {0}")]
    Bootloader(String),
    /// The initramfs generator is not known for certain.
    #[error("the program that builds the initramfs cannot be told for certain: {0}")]
    Initramfs(String),
    /// Nothing of this boot chain has been booted yet where it was made.
    #[error(
        "this host boots by way of {}; what passthru does there has been tested against the programs or on trees of their files, and not yet started in the laboratory. Wait for a version that says it has been, or insist: `passthru undo` and the boot entry without passthrough lead back, as on other hosts",
        parts.join(" and ")
    )]
    UntriedBootChain {
        /// The boot loader or the generator of the initramfs, or both, as people name them.
        parts: Vec<&'static str>,
    },
    /// A signed unified image takes no parameters from an entry.
    #[error(
        "Secure Boot is on, and under it a unified kernel image takes no parameters from a boot entry, so there could be no entry without passthrough: turn Secure Boot off in the firmware setup, or have kernel-install make entries (layout=bls in /etc/kernel/install.conf)"
    )]
    SecureBootImage,
    /// A kernel lacks vfio-pci.
    #[error(
        "kernel {release} has no vfio-pci module: install the package that carries it (linux-modules-extra on Ubuntu), or remove that kernel"
    )]
    NoVfio {
        /// The kernel's release.
        release: String,
    },
    /// No display is left but the one that stays.
    #[error("there is no GPU besides {boot}, which the firmware draws on")]
    NoOtherDisplay {
        /// The one that the firmware draws on.
        boot: PciAddress,
    },
    /// All displays but one were asked for, and it is not known which one.
    #[error(
        "the kernel does not say which GPU the firmware draws on: name the GPUs that guests are to have by their addresses"
    )]
    BootDisplayUnknown,
    /// A kernel lacks pci-stub, by which the intent binds.
    #[error(
        "kernel {release} has no pci-stub, by which the intent binds: choose `--method override`, which needs vfio-pci alone"
    )]
    NoStub {
        /// The kernel's release.
        release: String,
    },
    /// No kernel with an initramfs was found.
    #[error(
        "no installed kernel with an initramfs was found under /boot, so nothing could be isolated at boot; mount /boot if it is a file system of its own"
    )]
    NoKernel,
    /// The function at the address is another one.
    #[error(
        "{address} was chosen as {expected} and is {found} now: the card was changed or the slots were renumbered. `passthru release {address}`, then choose anew"
    )]
    IdentityMismatch {
        /// The address.
        address: PciAddress,
        /// What was chosen.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A function of the intent is gone.
    #[error("{0} is to be isolated and is not in this host: `passthru release {0}`, or put it back")]
    Missing(PciAddress),
    /// Binding by id would take the host's twin.
    #[error("binding by PCI ID takes every {id}, and the host has another: {}. Use method = \"override\"", twins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Twins {
        /// The id.
        id: PciId,
        /// The functions that were not chosen.
        twins: Vec<PciAddress>,
    },
    /// Something that is not ours stands where one of our files goes.
    #[error(
        "{path} is there and was not written by passthru: {problem}; move it away, then run the command again"
    )]
    NotOurs {
        /// The path.
        path: String,
        /// What stands there.
        problem: String,
    },
    /// The intent file is wrong.
    #[error(transparent)]
    Intent(#[from] IntentProblem),
    /// The intent file cannot be edited.
    #[error(transparent)]
    IntentEdit(#[from] IntentError),
}
