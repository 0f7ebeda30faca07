//! Which parts of a host a command needs, so that it reads no others.

use std::ops::BitOr;

/// A part of the facts that is read for itself.
///
/// To add one: a variant here, its line in `NEEDS` where it is read from the facts of others, its `if` in
/// [`gather_with`](super::gather_with), and its field in `HostFacts::unknown`. What takes long (all of configuration
/// space, each process's open files, the content of an initramfs) is a subject of its own, which only the commands that
/// show it ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Subject {
    /// `cpu`: the processor's vendor, model and flags. On large machines `/proc/cpuinfo` takes the kernel long.
    Cpu,
    /// The hypervisor and the distribution of `surroundings`. Its kind, root and container are always there.
    Surroundings,
    /// `pci`, as far as identity and groups go: ids, class, driver, group, reset methods, boot VGA, the bridges above
    /// displays, and so much of configuration space that bridges are known.
    Pci,
    /// The whole of each function's configuration space.
    PciConfig,
    /// Everything else that sysfs says of each function: the bridges above, ranges, NUMA node, revision, ROM, physical
    /// function, override; and the 64 bytes at the head of configuration space.
    PciDetails,
    /// `device_states`: power, links, virtual functions, BARs that can be resized.
    DeviceStates,
    /// `io_memory`: `/proc/iomem`.
    IoMemory,
    /// `possible_drivers`: the aliases of each installed kernel's modules.
    PossibleDrivers,
    /// `graphics`.
    Graphics,
    /// `holders`: each process's open files. Not among the usual ones.
    Holders,
    /// `names`, from `pci.ids`.
    Names,
    /// `iommu.groups`.
    Groups,
    /// The rest of `iommu`: tables, units, interrupts. `/proc/interrupts` is long where there are many CPUs.
    Iommu,
    /// `kernel`, as far as it runs: release, command line, loaded modules.
    Kernel,
    /// `kernel.installed` and `kernel.options`: each installed kernel with its lists of modules, a megabyte each.
    Kernels,
    /// `firmware`, the machine's own.
    Platform,
    /// `topology`.
    Topology,
    /// `tuning`.
    Tuning,
    /// `tuning.run_time`: what may be changed for a guest while it runs. Not among the usual ones.
    RunTime,
    /// `memory`.
    Memory,
    /// `usb`, and `sessions`: who sits at a keyboard.
    Usb,
    /// `kvm` and `qemu`.
    Virtualization,
    /// `files` and `unreadable_files`.
    Files,
    /// `binding`: what takes devices at boot.
    Binding,
    /// `boot` and `bootloader`: what boots the host.
    BootChain,
    /// `initramfs`: who builds it.
    Initramfs,
    /// `images` and `image_times`: what each initramfs holds, and since when.
    Images,
    /// `own_images`: what each initramfs holds of passthru's own files. Not among the usual ones.
    OwnImages,
    /// `boots`: the records of boots.
    Boots,
    /// `virtualisation`: what runs guests, and as whom.
    Guests,
    /// `desktop`.
    Desktop,
    /// `guest_firmware`.
    GuestFirmware,
    /// `in_use` and `in_use_gaps`, and `ways_in`.
    InUse,
}

/// What is read from the facts of another subject.
const NEEDS: &[(Subject, Subjects)] = &[
    (Subject::Images, Subjects::of(&[Subject::Kernel, Subject::Kernels, Subject::Binding])),
    (Subject::OwnImages, Subjects::of(&[Subject::Kernel, Subject::Kernels, Subject::Files])),
    (Subject::Binding, Subjects::of(&[Subject::Files])),
    (Subject::BootChain, Subjects::of(&[Subject::Files])),
    (Subject::DeviceStates, Subjects::of(&[Subject::Pci, Subject::PciConfig, Subject::PciDetails])),
    (Subject::Holders, Subjects::of(&[Subject::Groups])),
    (Subject::InUse, Subjects::of(&[Subject::Pci, Subject::Graphics])),
    (Subject::Kernels, Subjects::of(&[Subject::Kernel])),
    (Subject::Groups, Subjects::of(&[Subject::Pci])),
    (Subject::Names, Subjects::of(&[Subject::Pci])),
    (Subject::PciConfig, Subjects::of(&[Subject::Pci])),
    (Subject::Platform, Subjects::of(&[Subject::Iommu])),
    (Subject::RunTime, Subjects::of(&[Subject::Tuning])),
    (Subject::Tuning, Subjects::of(&[Subject::Topology])),
    (Subject::PossibleDrivers, Subjects::of(&[Subject::Pci, Subject::Kernels, Subject::Kernel])),
    (Subject::PciDetails, Subjects::of(&[Subject::Pci])),
    (Subject::Surroundings, Subjects::of(&[Subject::Cpu])),
];

/// A set of subjects. The default is all usual ones: what a command does not name, it does not miss.
///
/// A fact that was not asked for is unknown, because of [`NOT_ASKED`](super::NOT_ASKED), and never absent. Each command
/// of the program that names its subjects is held to say the same with them as with all (the tests of
/// `crates/passthru/src/commands`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subjects(u64);

impl Subjects {
    /// Every subject.
    pub const ALL: Self = Self(u64::MAX);
    /// Every subject but those that look into what the host's users run, or unpack images that few ask for.
    pub const USUAL: Self = Self(
        !(1 << (Subject::Holders as u8) | 1 << (Subject::OwnImages as u8) | 1 << (Subject::RunTime as u8)),
    );
    /// No subject.
    pub const NONE: Self = Self(0);

    /// These subjects.
    pub const fn of(subjects: &[Subject]) -> Self {
        Self::NONE.with(subjects)
    }

    /// These subjects too.
    #[must_use]
    pub const fn with(self, subjects: &[Subject]) -> Self {
        let Self(mut set) = self;
        let mut rest = subjects;
        while let [first, others @ ..] = rest {
            set |= 1 << (*first as u8);
            rest = others;
        }
        Self(set)
    }

    /// Whether a subject is in it.
    pub const fn contains(self, subject: Subject) -> bool {
        self.0 & (1 << (subject as u8)) != 0
    }

    /// With the subjects that those in it are read from.
    pub(super) fn with_needs(mut self) -> Self {
        // No need has needs of its own that come later in the list.
        for (subject, needs) in NEEDS {
            if self.contains(*subject) {
                self = self | *needs;
            }
        }
        self
    }
}

impl Default for Subjects {
    fn default() -> Self {
        Self::USUAL
    }
}

impl BitOr for Subjects {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{NEEDS, Subject, Subjects};

    #[test]
    fn a_set_holds_what_it_was_made_of_and_what_that_needs() {
        let set = Subjects::of(&[Subject::Names]);
        assert!(set.contains(Subject::Names) && !set.contains(Subject::Pci));
        assert!(set.with_needs().contains(Subject::Pci));
        assert_eq!(Subjects::NONE.with_needs(), Subjects::NONE);
        assert!(set.with(&[Subject::Files]).contains(Subject::Files));
        assert!(Subjects::ALL.contains(Subject::Files));
    }

    #[test]
    fn once_through_the_needs_is_enough() {
        for (subject, _) in NEEDS {
            let once = Subjects::of(&[*subject]).with_needs();
            assert_eq!(once.with_needs(), once, "{subject:?}");
        }
    }
}
