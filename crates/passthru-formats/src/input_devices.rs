//! `/proc/bus/input/devices` (`drivers/input/input.c`): which input devices are keyboards or move a
//! pointer, and where they hang.

/// One input device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputDevice {
    /// Its name, as the device gives it.
    pub name: String,
    /// Its path below `/sys`, beginning with `/devices`.
    pub sysfs: String,
    /// Whether it has the keys of a keyboard.
    pub is_keyboard: bool,
    /// Whether it moves a pointer: a mouse, a touchpad's pointer or a tablet.
    pub is_pointer: bool,
}

/// Reads the text: blocks parted by empty lines. Blocks without a path are left out.
pub fn parse(bytes: &[u8]) -> Vec<InputDevice> {
    let text = String::from_utf8_lossy(bytes);
    text.split("\n\n").filter_map(block).collect()
}

fn block(text: &str) -> Option<InputDevice> {
    let mut device =
        InputDevice { name: String::new(), sysfs: String::new(), is_keyboard: false, is_pointer: false };
    let (mut keys, mut relative, mut absolute) = ("", "", "");
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("N: Name=") {
            name.trim_matches('"').clone_into(&mut device.name);
        } else if let Some(path) = line.strip_prefix("S: Sysfs=") {
            path.clone_into(&mut device.sysfs);
        } else if let Some(bitmap) = line.strip_prefix("B: KEY=") {
            keys = bitmap;
        } else if let Some(bitmap) = line.strip_prefix("B: REL=") {
            relative = bitmap;
        } else if let Some(bitmap) = line.strip_prefix("B: ABS=") {
            absolute = bitmap;
        }
    }
    device.is_keyboard = has_keyboard_keys(keys);
    device.is_pointer = moves_a_pointer(keys, relative, absolute);
    device.sysfs.starts_with("/devices").then_some(device)
}

/// udev's rule for a keyboard (`udev-builtin-input_id.c`): the codes 1 to 31, from Esc to S, are all there. Power
/// buttons and mice have the `kbd` handler too, and not these keys. Words are written from the highest to the lowest.
fn has_keyboard_keys(bitmap: &str) -> bool {
    const FIRST: u64 = 0xffff_fffe;
    let lowest = bitmap.split_ascii_whitespace().next_back().unwrap_or_default();
    u64::from_str_radix(lowest, 16).is_ok_and(|bits| bits & FIRST == FIRST)
}

/// udev's rule for a mouse (`udev-builtin-input_id.c`), without the buttons: both relative axes (`REL_X`, `REL_Y`); or
/// both absolute axes and a left button (`BTN_LEFT`, code 0x110), which a touch screen does not have.
fn moves_a_pointer(keys: &str, relative: &str, absolute: &str) -> bool {
    const X_AND_Y: u64 = 0b11;
    const LEFT_WORD: usize = 0x110 / 64;
    const LEFT_BIT: u64 = 1 << (0x110 % 64);
    let word = |bitmap: &str, index: usize| {
        let text = bitmap.split_ascii_whitespace().nth_back(index).unwrap_or_default();
        u64::from_str_radix(text, 16).unwrap_or(0)
    };
    word(relative, 0) & X_AND_Y == X_AND_Y
        || (word(absolute, 0) & X_AND_Y == X_AND_Y && word(keys, LEFT_WORD) & LEFT_BIT != 0)
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

    #[test]
    fn a_mouse_and_a_tablet_move_a_pointer_and_a_touch_screen_does_not() {
        let device = |bits: &str| {
            let text = format!("N: Name=\"x\"\nS: Sysfs=/devices/x\n{bits}\n");
            parse(text.as_bytes()).first().map(|device| (device.is_pointer, device.is_keyboard))
        };
        assert_eq!(device("B: EV=17\nB: KEY=1f0000 0 0 0 0\nB: REL=1943"), Some((true, false)));
        assert_eq!(device("B: EV=1f\nB: KEY=70000 0 0 0 0\nB: REL=100\nB: ABS=3"), Some((true, false)));
        assert_eq!(device("B: EV=b\nB: KEY=400 0 0 0 0 0\nB: ABS=260800000000003"), Some((false, false)));
        assert_eq!(device("B: EV=3\nB: KEY=10000000000000 0"), Some((false, false)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
