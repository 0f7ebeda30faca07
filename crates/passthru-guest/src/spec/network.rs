//! `network`: what a guest's card is on. A word, or a table where more is said.

use std::fmt;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A network interface of the host, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceName(String);

/// The longest name of an interface (`IFNAMSIZ`, `include/uapi/linux/if.h`).
const LONGEST: usize = 15;

impl InterfaceName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InterfaceName {
    type Err = String;

    /// Names that the kernel takes (`dev_valid_name`, `net/core/dev.c`), but for what is no plain word.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if starts && text.len() <= LONGEST && text.chars().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("‘{}’ is no name of a network interface, such as br0", text.escape_debug()))
    }
}

/// The address of a card, `52:54:00:12:34:56`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacAddress([u8; 6]);

impl FromStr for MacAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("‘{}’ is no address of a network card, such as 52:54:00:12:34:56", text.escape_debug())
        };
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(part, 16).ok().filter(|_| !part.starts_with('+')).ok_or_else(wrong)?;
        }
        if parts.next().is_some() {
            return Err(wrong());
        }
        // The lowest bit of the first byte is that of groups (IEEE 802), which no card is.
        if bytes[0] & 1 == 1 {
            return Err(format!(
                "‘{text}’ is the address of a group, not of a card: its first byte must be even"
            ));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.map(|byte| format!("{byte:02x}"));
        f.write_str(&parts.join(":"))
    }
}

/// The card that the guest sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NicModel {
    /// virtio-net.
    Virtio,
    /// An Intel 82574L, for systems that come without virtio drivers.
    E1000e,
}

impl NicModel {
    /// The word in the file and in libvirt.
    pub fn word(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::E1000e => "e1000e",
        }
    }
}

/// What a card is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NicBackend {
    /// QEMU's own network: the guest reaches out through the host as any program of its user does, and is not reached.
    User,
    /// A bridge of the host's: the guest is a machine on that network. An interface is made for it, by libvirt or by QEMU's helper,
    /// which `/etc/qemu/bridge.conf` must allow the bridge.
    Bridge(InterfaceName),
    /// A tap interface that is there already and that whoever runs QEMU may open.
    Tap(InterfaceName),
}

/// A network card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// What it is on.
    pub backend: NicBackend,
    /// Its address; `None` leaves it to QEMU or libvirt.
    pub mac: Option<MacAddress>,
    /// What the guest sees; `None` leaves it to the system: a card that it has a driver for.
    pub model: Option<NicModel>,
    /// How many pairs of queues it has, so that as many CPUs send and receive at once; `None` is one.
    pub queues: Option<u8>,
}

impl Nic {
    /// A card of which only is said what it is on.
    pub fn on(backend: NicBackend) -> Self {
        Self { backend, mac: None, model: None, queues: None }
    }
}

/// The value of the key.
#[derive(Default)]
pub(super) struct NetworkKey(pub(super) Option<Nic>);

/// The keys of the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    bridge: Option<String>,
    tap: Option<String>,
    mac: Option<String>,
    model: Option<NicModel>,
    queues: Option<u8>,
}

impl TryFrom<Keys> for Nic {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let backend = match (keys.bridge, keys.tap) {
            (Some(bridge), None) => NicBackend::Bridge(bridge.parse()?),
            (None, Some(tap)) => NicBackend::Tap(tap.parse()?),
            (None, None) => NicBackend::User,
            (Some(_), Some(_)) => {
                return Err("a card is on a bridge or on a tap interface, not on both".to_owned());
            }
        };
        let mac = keys.mac.map(|mac| mac.parse()).transpose()?;
        Ok(Self { backend, mac, model: keys.model, queues: keys.queues })
    }
}

impl<'de> Deserialize<'de> for NetworkKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = NetworkKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("none, user, or a table such as { bridge = \"br0\" }")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<NetworkKey, E> {
                match word {
                    "none" => Ok(NetworkKey(None)),
                    "user" => Ok(NetworkKey(Some(Nic::on(NicBackend::User)))),
                    other => Err(E::custom(format!(
                        "unknown network `{other}`, expected `none`, `user`, or a table such as {{ bridge = \"br0\" }}"
                    ))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NetworkKey, A::Error> {
                let keys = Keys::deserialize(MapAccessDeserializer::new(map))?;
                keys.try_into().map(|nic| NetworkKey(Some(nic))).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(Read)
    }
}

/// The value as it is written.
pub(super) fn value(nic: Option<&Nic>) -> String {
    let Some(nic) = nic else { return "\"none\"".to_owned() };
    let mut parts = Vec::new();
    match &nic.backend {
        NicBackend::User => {}
        NicBackend::Bridge(name) => parts.push(format!("bridge = \"{}\"", name.as_str())),
        NicBackend::Tap(name) => parts.push(format!("tap = \"{}\"", name.as_str())),
    }
    parts.extend(nic.mac.map(|mac| format!("mac = \"{mac}\"")));
    parts.extend(nic.model.map(|model| format!("model = \"{}\"", model.word())));
    parts.extend(nic.queues.map(|queues| format!("queues = {queues}")));
    if parts.is_empty() {
        return "\"user\"".to_owned();
    }
    format!("{{ {} }}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{InterfaceName, MacAddress};

    #[test]
    fn addresses_of_groups_and_names_that_are_too_long_are_refused() {
        let refused = [
            "01:00:5e:00:00:01",
            "52:54:00:12:34",
            "52:54:00:12:34:5g",
            "52:54:00:12:34:56:78",
            "+2:54:00:12:34:56",
        ];
        let said: Vec<String> =
            refused.iter().map(|text| text.parse::<MacAddress>().expect_err("refused")).collect();
        insta::assert_snapshot!(said.join("\n"));
        assert!("a-bridge-of-16ch".parse::<InterfaceName>().is_err());
        assert!("br0".parse::<InterfaceName>().is_ok());
    }

    proptest! {
        #[test]
        fn an_address_reads_back_and_no_text_makes_it_panic(bytes: [u8; 6], text in ".{0,20}") {
            let mac = MacAddress([bytes[0] & 0xfe, bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]]);
            prop_assert_eq!(mac.to_string().parse(), Ok(mac));
            let _ = text.parse::<MacAddress>();
            let _ = text.parse::<InterfaceName>();
        }
    }
}
