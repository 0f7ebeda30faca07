//! One module a dialect: bytes in, bytes out. Nothing here opens a path; `clippy.toml` holds that.
//!
//! A dialect that is edited keeps its text: what was not edited comes back byte for byte. What cannot be understood for
//! certain (dynamic shell, for one) is refused, never guessed at.

pub mod acpi;
pub mod bls;
pub mod booster;
pub mod boot_entries;
mod bytes;
pub mod cmdline;
pub mod config_space;
pub mod cpio;
pub mod cpuinfo;
pub mod dracut;
pub mod efi_compression;
pub mod efi_load_option;
pub mod efi_variable;
pub mod error;
pub mod firmware_descriptor;
pub mod grub_cfg;
pub mod input_devices;
pub mod intent_toml;
pub mod interrupts;
pub mod iomem;
pub mod kargs;
pub mod kernel_cmdline;
pub mod kernel_config;
pub mod kernelstub;
mod key_value;
pub mod libvirt_conf;
pub mod libvirt_domain;
pub mod limine;
pub mod limine_defaults;
pub mod limits;
pub mod loader_conf;
pub mod lspci;
pub mod media;
pub mod memory;
pub mod mkinitcpio;
pub mod modprobe;
pub mod module_alias;
pub mod module_list;
pub mod modules;
pub mod mounts;
pub mod nixos;
pub mod option_rom;
pub mod os_release;
pub mod pci_ids;
pub mod pci_ports;
pub mod pe;
pub mod refind;
pub mod routes;
pub mod shell;
pub mod sysfs;
pub mod syslinux;
pub mod udev_database;
pub mod vfio_ids;
pub mod xorg_conf;
