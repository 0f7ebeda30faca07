//! `/proc/cpuinfo`, as x86 writes it (`arch/x86/kernel/cpu/proc.c`).

use std::collections::BTreeSet;

/// What `/proc/cpuinfo` says of the processor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuInfo {
    /// `vendor_id` of the first CPU; absent on other architectures than x86.
    pub vendor: Option<String>,
    /// `model name` of the first CPU.
    pub model: Option<String>,
    /// Number of `processor` lines.
    pub count: usize,
    /// `flags` of the first CPU (`Features` on Arm).
    pub flags: Option<BTreeSet<String>>,
    /// `vmx flags` of the first CPU (`arch/x86/kernel/cpu/feat_ctl.c`, Linux 5.9): what Intel's VT-x can do.
    pub vmx: Option<BTreeSet<String>>,
    /// `cpu family` of the first CPU.
    pub family: Option<u32>,
    /// `model` of the first CPU, the number beside its name.
    pub model_number: Option<u32>,
    /// `stepping` of the first CPU.
    pub stepping: Option<u32>,
    /// `microcode` of the first CPU, as it is written: `0xf8`.
    pub microcode: Option<String>,
    /// Bits of a physical address, from `address sizes` of the first CPU: `39 bits physical, 48 bits virtual`.
    pub physical_bits: Option<u8>,
}

/// Reads the text. There is no wrong text: what is not there stays absent.
pub fn parse(bytes: &[u8]) -> CpuInfo {
    let text = String::from_utf8_lossy(bytes);
    let mut info = CpuInfo::default();
    for line in text.lines() {
        // Lines without a colon do not occur but for the empty ones between CPUs.
        let Some((key, value)) = line.split_once(':') else { continue };
        let (key, value) = (key.trim_end(), value.trim());
        match key {
            // On s390x the line is "processor 0: …", which does not match and does not matter here.
            "processor" => info.count += 1,
            "vendor_id" if info.vendor.is_none() => info.vendor = Some(value.to_owned()),
            "model name" if info.model.is_none() => info.model = Some(value.to_owned()),
            "flags" | "Features" if info.flags.is_none() => {
                info.flags = Some(value.split_ascii_whitespace().map(str::to_owned).collect());
            }
            "vmx flags" if info.vmx.is_none() => {
                info.vmx = Some(value.split_ascii_whitespace().map(str::to_owned).collect());
            }
            "cpu family" if info.family.is_none() => info.family = value.parse().ok(),
            "model" if info.model_number.is_none() => info.model_number = value.parse().ok(),
            "stepping" if info.stepping.is_none() => info.stepping = value.parse().ok(),
            "microcode" if info.microcode.is_none() => info.microcode = Some(value.to_owned()),
            "address sizes" if info.physical_bits.is_none() => {
                info.physical_bits =
                    value.split_once(" bits physical").and_then(|(bits, _)| bits.parse().ok());
            }
            _ => {}
        }
    }
    info
}

#[cfg(test)]
mod tests {
    use super::{CpuInfo, parse};
    use proptest::prelude::*;

    #[test]
    fn the_first_cpu_speaks_for_all() {
        let text = b"processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: A CPU @ 3: fast\nflags\t\t: fpu vmx\n\n\
            processor\t: 1\nvendor_id\t: GenuineIntel\nflags\t\t: fpu\n";
        let info = parse(text);
        assert_eq!(info.vendor.as_deref(), Some("GenuineIntel"));
        assert_eq!(info.model.as_deref(), Some("A CPU @ 3: fast"));
        assert_eq!(info.count, 2);
        assert!(info.flags.is_some_and(|flags| flags.contains("vmx") && flags.len() == 2));
    }

    #[test]
    fn its_kind_its_microcode_and_its_addresses_are_numbers() {
        let text = b"cpu family\t: 6\nmodel\t\t: 158\nstepping\t: 10\nmicrocode\t: 0xf8\n\
            vmx flags\t: vnmi apicv\naddress sizes\t: 39 bits physical, 48 bits virtual\n";
        let info = parse(text);
        assert_eq!((info.family, info.model_number, info.stepping), (Some(6), Some(158), Some(10)));
        assert_eq!((info.microcode.as_deref(), info.physical_bits), (Some("0xf8"), Some(39)));
        assert!(info.vmx.is_some_and(|flags| flags.contains("apicv")) && info.flags.is_none());
        assert_eq!(parse(b"stepping\t: unknown\naddress sizes\t: many\n"), CpuInfo::default());
    }

    #[test]
    fn an_empty_text_says_nothing() {
        assert_eq!(parse(b""), CpuInfo::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
