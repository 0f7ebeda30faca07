//! The processor: `/proc/cpuinfo`, its known weaknesses, and the parameters of KVM.

use std::collections::BTreeMap;

use passthru_formats::{cpuinfo, sysfs};
use passthru_model::cpu::{CpuFacts, CpuSignature};
use passthru_model::fact::Fact;

use super::{because, short};
use crate::host::Host;

const CPUINFO: &str = "/proc/cpuinfo";
const VULNERABILITIES: &str = "/sys/devices/system/cpu/vulnerabilities";
const MODULES: &str = "/sys/module";

/// The parameters of KVM that change what a guest gets (`Documentation/admin-guide/kernel-parameters.txt`).
const KVM_PARAMETERS: &[(&str, &[&str])] = &[
    ("kvm", &["ignore_msrs", "report_ignored_msrs", "nx_huge_pages", "halt_poll_ns"]),
    ("kvm_intel", &["nested", "ept", "enable_apicv", "unrestricted_guest"]),
    ("kvm_amd", &["nested", "npt", "avic"]),
];

pub(super) fn facts(host: &Host) -> CpuFacts {
    let (vulnerabilities, kvm) = (vulnerabilities(host), kvm(host));
    let bytes = match host.read(CPUINFO) {
        Ok(bytes) => bytes,
        Err(error) => return CpuFacts { vulnerabilities, kvm, ..CpuFacts::unknown(&error.to_string()) },
    };
    let info = cpuinfo::parse(&bytes);
    let lacks = |what: &str| format!("{CPUINFO} has no line ‘{what}’");
    let text = |value: Option<String>, what: &str| match value {
        Some(value) => Fact::known(value.clone(), CPUINFO, short(&format!("{what}: {value}"))),
        None => Fact::unknown(lacks(what)),
    };
    let signature = match (info.family, info.model_number, info.stepping) {
        (Some(family), Some(model), Some(stepping)) => Fact::known(
            CpuSignature { family, model, stepping },
            CPUINFO,
            format!("family {family}, model {model}, stepping {stepping}"),
        ),
        _ => Fact::unknown(lacks("cpu family, model or stepping")),
    };
    CpuFacts {
        vulnerabilities,
        kvm,
        signature,
        vmx: match info.vmx {
            Some(flags) => {
                let seen = short(&flags.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
                Fact::known(flags, CPUINFO, format!("vmx flags: {seen}"))
            }
            None => Fact::unknown(lacks("vmx flags")),
        },
        microcode: text(info.microcode, "microcode"),
        physical_bits: match info.physical_bits {
            Some(bits) => Fact::known(bits, CPUINFO, format!("address sizes: {bits} bits physical")),
            None => Fact::unknown(lacks("address sizes")),
        },
        vendor: text(info.vendor, "vendor_id"),
        model: text(info.model, "model name"),
        count: match info.count {
            0 => Fact::unknown(lacks("processor")),
            count => Fact::known(count, CPUINFO, format!("{count} processors")),
        },
        flags: match info.flags {
            Some(flags) => {
                let telling: Vec<&str> =
                    ["vmx", "svm", "hypervisor"].into_iter().filter(|flag| flags.contains(*flag)).collect();
                let seen =
                    if telling.is_empty() { "neither vmx nor svm".to_owned() } else { telling.join(" ") };
                Fact::known(flags, CPUINFO, format!("flags: {seen}"))
            }
            None => Fact::unknown(lacks("flags")),
        },
    }
}

/// What the kernel says of each weakness. Before Linux 4.15 there is no such directory.
fn vulnerabilities(host: &Host) -> Fact<BTreeMap<String, String>> {
    let names = match host.list(VULNERABILITIES) {
        Ok(names) => names,
        Err(error) => return because(&error),
    };
    let directory = host.directory(VULNERABILITIES);
    let found: BTreeMap<String, String> = names
        .into_iter()
        .filter_map(|name| {
            let text = sysfs::line(&directory.read(&name).ok()?);
            (!text.is_empty()).then_some((name, text))
        })
        .collect();
    let open = found.values().filter(|text| text.starts_with("Vulnerable")).count();
    let seen = format!("{} known, {open} open", found.len());
    Fact::known(found, VULNERABILITIES, seen)
}

/// The parameters of the modules of KVM that are loaded or built in.
fn kvm(host: &Host) -> Fact<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (module, parameters) in KVM_PARAMETERS {
        let path = format!("{MODULES}/{module}/parameters");
        match host.exists(&path) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => return because(&error),
        }
        let directory = host.directory(&path);
        for parameter in *parameters {
            if let Ok(bytes) = directory.read(parameter) {
                found.insert(format!("{module}.{parameter}"), sysfs::line(&bytes).trim().to_owned());
            }
        }
    }
    if found.is_empty() && !matches!(host.exists(MODULES), Ok(true)) {
        return Fact::unknown(format!("{MODULES} is not there"));
    }
    let seen = found.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
    Fact::known(found, MODULES, if seen.is_empty() { "no module of KVM".to_owned() } else { short(&seen) })
}
