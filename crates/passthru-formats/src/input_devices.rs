//! `/proc/bus/input/devices` (`drivers/input/input.c`): which input devices are keyboards, and where they hang.

/// One input device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputDevice {
    /// Its name, as the device gives it.
    pub name: String,
    /// Its path below `/sys`, beginning with `/devices`.
    pub sysfs: String,
    /// Whether it has the keys of a keyboard.
    pub is_keyboard: bool,
}

/// Reads the text: blocks parted by empty lines. Blocks without a path are left out.
pub fn parse(bytes: &[u8]) -> Vec<InputDevice> {
    let text = String::from_utf8_lossy(bytes);
    text.split("\n\n").filter_map(block).collect()
}

fn block(text: &str) -> Option<InputDevice> {
    let mut device = InputDevice { name: String::new(), sysfs: String::new(), is_keyboard: false };
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("N: Name=") {
            name.trim_matches('"').clone_into(&mut device.name);
        } else if let Some(path) = line.strip_prefix("S: Sysfs=") {
            path.clone_into(&mut device.sysfs);
        } else if let Some(keys) = line.strip_prefix("B: KEY=") {
            device.is_keyboard = has_keyboard_keys(keys);
        }
    }
    device.sysfs.starts_with("/devices").then_some(device)
}

/// udev's rule for a keyboard (`udev-builtin-input_id.c`): the codes 1 to 31, from Esc to S, are all there. Power
/// buttons and mice have the `kbd` handler too, and not these keys. Words are written from the highest to the lowest.
fn has_keyboard_keys(bitmap: &str) -> bool {
    const FIRST: u64 = 0xffff_fffe;
    let lowest = bitmap.split_ascii_whitespace().next_back().unwrap_or_default();
    u64::from_str_radix(lowest, 16).is_ok_and(|bits| bits & FIRST == FIRST)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use proptest::prelude::*;

    #[test]
    fn a_keyboard_is_told_from_a_power_button() {
        let text = b"I: Bus=0019 Vendor=0000 Product=0001 Version=0000\nN: Name=\"Power Button\"\nP: Phys=LNXPWRBN\n\
            S: Sysfs=/devices/LNXSYSTM:00/LNXPWRBN:00/input/input0\nH: Handlers=kbd event0\nB: EV=3\nB: KEY=10000000000000 0\n\n\
            I: Bus=0003 Vendor=04d9 Product=0169 Version=0110\nN: Name=\"USB Keyboard\"\n\
            S: Sysfs=/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/input/input3\nH: Handlers=sysrq kbd event3 leds\n\
            B: EV=120013\nB: KEY=1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe\n\n";
        let devices = parse(text);
        assert_eq!(
            devices.iter().map(|device| (device.name.as_str(), device.is_keyboard)).collect::<Vec<_>>(),
            [("Power Button", false), ("USB Keyboard", true)]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
