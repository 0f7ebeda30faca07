//! What is mounted and swapped to: `mountinfo` (proc_pid_mountinfo(5)) and `/proc/swaps` (proc_swaps(5)).

use crate::error::FormatError;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Major number of the device; 0 for file systems without one of their own (btrfs, ZFS, tmpfs).
    pub major: u32,
    /// Minor number of the device.
    pub minor: u32,
    /// Where it is mounted.
    pub point: String,
    /// The file system's type.
    pub kind: String,
    /// The source as the file system names it, such as `/dev/sda1` or a ZFS data set.
    pub source: String,
}

/// One swap area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// The device or the file.
    pub path: String,
    /// `partition` (any block device) or `file`.
    pub kind: String,
}

/// One line of `/etc/fstab` (fstab(5)): what is to be mounted where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FstabEntry {
    /// The source as it is written, such as `UUID=8f3c-12ab` or `/dev/sda1`.
    pub source: String,
    /// Where it is mounted; `none` for swap.
    pub point: String,
    /// The options, in order.
    pub options: Vec<String>,
}

impl FstabEntry {
    /// Whether it is mounted at every boot: not `noauto`.
    pub fn is_mounted_at_boot(&self) -> bool {
        !self.options.iter().any(|option| option == "noauto")
    }
}

/// Reads `/etc/fstab`. Comments, empty lines and lines with less than two fields say nothing, as for mount(8).
pub fn fstab(bytes: &[u8]) -> Vec<FstabEntry> {
    let text = String::from_utf8_lossy(bytes);
    let entry = |line: &str| {
        let mut fields = line.split([' ', '\t']).filter(|field| !field.is_empty());
        let (source, point) = (fields.next()?, fields.next()?);
        let options = fields.nth(1).unwrap_or("defaults");
        Some(FstabEntry {
            source: unescaped(source),
            point: unescaped(point),
            options: options.split(',').map(str::to_owned).collect(),
        })
    };
    text.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(entry).collect()
}

/// Undoes the kernel's `mangle`: space, tab, newline, backslash and `#` are written as `\` and three octal digits.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let octal = bytes
            .get(at + 1..at + 4)
            .filter(|digits| digits.iter().all(|digit| matches!(digit, b'0'..=b'7')));
        let value =
            octal.map(|digits| digits.iter().fold(0u32, |sum, digit| sum * 8 + u32::from(digit - b'0')));
        match value.and_then(|value| u8::try_from(value).ok()) {
            Some(value) if byte == b'\\' => {
                plain.push(value);
                at += 4;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Reads `mountinfo`.
pub fn mountinfo(bytes: &[u8]) -> Result<Vec<Mount>, FormatError> {
    let text = String::from_utf8_lossy(bytes);
    text.lines()
        .enumerate()
        .map(|(position, line)| {
            one_mount(line).ok_or_else(|| {
                FormatError::new("mountinfo", position + 1, format!("‘{line}’ is not a mount"))
            })
        })
        .collect()
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`: the optional fields end at the single dash.
fn one_mount(line: &str) -> Option<Mount> {
    let mut words = line.split(' ');
    let (major, minor) = words.nth(2)?.split_once(':')?;
    let point = words.nth(1)?;
    words.next()?;
    words.find(|word| *word == "-")?;
    Some(Mount {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
        point: unescaped(point),
        kind: words.next()?.to_owned(),
        source: unescaped(words.next()?),
    })
}

/// Reads `/proc/swaps`: a heading, then a line for each area.
pub fn swaps(bytes: &[u8]) -> Result<Vec<Swap>, FormatError> {
    let text = String::from_utf8_lossy(bytes);
    text.lines()
        .enumerate()
        .skip(1)
        .map(|(position, line)| {
            let mut words = line.split_ascii_whitespace();
            match (words.next(), words.next()) {
                (Some(path), Some(kind)) => Ok(Swap { path: unescaped(path), kind: kind.to_owned() }),
                _ => Err(FormatError::new("swaps", position + 1, format!("‘{line}’ is not a swap area"))),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{fstab, mountinfo, swaps};
    use proptest::prelude::*;

    #[test]
    fn fstab_says_what_is_mounted_at_boot_and_where() {
        let text = b"# /etc/fstab\nUUID=1 / ext4 errors=remount-ro 0 1\n\nUUID=2\t/boot  ext4\n\
            LABEL=a\\040b /srv/my\\040files btrfs noauto,user 0 0\n/dev/sda3 none swap sw 0 0\nalone\n";
        let seen: Vec<_> = fstab(text)
            .into_iter()
            .map(|entry| (entry.source.clone(), entry.point.clone(), entry.is_mounted_at_boot()))
            .collect();
        let row = |source: &str, point: &str, boot| (source.to_owned(), point.to_owned(), boot);
        assert_eq!(
            seen,
            [
                row("UUID=1", "/", true),
                row("UUID=2", "/boot", true),
                row("LABEL=a b", "/srv/my files", false),
                row("/dev/sda3", "none", true)
            ]
        );
    }

    #[test]
    fn optional_fields_of_any_number_are_skipped() {
        let text = b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            30 27 0:40 /@home /home rw shared:1 master:2 - btrfs /dev/mapper/a\\040b rw,subvol=/@home\n";
        let mounts = mountinfo(text).expect("reads");
        assert_eq!((mounts[0].major, mounts[0].minor, mounts[0].point.as_str()), (254, 0, "/"));
        assert_eq!((mounts[1].kind.as_str(), mounts[1].source.as_str()), ("btrfs", "/dev/mapper/a b"));
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = mountinfo(b"27 1 254:0 / / rw - ext4 /dev/vda rw\nnonsense\n").expect_err("nonsense");
        assert_eq!(error.to_string(), "line 2 of mountinfo: ‘nonsense’ is not a mount");
    }

    #[test]
    fn swap_files_with_spaces_are_read() {
        let text = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/dm-1 partition 1 0 -2\n/a\\040b file 1 0 -3\n";
        let areas = swaps(text).expect("reads");
        assert_eq!(areas.iter().map(|area| area.path.as_str()).collect::<Vec<_>>(), ["/dev/dm-1", "/a b"]);
    }

    proptest! {
        #[test]
        fn any_fstab_is_read(bytes: Vec<u8>) {
            for entry in fstab(&bytes) {
                prop_assert!(!entry.source.is_empty() && !entry.options.is_empty());
            }
        }

        #[test]
        fn a_mount_point_as_the_kernel_writes_it_is_read_back(point in "/[a-z \\\\\t#]{0,20}") {
            let mangled: String = point.chars().map(|char| match char {
                ' ' | '\t' | '\n' | '\\' | '#' => format!("\\{:03o}", u32::from(char)),
                other => other.to_string(),
            }).collect();
            let mounts = mountinfo(format!("1 2 8:1 / {mangled} rw - ext4 /dev/sda1 rw").as_bytes()).expect("reads");
            prop_assert_eq!(&mounts[0].point, &point);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = (mountinfo(&bytes), swaps(&bytes));
        }
    }
}
