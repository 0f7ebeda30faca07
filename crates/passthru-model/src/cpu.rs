//! The processor, as far as passthrough cares.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::Fact;

/// The processor: the first CPU of `/proc/cpuinfo` speaks for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuFacts {
    /// `GenuineIntel`, `AuthenticAMD`, … (`vendor_id` of `/proc/cpuinfo`).
    pub vendor: Fact<String>,
    /// The model's name.
    pub model: Fact<String>,
    /// Logical CPUs listed.
    pub count: Fact<usize>,
    /// The flags of the first CPU.
    pub flags: Fact<BTreeSet<String>>,
    /// What VT-x of an Intel processor can do (`vmx flags`, Linux 5.9), such as `apicv` and `posted_intr`.
    pub vmx: Fact<BTreeSet<String>>,
    /// Family, model and stepping, by which errata are told apart.
    pub signature: Fact<CpuSignature>,
    /// The revision of its microcode, as the kernel writes it: `0xf8`.
    pub microcode: Fact<String>,
    /// Bits of a physical address, of which a guest with the processor's own model sees as many.
    pub physical_bits: Fact<u8>,
    /// What the kernel says of each known weakness, by the file's name (`/sys/devices/system/cpu/vulnerabilities`,
    /// `Documentation/ABI/testing/sysfs-devices-system-cpu`).
    pub vulnerabilities: Fact<BTreeMap<String, String>>,
    /// Parameters of the loaded modules of KVM, as `kvm_intel.nested` and its value. Known and empty: none is loaded.
    pub kvm: Fact<BTreeMap<String, String>>,
}

/// Family, model and stepping, as `/proc/cpuinfo` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuSignature {
    /// `cpu family`.
    pub family: u32,
    /// `model`.
    pub model: u32,
    /// `stepping`.
    pub stepping: u32,
}

impl CpuFacts {
    /// Nothing known, for one reason.
    pub fn unknown(because: &str) -> Self {
        Self {
            vendor: Fact::unknown(because),
            model: Fact::unknown(because),
            count: Fact::unknown(because),
            flags: Fact::unknown(because),
            vmx: Fact::unknown(because),
            signature: Fact::unknown(because),
            microcode: Fact::unknown(because),
            physical_bits: Fact::unknown(because),
            vulnerabilities: Fact::unknown(because),
            kvm: Fact::unknown(because),
        }
    }

    /// Whether the processor has a flag; `None` where its flags are not known.
    pub fn has(&self, flag: &str) -> Option<bool> {
        self.flags.value().map(|flags| flags.contains(flag))
    }

    /// A parameter of a module of KVM that is loaded, by its full name: `kvm.ignore_msrs`.
    pub fn kvm_parameter(&self, name: &str) -> Option<&str> {
        self.kvm.value()?.get(name).map(String::as_str)
    }

    /// A parameter of KVM that is a flag; numbers above zero are yes.
    pub fn kvm_flag(&self, name: &str) -> Option<bool> {
        match self.kvm_parameter(name)? {
            "Y" | "y" => Some(true),
            "N" | "n" => Some(false),
            number => number.parse::<i64>().ok().map(|number| number > 0),
        }
    }
}
