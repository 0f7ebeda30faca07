//! What draws on a card while the host has it, and must let go of it before a guest can have it: the desktop, the consoles, the
//! firmware's screen, and modules of a driver that use the card beside it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CGROUPS, Change, KernelWrite, Seen, Word};
use crate::program::Program;

/// A service of systemd that has graphics cards open for as long as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum DisplayService {
    /// GNOME's display manager.
    #[serde(rename = "gdm.service")]
    Gdm,
    /// The same by Debian's name before version 13.
    #[serde(rename = "gdm3.service")]
    Gdm3,
    /// KDE's.
    #[serde(rename = "sddm.service")]
    Sddm,
    /// KDE's from Plasma 6.5 on.
    #[serde(rename = "plasmalogin.service")]
    PlasmaLogin,
    /// LightDM.
    #[serde(rename = "lightdm.service")]
    LightDm,
    /// LXDE's.
    #[serde(rename = "lxdm.service")]
    Lxdm,
    /// COSMIC's.
    #[serde(rename = "cosmic-greeter.service")]
    CosmicGreeter,
    /// greetd, whatever it greets with.
    #[serde(rename = "greetd.service")]
    Greetd,
    /// Ly, on the text console.
    #[serde(rename = "ly.service")]
    Ly,
    /// XDM.
    #[serde(rename = "xdm.service")]
    Xdm,
    /// What keeps NVIDIA's driver awake.
    #[serde(rename = "nvidia-persistenced.service")]
    NvidiaPersistenced,
}

impl DisplayService {
    /// All of them, in the order in which they are stopped: what shows a picture first.
    pub const ALL: [Self; 11] = [
        Self::Gdm,
        Self::Gdm3,
        Self::Sddm,
        Self::PlasmaLogin,
        Self::LightDm,
        Self::Lxdm,
        Self::CosmicGreeter,
        Self::Greetd,
        Self::Ly,
        Self::Xdm,
        Self::NvidiaPersistenced,
    ];

    /// The unit's name, which is the name of its control group too.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Gdm => "gdm.service",
            Self::Gdm3 => "gdm3.service",
            Self::Sddm => "sddm.service",
            Self::PlasmaLogin => "plasmalogin.service",
            Self::LightDm => "lightdm.service",
            Self::Lxdm => "lxdm.service",
            Self::CosmicGreeter => "cosmic-greeter.service",
            Self::Greetd => "greetd.service",
            Self::Ly => "ly.service",
            Self::Xdm => "xdm.service",
            Self::NvidiaPersistenced => "nvidia-persistenced.service",
        }
    }

    /// Whether the end of the desktop is the end of it: the sessions of those who are logged in there end too.
    pub fn is_display_manager(self) -> bool {
        self != Self::NvidiaPersistenced
    }

    /// Where systemd and the kernel say whether a process of the unit runs (`Documentation/admin-guide/cgroup-v2.rst`).
    pub(super) fn path(self) -> String {
        format!("{CGROUPS}/system.slice/{}/cgroup.events", self.unit())
    }

    pub(super) fn value(seen: Seen<'_>) -> Option<Word> {
        match seen {
            // The group goes with the unit's last process.
            Seen::Absent => Some(Word::Off),
            Seen::Text(text) => Some(on(text.lines().any(|line| line.trim() == "populated 1"))),
            Seen::Directory => None,
        }
    }

    pub(super) fn change(self, on: bool) -> Change {
        let verb = if on { "start" } else { "stop" };
        let arguments = [verb, "--", self.unit()].map(str::to_owned).into();
        Change::Run { program: Program::Systemctl, arguments }
    }
}

/// The screen that the firmware left, as a platform device (`drivers/firmware/sysfb.c`). There is one at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Screen {
    /// Of UEFI.
    Efi,
    /// Of a legacy BIOS.
    Vesa,
    /// Of either, where the kernel was built with `SYSFB_SIMPLEFB`.
    Simple,
}

impl Screen {
    /// The screen that a platform device is.
    pub fn of_device(name: &str) -> Option<Self> {
        [Self::Efi, Self::Vesa, Self::Simple].into_iter().find(|screen| screen.device() == name)
    }

    /// The platform device's name.
    fn device(self) -> String {
        format!("{}.0", self.driver())
    }

    /// The name of the driver, whichever draws there: efifb as efidrm, simplefb as simpledrm (`drivers/video/fbdev`,
    /// `drivers/gpu/drm/sysfb`).
    fn driver(self) -> &'static str {
        match self {
            Self::Efi => "efi-framebuffer",
            Self::Vesa => "vesa-framebuffer",
            Self::Simple => "simple-framebuffer",
        }
    }

    pub(super) fn path(self) -> String {
        format!("/sys/bus/platform/devices/{}/uevent", self.device())
    }

    pub(super) fn value(seen: Seen<'_>) -> Option<Word> {
        match seen {
            Seen::Text(text) => Some(on(text.lines().any(|line| line.starts_with("DRIVER=")))),
            // The kernel itself takes it away when a driver of the card, or vfio-pci, comes.
            Seen::Absent | Seen::Directory => None,
        }
    }

    pub(super) fn change(self, on: bool) -> Change {
        let verb = if on { "bind" } else { "unbind" };
        let path = format!("/sys/bus/platform/drivers/{}/{verb}", self.driver());
        Change::Kernel(KernelWrite::Text { path, text: self.device() })
    }
}

/// A module of NVIDIA's driver that uses cards through the module `nvidia`, which does not let go of a card before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DisplayModule {
    /// Pictures for the kernel.
    NvidiaDrm,
    /// Computing.
    NvidiaUvm,
    /// Outputs.
    NvidiaModeset,
}

impl DisplayModule {
    /// All of them, in the order in which they are taken out: none is used by one that comes later.
    pub const ALL: [Self; 3] = [Self::NvidiaDrm, Self::NvidiaUvm, Self::NvidiaModeset];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NvidiaDrm => "nvidia_drm",
            Self::NvidiaUvm => "nvidia_uvm",
            Self::NvidiaModeset => "nvidia_modeset",
        }
    }

    pub(super) fn path(self) -> String {
        format!("/sys/module/{}", self.name())
    }

    pub(super) fn value(seen: Seen<'_>) -> Option<Word> {
        match seen {
            Seen::Absent => Some(Word::Off),
            Seen::Directory => Some(Word::On),
            Seen::Text(_) => None,
        }
    }

    /// It alone is taken out: `modprobe -r` would take the driver itself along, which still has the card.
    pub(super) fn change(self, on: bool) -> Change {
        let program = if on { Program::Modprobe } else { Program::Rmmod };
        Change::Run { program, arguments: vec!["--".to_owned(), self.name().to_owned()] }
    }
}

/// The path that says whether consoles are drawn by a driver of theirs.
pub(super) fn console_path(number: u32) -> String {
    format!("/sys/class/vtconsole/vtcon{number}/bind")
}

pub(super) fn console_value(seen: Seen<'_>) -> Option<Word> {
    match seen {
        Seen::Text(text) => match text.trim() {
            "1" => Some(Word::On),
            "0" => Some(Word::Off),
            _ => None,
        },
        // A driver of consoles goes with the last framebuffer, and comes with the next.
        Seen::Absent | Seen::Directory => None,
    }
}

pub(super) fn console_change(number: u32, on: bool) -> Change {
    let text = if on { "1" } else { "0" }.to_owned();
    Change::Kernel(KernelWrite::Text { path: console_path(number), text })
}

fn on(is_on: bool) -> Word {
    if is_on { Word::On } else { Word::Off }
}

#[cfg(test)]
mod tests {
    use super::super::{Change, Place, Seen, Value, Word};
    use super::{DisplayModule, DisplayService, Screen};

    /// A place's path, and what is done to turn it off and on.
    fn said(place: &Place) -> String {
        let one = |change: Change| match change {
            Change::Kernel(write) => format!("{write:?}"),
            Change::Run { program, arguments } => program.command_line(&arguments),
        };
        let turned = [Word::Off, Word::On].map(|word| {
            let changes: Vec<String> = place.changes(&Value::from(word)).into_iter().map(one).collect();
            changes.join("; ")
        });
        format!("{}\n  {}\n  {}\n", place.path(), turned[0], turned[1])
    }

    #[test]
    fn each_has_its_path_and_what_is_done_to_it() {
        let services = DisplayService::ALL.map(|service| Place::DisplayService { service });
        let modules = DisplayModule::ALL.map(|module| Place::DisplayModule { module });
        let screens =
            [Screen::Efi, Screen::Vesa, Screen::Simple].map(|screen| Place::FirmwareScreen { screen });
        let consoles = [Place::Console { number: 1 }];
        let all = services.iter().chain(&consoles).chain(&screens).chain(&modules);
        insta::assert_snapshot!(all.map(said).collect::<String>());
    }

    #[test]
    fn what_runs_draws_or_is_loaded_is_on() {
        let now = |place: Place, seen| place.value(seen).map(|value| value.as_str().to_owned());
        let service = || Place::DisplayService { service: DisplayService::Sddm };
        assert_eq!(now(service(), Seen::Text("populated 1\nfrozen 0\n")).as_deref(), Some("on"));
        assert_eq!(now(service(), Seen::Text("populated 0\nfrozen 0\n")).as_deref(), Some("off"));
        assert_eq!(now(service(), Seen::Absent).as_deref(), Some("off"));
        let screen = || Place::FirmwareScreen { screen: Screen::Efi };
        let bound = "DRIVER=efi-framebuffer\nMODALIAS=platform:efi-framebuffer\n";
        assert_eq!(now(screen(), Seen::Text(bound)).as_deref(), Some("on"));
        assert_eq!(now(screen(), Seen::Text("MODALIAS=platform:efi-framebuffer\n")).as_deref(), Some("off"));
        assert_eq!(now(screen(), Seen::Absent), None);
        let console = || Place::Console { number: 1 };
        assert_eq!(now(console(), Seen::Text("1\n")).as_deref(), Some("on"));
        assert_eq!(now(console(), Seen::Text("2\n")), None);
        assert_eq!(now(console(), Seen::Absent), None);
        let module = || Place::DisplayModule { module: DisplayModule::NvidiaDrm };
        assert_eq!(now(module(), Seen::Directory).as_deref(), Some("on"));
        assert_eq!(now(module(), Seen::Absent).as_deref(), Some("off"));
        assert_eq!(Screen::of_device("simple-framebuffer.0"), Some(Screen::Simple));
        assert_eq!(Screen::of_device("simple-framebuffer.1"), None);
    }
}
