//! What can be said of option ROMs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use passthru_model::PciAddress;

/// The commands about option ROMs.
#[derive(Debug, Subcommand)]
pub enum RomCommand {
    /// Say what is in an option ROM, and whether OVMF will show a picture with it
    #[command(
        after_help = "A device’s own ROM can be read here only while something has switched it on; ‘passthru rom dump’ does that.\n\
                      Exit code 0: OVMF will show a picture; 1: it will not, or that could not be found out.\n\n\
                      Example:\n  passthru rom check card.rom\n  passthru rom check card.rom --device 06:00.0\n  passthru rom check 06:00.0"
    )]
    Check(RomCheckArguments),

    /// Read a device's option ROM into a new file
    #[command(
        after_help = "The ROM is switched on for the reading and off again; nothing else is changed. Needs root.\n\n\
                      Example:\n  sudo passthru rom dump 06:00.0 -o card.rom\n  passthru rom dump 06:00.0 -o card.rom"
    )]
    Dump(RomDumpArguments),
}

/// Arguments of `rom check`.
#[derive(Debug, Args)]
pub struct RomCheckArguments {
    /// A file, or the address of a device; a file that is named like an address is written ./NAME
    #[arg(value_name = "FILE|ADDRESS")]
    pub what: PathBuf,

    /// The device that the file is for: its ids are compared
    #[arg(long, value_name = "ADDRESS")]
    pub device: Option<PciAddress>,
}

/// Arguments of `rom dump`.
#[derive(Debug, Args)]
pub struct RomDumpArguments {
    /// The device
    #[arg(value_name = "ADDRESS")]
    pub address: PciAddress,

    /// Where to write the ROM; must not exist yet
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: PathBuf,

    /// Read it although a driver or a guest uses the device
    #[arg(long)]
    pub insist: bool,
}
