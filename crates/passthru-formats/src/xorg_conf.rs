//! xorg.conf(5): the `Device` sections, and whether the server adds cards by itself.

use passthru_model::address::PciAddress;
use passthru_model::desktop::XorgDevice;

/// What one file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XorgFile {
    /// Its `Device` sections.
    pub devices: Vec<XorgDevice>,
    /// Whether it sets `AutoAddGPU` off.
    pub adds_no_gpu: bool,
}

/// Reads one file. Keywords are read without regard to letters' case, blanks and underscores, as the server reads them.
pub fn parse(path: &str, bytes: &[u8]) -> XorgFile {
    let text = String::from_utf8_lossy(bytes);
    let mut file = XorgFile::default();
    let mut open: Option<XorgDevice> = None;
    for (index, line) in text.lines().enumerate() {
        let (keyword, values) = words(line);
        let value = values.first().cloned();
        match (keyword.as_str(), &mut open) {
            ("section", _) => {
                open = value.filter(|name| name.eq_ignore_ascii_case("device")).map(|_| XorgDevice {
                    path: path.to_owned(),
                    line: index + 1,
                    driver: None,
                    bus_id: None,
                    address: None,
                });
            }
            ("endsection", _) => file.devices.extend(open.take()),
            ("driver", Some(device)) => device.driver = value,
            ("busid", Some(device)) => {
                device.address = value.as_deref().and_then(bus_id);
                device.bus_id = value;
            }
            ("option", _) => {
                let is_it = value.is_some_and(|name| plain(&name) == "autoaddgpu");
                let off = values.get(1).is_some_and(|value| {
                    matches!(value.to_ascii_lowercase().as_str(), "off" | "false" | "no" | "0")
                });
                file.adds_no_gpu |= is_it && off;
            }
            _ => {}
        }
    }
    file
}

fn plain(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, ' ' | '\t' | '_')).collect::<String>().to_ascii_lowercase()
}

/// The first word of a line, and its values without their quotes.
fn words(line: &str) -> (String, Vec<String>) {
    let line = line.trim();
    let end = line.find([' ', '\t', '"']).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    if keyword.starts_with('#') {
        return (String::new(), Vec::new());
    }
    let values = if rest.contains('"') {
        rest.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    } else {
        rest.split_ascii_whitespace().map(str::to_owned).collect()
    };
    (plain(keyword), values)
}

/// `PCI:bus[@domain]:device:function`, all decimal.
fn bus_id(text: &str) -> Option<PciAddress> {
    let rest =
        text.get(..4).filter(|start| start.eq_ignore_ascii_case("pci:")).and_then(|_| text.get(4..))?;
    let mut parts = rest.split(':');
    let bus = parts.next()?;
    let (bus, domain) = bus.split_once('@').unwrap_or((bus, "0"));
    let number = |part: Option<&str>| part?.trim().parse::<u8>().ok();
    let address = PciAddress::new(
        domain.trim().parse().ok()?,
        number(Some(bus))?,
        number(parts.next())?,
        number(parts.next()).unwrap_or(0),
    );
    address.ok()
}

#[cfg(test)]
mod tests {
    use super::parse;
    use proptest::prelude::*;

    #[test]
    fn the_numbers_of_a_bus_id_are_decimal() {
        let file = parse(
            "f",
            b"Section \"Device\"\n  Identifier \"Intel GPU\"\n  Driver \"modesetting\"\n  BusID  \"PCI:0:2:0\"\nEndSection\n\
              Section \"Device\"\n  busid \"PCI:16@1:0:0\"\nEndSection\nSection \"Device\"\n  BusID \"PCI:0a:00:0\"\nEndSection\n\
              # BusID \"PCI:9:9:9\"\nSection \"ServerFlags\"\n  Option \"AutoAddGPU\" \"off\"\nEndSection\n",
        );
        let found: Vec<_> =
            file.devices.iter().map(|device| device.address.map(|address| address.to_string())).collect();
        assert_eq!(found, [Some("0000:00:02.0".to_owned()), Some("0001:10:00.0".to_owned()), None]);
        assert_eq!(file.devices.last().and_then(|device| device.bus_id.as_deref()), Some("PCI:0a:00:0"));
        assert!(file.adds_no_gpu);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text in "(Section \"Device\"|BusID \"PCI:[0-9@:]{0,9}\"|EndSection|\n){0,9}") {
            let _ = (parse("f", &bytes), parse("f", text.as_bytes()));
        }
    }
}
