//! What the user insists on.

/// What the user insists on, in knowledge of what the host loses. Nothing by default. Each has a flag of its own on the
/// command line, named in the refusal that it overrules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag of the command line, given or not")]
pub struct Consent {
    /// `--only-named`: take the functions named and not the other functions of their slots.
    pub only_named: bool,
    /// `--take-only-display`: take the display device after which the host has none.
    pub take_only_display: bool,
    /// `--take-in-use`: take storage or network devices that the host uses now.
    pub take_in_use: bool,
    /// `--take-last-keyboard`: take the controller that carries the host's last keyboard.
    pub take_last_keyboard: bool,
    /// `hand-over-display` of a guest: the desktop is ended first, and with it the programs that have its cards open.
    pub holders_end: bool,
    /// `--adopt`: take what other tools and hands have set up for guests out of their files, and into the intent.
    pub adopt: bool,
    /// `--accept-acs-override`: have a patched kernel take for apart what can reach past the IOMMU.
    pub accept_acs_override: bool,
    /// `--untried-boot-chain`: change a boot chain that has not been started in the laboratory yet.
    pub untried_boot_chain: bool,
}
