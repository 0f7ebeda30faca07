//! What can be said to commands that change drivers while the host runs.

use clap::Args;
use passthru_model::PciAddress;
use passthru_model::rebinding::VfioDriver;

use super::{Agreement, Insist};

/// Arguments of `bind`.
#[derive(Debug, Args)]
pub struct BindArguments {
    /// Functions to bind, such as 0000:06:00.0 or 06:00.0
    #[arg(value_name = "ADDRESS", required = true)]
    pub addresses: Vec<PciAddress>,

    /// A variant driver that is to have them, such as mlx5_vfio_pci [default: vfio-pci]
    #[arg(long, value_name = "NAME")]
    pub driver: Option<VfioDriver>,

    /// How to agree
    #[command(flatten)]
    pub agreement: Agreement,

    /// What to insist on
    #[command(flatten)]
    pub insist: Insist,
}

/// Arguments of `unbind`.
#[derive(Debug, Args)]
pub struct UnbindArguments {
    /// Functions to give back
    #[arg(value_name = "ADDRESS", required = true)]
    pub addresses: Vec<PciAddress>,

    /// Give back only the named functions, not their siblings in the slot
    #[arg(long)]
    pub only_named: bool,

    /// How to agree
    #[command(flatten)]
    pub agreement: Agreement,
}
