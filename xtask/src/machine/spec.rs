//! What a machine of the laboratory looks like, as its file in `lab/machines` says it.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::paths;

/// A machine: the processor's surroundings and the devices.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MachineSpec {
    /// What it is good for, in one sentence.
    pub description: String,
    /// The emulated IOMMU.
    pub iommu: Iommu,
    /// Properties of the IOMMU's device, such as `intremap = "off"`, which win over the laboratory's own.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub iommu_properties: toml::Table,
    /// Memory, as QEMU takes it.
    #[serde(default = "default_memory")]
    pub memory: String,
    /// Number of virtual CPUs.
    #[serde(default = "default_cpus")]
    pub cpus: u32,
    /// Threads of each core.
    #[serde(default = "default_threads", skip_serializing_if = "is_one")]
    pub threads: u32,
    /// The CPU model.
    #[serde(default = "default_cpu")]
    pub cpu: String,
    /// The display device at 00:01.0, which the firmware uses; absent for none.
    pub boot_vga: Option<String>,
    /// Words for the kernel command line of a fast machine. A distribution keeps its own in its boot loader.
    #[serde(default)]
    pub kernel_args: Vec<String>,
    /// A whole ACPI table in hexadecimal digits, which a fast machine's kernel takes in the place of its firmware's with
    /// the same name and OEM's ids, or else beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acpi_table: Option<String>,
    /// Fast machines only: the lab host's disk as /dev/vda. What is written to it is gone with the machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disk: bool,
    /// Fast machines only: UEFI firmware, which hands the kernel its own services, instead of a BIOS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uefi: bool,
    /// Slots with devices, each below a root port of its own unless it says otherwise.
    #[serde(default)]
    pub slot: Vec<Slot>,
    /// Devices exactly as QEMU takes them, in order, before the slots: bridges, switches, controllers.
    #[serde(default)]
    pub device: Vec<Device>,
}

/// The emulated IOMMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Iommu {
    /// VT-d, described by a DMAR table.
    Intel,
    /// AMD-Vi, described by an IVRS table.
    Amd,
    /// None at all.
    None,
}

/// A slot and the functions in it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Functions 0, 1, … of the slot.
    pub functions: Vec<Function>,
    /// Properties of the root port above the slot, such as `disable-acs = true`.
    #[serde(default)]
    pub port: toml::Table,
    /// Puts the slot on this bus of an own `[[device]]` instead of a root port.
    pub bus: Option<String>,
    /// The slot's number on that bus.
    #[serde(default)]
    pub number: u32,
}

/// A function: its QEMU device alone, or with properties.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Function {
    /// The device's name.
    Name(String),
    /// The device with properties.
    Device(Device),
}

/// A device of QEMU.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Device {
    /// Its name, such as `e1000e`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its properties.
    #[serde(flatten)]
    pub props: toml::Table,
}

fn default_memory() -> String {
    "4G".to_owned()
}

fn default_cpus() -> u32 {
    2
}

fn default_threads() -> u32 {
    1
}

/// What a machine's file need not say, and so does not change what a saved state is found by.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

fn default_cpu() -> String {
    "max".to_owned()
}

impl MachineSpec {
    /// Reads `lab/machines/NAME.toml`.
    pub fn load(name: &str) -> Result<Self> {
        let path = paths::lab().join("machines").join(name).with_extension("toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("no machine {name}: {}", path.display()))?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }
}
