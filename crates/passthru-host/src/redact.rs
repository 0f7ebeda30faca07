//! Replacing what points to a person or to one machine: the same by the same, and of the same shape.

use std::collections::BTreeMap;

use passthru_formats::cpio;

/// Names that EFI gives to its own variables; they are the same on every machine.
const KNOWN_UUIDS: &[&str] =
    &["4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", "8be4df61-93ca-11d2-aa0d-00e098032b8c"];

/// Host names that point to nobody, and stand in many files for other things.
const COMMON_NAMES: &[&str] = &[
    "localhost",
    "debian",
    "ubuntu",
    "fedora",
    "arch",
    "archlinux",
    "linux",
    "nixos",
    "opensuse",
    "host",
    "root",
    "boot",
    "home",
    "none",
    "live",
    "grub",
    "proc",
    "kernel",
];

/// Users and groups of programs, which libvirt's settings name and which are the same on every machine.
const SYSTEM_USERS: &[&[u8]] = &[
    b"root",
    b"qemu",
    b"kvm",
    b"libvirt",
    b"libvirt-qemu",
    b"libvirtd",
    b"nobody",
    b"tss",
    b"swtpm",
    b"input",
    b"gdm",
    b"Debian-gdm",
    b"sddm",
    b"lightdm",
];

/// Directories whose entries are called after users.
const OF_USERS: &[&[u8]] = &[b"/home/", b"/run/media/", b"/media/"];

/// Groups of letters and digits parted by dashes.
const UUID: &[usize] = &[8, 4, 4, 4, 12];
const LVM_ID: &[usize] = &[6, 4, 4, 4, 4, 4, 6];
const FAT_ID: &[usize] = &[4, 4];
const MBR_PARTITION_ID: &[usize] = &[8, 2];

/// Replaces, and remembers what by what.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    host_names: Vec<Vec<u8>>,
    known: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Redactor {
    pub(crate) fn new(host_name: &str) -> Self {
        let short = host_name.split('.').next().unwrap_or_default();
        let mut host_names = Vec::new();
        if short.len() >= 3 && !COMMON_NAMES.contains(&short) {
            host_names.push(host_name.as_bytes().to_vec());
            host_names.push(short.as_bytes().to_vec());
            // Device mapper doubles the dashes of a volume group's name.
            host_names.push(short.replace('-', "--").into_bytes());
        }
        Self { host_names, known: BTreeMap::new() }
    }

    /// A text that is UTF-8 stays so, since only ASCII is put in for whole words of ASCII or whole parts of paths.
    pub(crate) fn text(&mut self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// Any bytes, line by line.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line(line, &mut out);
        }
        out
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        // Short ids could be anything; where the line speaks of UUIDs they are those of file systems or partitions.
        let speaks_of_uuids = line.windows(4).any(|word| word.eq_ignore_ascii_case(b"uuid"));
        if let Some(serial) = line.strip_prefix(b"U: Uniq=") {
            // An input device's own number, in /proc/bus/input/devices.
            let (serial, end) = serial.split_at(serial.trim_ascii_end().len());
            out.extend_from_slice(b"U: Uniq=");
            if !serial.is_empty() {
                out.extend(self.instead(serial, |count| format!("serial{count}")));
            }
            out.extend_from_slice(end);
            return;
        }
        let mut at = 0;
        if let Some(value) = user_setting(line) {
            let name = line.get(value.clone()).unwrap_or_default();
            if !SYSTEM_USERS.contains(&name)
                && !name.iter().all(|byte| byte.is_ascii_digit() || *byte == b'+')
            {
                out.extend(line.get(..value.start).unwrap_or_default());
                out.extend(self.instead(name, |count| format!("user{count}")));
                at = value.end;
            }
        }
        while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
            let before = at.checked_sub(1).and_then(|before| line.get(before)).copied();
            if let Some((length, replacement)) = self.found(rest, before, speaks_of_uuids) {
                out.extend(replacement);
                at += length;
            } else if let Some(directory) = OF_USERS.iter().find(|directory| rest.starts_with(directory)) {
                out.extend_from_slice(directory);
                at += directory.len();
                let name = part_of_path(line.get(at..).unwrap_or_default());
                if !name.is_empty() {
                    out.extend(self.instead(name, |count| format!("user{count}")));
                    at += name.len();
                }
            } else if rest.starts_with(b"/by-id/") {
                out.extend_from_slice(b"/by-id/");
                at += b"/by-id/".len();
                let name = part_of_path(line.get(at..).unwrap_or_default());
                if !name.is_empty() {
                    out.extend(self.instead(name, |count| format!("device{count}")));
                    at += name.len();
                }
            } else {
                out.extend(rest.first());
                at += 1;
            }
        }
    }

    /// What begins here and is to be replaced: its length, and what stands for it.
    fn found(&mut self, rest: &[u8], before: Option<u8>, speaks_of_uuids: bool) -> Option<(usize, Vec<u8>)> {
        if before.is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        if let Some(id) = groups(rest, UUID, true) {
            let is_known = std::str::from_utf8(id).is_ok_and(|id| KNOWN_UUIDS.contains(&id));
            let new = if is_known {
                id.to_vec()
            } else {
                self.instead(id, |count| format!("00000000-0000-4000-8000-{count:012x}"))
            };
            return Some((id.len(), new));
        }
        if let Some(id) = groups(rest, LVM_ID, false) {
            return Some((
                id.len(),
                self.instead(id, |count| format!("000000-0000-0000-0000-0000-0000-{count:06}")),
            ));
        }
        if let Some(mac) = mac(rest).filter(|_| before != Some(b':')) {
            return Some((
                mac.len(),
                self.instead(mac, |count| {
                    format!(
                        "02:00:00:{:02x}:{:02x}:{:02x}",
                        count >> 16 & 0xff,
                        count >> 8 & 0xff,
                        count & 0xff
                    )
                }),
            ));
        }
        if let Some(number) = hex_word(rest, 32) {
            // A network (fe80::) or nothing points to nobody.
            let points = number.get(8..).is_some_and(|end| end.iter().any(|digit| *digit != b'0'));
            return points.then(|| (32, self.instead(number, |count| format!("20010db8{count:024x}"))));
        }
        // Interfaces that are called after their MAC: enx001122334455.
        for prefix in [b"enx", b"wlx", b"wwx"] {
            if let Some(number) = rest.strip_prefix(prefix).and_then(|number| hex_word(number, 12)) {
                let name = self.instead(number, |count| format!("020000{count:06x}"));
                return Some((prefix.len() + number.len(), [prefix.as_slice(), &name].concat()));
            }
        }
        if speaks_of_uuids {
            if let Some(id) = groups(rest, FAT_ID, true) {
                return Some((id.len(), self.instead(id, |count| format!("0000-{count:04X}"))));
            }
            if let Some(id) = groups(rest, MBR_PARTITION_ID, true) {
                return Some((id.len(), self.instead(id, |count| format!("{count:08x}-01"))));
            }
            if let Some(id) = hex_word(rest, 16) {
                return Some((id.len(), self.instead(id, |count| format!("{count:016X}"))));
            }
        }
        let name = self.host_names.iter().find(|name| {
            rest.starts_with(name) && !rest.get(name.len()).is_some_and(u8::is_ascii_alphanumeric)
        })?;
        Some((name.len(), b"host".to_vec()))
    }

    /// What stands for an original: the same each time.
    fn instead(&mut self, original: &[u8], make: impl Fn(usize) -> String) -> Vec<u8> {
        let count = self.known.len() + 1;
        self.known.entry(original.to_ascii_lowercase()).or_insert_with(|| make(count).into_bytes()).clone()
    }

    /// Lines of limits.conf(5), which begin with whom they are for: a user, or a group after `@` or `%`.
    pub(crate) fn limits(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let start = line.iter().position(|byte| !b" \t@%".contains(byte)).unwrap_or(line.len());
            let (before, rest) = line.split_at(start);
            let length = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
            let (name, rest) = rest.split_at(length);
            let points =
                !name.is_empty() && !name.starts_with(b"#") && name != b"*" && !SYSTEM_USERS.contains(&name);
            out.extend(before);
            out.extend(if points {
                self.instead(name, |count| format!("user{count}"))
            } else {
                name.to_vec()
            });
            self.line(rest, &mut out);
        }
        out
    }

    /// A cpio archive; one that cannot be read becomes empty.
    pub(crate) fn archive(&mut self, bytes: &[u8]) -> Vec<u8> {
        let entries = cpio::read(bytes).unwrap_or_default();
        let hidden: Vec<cpio::Entry> = entries
            .into_iter()
            .map(|entry| {
                let kind = match entry.kind {
                    cpio::Kind::File(content) => cpio::Kind::File(self.bytes(&content)),
                    cpio::Kind::Link(target) => cpio::Kind::Link(self.text(&target)),
                    other => other,
                };
                cpio::Entry { name: self.text(&entry.name), permissions: entry.permissions, kind }
            })
            .collect();
        cpio::write(&hidden).unwrap_or_default()
    }

    /// Configuration space with the device's serial number taken out (PCI Express Base Specification, Device Serial
    /// Number Extended Capability, id 3): on network cards it is made of the MAC.
    pub(crate) fn config_space(bytes: &[u8]) -> Vec<u8> {
        const SERIAL: u16 = 0x0003;
        let mut out = bytes.to_vec();
        let found = passthru_formats::config_space::extended(bytes);
        for capability in found.iter().filter(|capability| capability.id == SERIAL) {
            let start = usize::from(capability.offset) + 4;
            if let Some(serial) = out.get_mut(start..start + 8) {
                serial.fill(0);
            }
        }
        out
    }
}

/// Where the name stands in a line of libvirt's settings such as `user = "anna"`, or of a session such as `USER=anna`.
fn user_setting(line: &[u8]) -> Option<std::ops::Range<usize>> {
    let text = std::str::from_utf8(line).ok()?;
    if let Some(name) = text.strip_prefix("USER=") {
        let length = name.trim_end().len();
        return (length > 0).then_some(5..5 + length);
    }
    let name = text.split('=').next()?.trim();
    if !matches!(name, "user" | "group" | "swtpm_user" | "swtpm_group") {
        return None;
    }
    let start = text.find('"')? + 1;
    let length = text.get(start..)?.find('"')?;
    (length > 0).then_some(start..start + length)
}

/// Groups of letters and digits of these lengths with dashes between, and no more of them after.
fn groups<'a>(rest: &'a [u8], lengths: &[usize], hex: bool) -> Option<&'a [u8]> {
    let total = lengths.iter().sum::<usize>() + lengths.len() - 1;
    let word = rest.get(..total)?;
    let mut parts = word.split(|&byte| byte == b'-');
    for length in lengths {
        let part = parts.next()?;
        let fits = |byte: &u8| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_alphanumeric() };
        if part.len() != *length || !part.iter().all(fits) {
            return None;
        }
    }
    let goes_on = rest.get(total).is_some_and(u8::is_ascii_alphanumeric);
    (parts.next().is_none() && !goes_on).then_some(word)
}

/// Six pairs of digits with colons between, and no seventh.
fn mac(rest: &[u8]) -> Option<&[u8]> {
    const LENGTH: usize = 17;
    let word = rest.get(..LENGTH)?;
    let fits = word
        .split(|&byte| byte == b':')
        .all(|pair| pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit));
    let goes_on = rest.get(LENGTH).is_some_and(|&byte| byte == b':' || byte.is_ascii_alphanumeric());
    (fits && !goes_on).then_some(word)
}

/// A word of exactly this many hexadecimal digits.
fn hex_word(rest: &[u8], length: usize) -> Option<&[u8]> {
    let word = rest.get(..length)?;
    let goes_on = rest.get(length).is_some_and(u8::is_ascii_alphanumeric);
    (word.iter().all(u8::is_ascii_hexdigit) && !goes_on).then_some(word)
}

/// The bytes up to what ends a part of a path.
fn part_of_path(rest: &[u8]) -> &[u8] {
    let end = rest.iter().position(|byte| b"/ \t\n\"',:;)".contains(byte)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Redactor;
    use proptest::prelude::*;

    fn redacted(text: &str) -> String {
        Redactor::new("anna-pc.example.org").text(text)
    }

    #[test]
    fn users_in_settings_of_libvirt_are_replaced_and_those_of_programs_are_not() {
        let out = redacted("user = \"lennart\" # x\ngroup=\"kvm\"\nuser = \"+1000\"\n/home/lennart/x\n");
        assert_eq!(out, "user = \"user1\" # x\ngroup=\"kvm\"\nuser = \"+1000\"\n/home/user1/x\n");
    }

    #[test]
    fn users_in_limits_are_replaced_like_their_homes() {
        let mut redactor = Redactor::new("pc");
        let out = redactor.limits(b"\n@kvm - memlock unlimited\n lennart hard memlock 1\n* soft memlock 1\n");
        assert_eq!(
            String::from_utf8_lossy(&out),
            "\n@kvm - memlock unlimited\n user1 hard memlock 1\n* soft memlock 1\n"
        );
        assert_eq!(redactor.text("/home/lennart"), "/home/user1");
    }

    #[test]
    fn an_archive_stays_one() {
        use passthru_formats::cpio::{Entry, Kind, read, write};
        let entry = |name: &str, text: &str| Entry {
            name: name.to_owned(),
            permissions: 0o644,
            kind: Kind::File(text.as_bytes().to_vec()),
        };
        let bytes =
            write(&[entry("etc/modprobe.d/a.conf", "# /home/lennart/x\n"), entry("b", "")]).expect("written");
        let hidden = Redactor::new("pc").archive(&bytes);
        assert_eq!(read(&hidden).expect("read")[0], entry("etc/modprobe.d/a.conf", "# /home/user1/x\n"));
    }

    #[test]
    fn the_same_is_replaced_by_the_same_and_keeps_its_shape() {
        let text = "root=UUID=1b4e28ba-2fa1-11d2-883f-0016d3cca427 resume=UUID=1B4E28BA-2FA1-11D2-883F-0016D3CCA427\n";
        assert_eq!(
            redacted(text),
            "root=UUID=00000000-0000-4000-8000-000000000001 resume=UUID=00000000-0000-4000-8000-000000000001\n"
        );
    }

    #[test]
    fn names_of_host_and_users_macs_and_serials_go() {
        for (text, hidden) in [
            ("/dev/mapper/anna--pc--vg-root /home/anna/x y", "/dev/mapper/host--vg-root /home/user1/x y"),
            ("U: Uniq=a1:b2:c3:d4:e5:f6\n", "U: Uniq=serial1\n"),
            (
                "USER=lennart\nSEAT=seat0\nUSER=gdm\n/home/lennart\n",
                "USER=user1\nSEAT=seat0\nUSER=gdm\n/home/user1\n",
            ),
            ("address a1:b2:c3:d4:e5:f6,", "address 02:00:00:00:00:01,"),
            ("/dev/disk/by-id/nvme-Maker_Disk_S123-part2", "/dev/disk/by-id/device1"),
            ("enxa1b2c3d4e5f6 0", "enx020000000001 0"),
            (
                "gnulinux-6.12.43-advanced-1b4e28ba-2fa1-11d2-883f-0016d3cca427'",
                "gnulinux-6.12.43-advanced-00000000-0000-4000-8000-000000000001'",
            ),
            ("search --fs-uuid --set=root AB12-34CD", "search --fs-uuid --set=root 0000-0001"),
        ] {
            assert_eq!(redacted(text), hidden);
        }
    }

    #[test]
    fn what_points_to_nobody_stays() {
        for text in [
            "0000:06:00.0 10de:13c2 /sys/devices/pci0000:00/0000:00:01.0",
            "LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f",
            "00000000000000000000000000000000 00 fe800000000000000000000000000000",
            "0x00000000fd000000 0x00000000fdffffff 0x0000000000040200",
            "10de  NVIDIA Corporation\n\t13c2  GM204 [GeForce GTX 970]\n",
            "pci:v00008086d00000D57sv00000000sd00000000bc06sc00i00",
        ] {
            assert_eq!(redacted(text), text);
        }
    }

    #[test]
    fn a_common_host_name_is_left_alone() {
        assert_eq!(Redactor::new("debian").text("/boot/efi/EFI/debian"), "/boot/efi/EFI/debian");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, host in "[a-z.-]{0,12}") {
            let mut redactor = Redactor::new(&host);
            let _ = (redactor.bytes(&bytes), Redactor::config_space(&bytes));
        }

        #[test]
        fn no_mac_is_left(mac in "[0-9a-f]{2}(:[0-9a-f]{2}){5}", before in "[ =/]", after in "[ ,\n]") {
            prop_assume!(!mac.starts_with("02:00:00"));
            let text = redacted(&format!("{before}{mac}{after}"));
            prop_assert!(!text.contains(&mac), "{}", text);
        }
    }
}
