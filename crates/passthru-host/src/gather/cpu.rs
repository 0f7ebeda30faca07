//! The processor, from `/proc/cpuinfo`.

use passthru_formats::cpuinfo;
use passthru_model::fact::Fact;
use passthru_model::facts::CpuFacts;

use super::{because, short};
use crate::host::Host;

const CPUINFO: &str = "/proc/cpuinfo";

pub(super) fn facts(host: &Host) -> CpuFacts {
    let bytes = match host.read(CPUINFO) {
        Ok(bytes) => bytes,
        Err(error) => {
            return CpuFacts {
                vendor: because(&error),
                model: because(&error),
                count: because(&error),
                flags: because(&error),
            };
        }
    };
    let info = cpuinfo::parse(&bytes);
    let lacks = |what: &str| format!("{CPUINFO} has no line ‘{what}’");
    let text = |value: Option<String>, what: &str| match value {
        Some(value) => Fact::known(value.clone(), CPUINFO, short(&format!("{what}: {value}"))),
        None => Fact::unknown(lacks(what)),
    };
    CpuFacts {
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
