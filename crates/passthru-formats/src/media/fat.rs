//! Looking up a file in FAT12, FAT16 and FAT32 ("FAT32 File System Specification" 1.03 of Microsoft; UEFI Specification
//! 2.10, §13.3.1). Short names are enough: those of boot programs have eight letters and three at most.

use super::read::{MediaError, ReadAt, bytes};
use crate::bytes::{le16, le32, part};

/// Bytes of a directory entry.
const ENTRY: usize = 32;
/// Bytes of a directory that are read at most: 8,192 entries. Directories with boot programs have some ten.
const MOST_DIRECTORY: u64 = 256 << 10;

/// How wide the entries of the table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 12 bits.
    Fat12,
    /// 16 bits.
    Fat16,
    /// 32 bits, of which 28 count.
    Fat32,
}

/// A file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its short name, in capitals, with a dot: `BOOTX64.EFI`.
    pub name: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Where its bytes begin; 0: it has none.
    pub cluster: u32,
    /// Its length in bytes; 0 for directories.
    pub size: u32,
}

/// A file system.
pub struct Fat<'a> {
    image: &'a dyn ReadAt,
    /// How wide its table's entries are.
    pub kind: Kind,
    /// Bytes of a cluster.
    cluster_bytes: u64,
    /// Clusters in all.
    clusters: u32,
    /// Where the table begins, in bytes.
    table: u64,
    /// Where the first cluster, number 2, begins.
    data: u64,
    root: Chain,
}

/// Where a directory's bytes are.
#[derive(Clone, Copy, Debug)]
enum Chain {
    /// One after another: the root directory of FAT12 and FAT16.
    Plain { offset: u64, length: u64 },
    /// In clusters.
    Clusters(u32),
}

impl std::fmt::Debug for Fat<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fat")
            .field("kind", &self.kind)
            .field("clusters", &self.clusters)
            .finish_non_exhaustive()
    }
}

impl<'a> Fat<'a> {
    /// Reads the first sector.
    pub fn open(image: &'a dyn ReadAt) -> Result<Self, MediaError> {
        let wrong = |why| MediaError::Wrong { offset: 0, why };
        let sector = bytes::<512>(image, 0)?;
        let byte = |at: usize| u64::from(sector.get(at).copied().unwrap_or(0));
        let word = |at| u64::from(le16(&sector, at).unwrap_or(0));
        let long = |at| u64::from(le32(&sector, at).unwrap_or(0));
        let (sector_bytes, cluster_sectors) = (word(11), byte(13));
        if sector[510..] != [0x55, 0xaa] || !matches!(sector[0], 0xeb | 0xe9) {
            return Err(wrong("there is no FAT file system"));
        }
        if !matches!(sector_bytes, 512 | 1024 | 2048 | 4096) || !cluster_sectors.is_power_of_two() {
            return Err(wrong("there is no FAT file system: impossible sizes of sectors or clusters"));
        }
        let (reserved, tables, root_entries) = (word(14), byte(16), word(17));
        let total = if word(19) != 0 { word(19) } else { long(32) };
        let table_sectors = if word(22) != 0 { word(22) } else { long(36) };
        if reserved == 0 || tables == 0 || table_sectors == 0 {
            return Err(wrong("there is no FAT file system: it has no table"));
        }
        let root_sectors = (root_entries * 32).div_ceil(sector_bytes);
        let root_at = reserved + tables * table_sectors;
        let data = root_at + root_sectors;
        let clusters =
            total.checked_sub(data).ok_or(wrong("its data would begin behind its end"))? / cluster_sectors;
        // By the number of clusters alone, as the specification demands.
        let kind = match clusters {
            0..4085 => Kind::Fat12,
            4085..65525 => Kind::Fat16,
            _ => Kind::Fat32,
        };
        let root = match kind {
            Kind::Fat32 => Chain::Clusters(le32(&sector, 44).unwrap_or(0)),
            _ => Chain::Plain { offset: root_at * sector_bytes, length: root_entries * 32 },
        };
        Ok(Self {
            image,
            kind,
            cluster_bytes: sector_bytes * cluster_sectors,
            clusters: u32::try_from(clusters).map_err(|_| wrong("it has more clusters than can be"))?,
            table: reserved * sector_bytes,
            data: data * sector_bytes,
            root,
        })
    }

    /// The entry at a path, such as `["EFI", "BOOT", "BOOTX64.EFI"]`; small and capital letters are the same.
    pub fn find(&self, path: &[&str]) -> Result<Option<Entry>, MediaError> {
        let Some((name, above)) = path.split_last() else { return Ok(None) };
        let Some(directory) = self.directory(above)? else { return Ok(None) };
        self.scan(directory, |entry| entry.name.eq_ignore_ascii_case(name))
    }

    /// The names in a directory; none where it is not there.
    pub fn names(&self, path: &[&str]) -> Result<Vec<String>, MediaError> {
        let mut names = Vec::new();
        if let Some(directory) = self.directory(path)? {
            self.scan(directory, |entry| {
                names.push(entry.name.clone());
                false
            })?;
        }
        Ok(names)
    }

    /// The first bytes of a file, no more than `most` and no more than it has.
    pub fn begin(&self, entry: &Entry, most: usize) -> Result<Vec<u8>, MediaError> {
        let most = u64::from(entry.size).min(u64::try_from(most).unwrap_or(u64::MAX));
        let mut begin = Vec::new();
        let mut cluster = entry.cluster;
        let mut left = most;
        while left > 0 {
            let now = left.min(self.cluster_bytes);
            let mut piece = vec![0; usize::try_from(now).unwrap_or(0)];
            self.image.read_at(self.place(cluster)?, &mut piece)?;
            begin.extend(piece);
            left -= now;
            if left > 0 {
                match self.next(cluster)? {
                    Some(next) => cluster = next,
                    None => break,
                }
            }
        }
        Ok(begin)
    }

    /// Walks down a path of directories.
    fn directory(&self, path: &[&str]) -> Result<Option<Chain>, MediaError> {
        let mut chain = self.root;
        for name in path {
            let found =
                self.scan(chain, |entry| entry.is_directory && entry.name.eq_ignore_ascii_case(name))?;
            match found {
                Some(entry) => chain = Chain::Clusters(entry.cluster),
                None => return Ok(None),
            }
        }
        Ok(Some(chain))
    }

    /// The first entry of a directory that `is_it` says yes to.
    fn scan(&self, chain: Chain, mut is_it: impl FnMut(&Entry) -> bool) -> Result<Option<Entry>, MediaError> {
        let (mut offset, mut left, mut cluster) = match chain {
            Chain::Plain { offset, length } => (offset, length, None),
            Chain::Clusters(cluster) => (self.place(cluster)?, self.cluster_bytes, Some(cluster)),
        };
        let mut read = 0;
        // A chain that goes in circles ends here too.
        while read < MOST_DIRECTORY {
            let mut sector = [0; 512];
            let now = left.min(512);
            let part = sector.get_mut(..usize::try_from(now).unwrap_or(0)).unwrap_or_default();
            self.image.read_at(offset, part)?;
            for bytes in part.as_chunks::<ENTRY>().0 {
                match bytes[0] {
                    0 => return Ok(None),
                    // 0xe5: removed. Attribute 8: the volume's name, or (0x0f) a piece of a long name.
                    0xe5 => {}
                    _ if bytes[11] & 0x08 != 0 => {}
                    _ => {
                        let entry = entry(bytes);
                        if is_it(&entry) {
                            return Ok(Some(entry));
                        }
                    }
                }
            }
            (offset, left, read) = (offset + now, left - now, read + now.max(1));
            if left == 0 {
                let Some(next) = cluster.map_or(Ok(None), |cluster| self.next(cluster))? else { break };
                (offset, left, cluster) = (self.place(next)?, self.cluster_bytes, Some(next));
            }
        }
        Ok(None)
    }

    /// Where a cluster begins, in bytes.
    fn place(&self, cluster: u32) -> Result<u64, MediaError> {
        match cluster.checked_sub(2) {
            Some(index) if index < self.clusters => Ok(self.data + u64::from(index) * self.cluster_bytes),
            _ => Err(MediaError::Wrong {
                offset: self.table,
                why: "a chain leads to a cluster that is not there",
            }),
        }
    }

    /// The cluster behind another; `None` at the end of its chain.
    fn next(&self, cluster: u32) -> Result<Option<u32>, MediaError> {
        let index = u64::from(cluster);
        let value = match self.kind {
            Kind::Fat12 => {
                let two = u32::from(u16::from_le_bytes(bytes(self.image, self.table + index + index / 2)?));
                if cluster.is_multiple_of(2) { two & 0xfff } else { two >> 4 }
            }
            Kind::Fat16 => u16::from_le_bytes(bytes(self.image, self.table + index * 2)?).into(),
            Kind::Fat32 => u32::from_le_bytes(bytes(self.image, self.table + index * 4)?) & 0x0fff_ffff,
        };
        let end = match self.kind {
            Kind::Fat12 => 0xff7,
            Kind::Fat16 => 0xfff7,
            Kind::Fat32 => 0x0fff_fff7,
        };
        Ok((value < end).then_some(value))
    }
}

/// A used entry.
fn entry(bytes: &[u8; ENTRY]) -> Entry {
    let text = |from, count| {
        let bytes = part(bytes, from, count).unwrap_or_default();
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        text.trim_end().to_ascii_uppercase()
    };
    let (name, extension) = (text(0, 8), text(8, 3));
    let [high, low] = [20, 26].map(|at| u32::from(le16(bytes, at).unwrap_or(0)));
    Entry {
        name: if extension.is_empty() { name } else { format!("{name}.{extension}") },
        is_directory: bytes[11] & 0x10 != 0,
        cluster: high << 16 | low,
        size: le32(bytes, 28).unwrap_or(0),
    }
}
