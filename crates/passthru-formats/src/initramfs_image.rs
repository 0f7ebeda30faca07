//! What an initramfs holds: archives one after another, the first ones plain, the last one often compressed
//! (`Documentation/driver-api/early-userspace/buffer-format.rst`).
//!
//! Images are unpacked as a stream: of each file only the name is kept, and the content of the few small files that matter.

use std::io::{self, BufReader, Read};

use crate::cpio::{self, Entry, Kind};

use crate::compression::Compression;

/// An image of more unpacked bytes than this is not looked through to the end.
const MOST_UNPACKED: u64 = 4 * 1024 * 1024 * 1024;
/// Nor is one of more files.
const MOST_ENTRIES: usize = 400_000;
/// Files that matter are far smaller.
const MOST_CONTENT: u64 = 64 * 1024;
/// Bytes of a header, of magic numbers and names.
const HEADER: usize = 110;
const MOST_NAME: usize = 4096;
/// The kind of thing in a mode, and two such kinds (`include/uapi/linux/stat.h`).
const KIND: u64 = 0o170_000;
const FILE: u64 = 0o100_000;
const LINK: u64 = 0o120_000;

/// The parts of an image that matter: modules without their content, and settings with it.
///
/// They are given as an archive of the same kind, in which a capture keeps them.
pub fn reduced(bytes: &[u8]) -> Vec<u8> {
    // A capture has an empty file for what was listed and never read.
    if bytes.is_empty() {
        return Vec::new();
    }
    let mut kept = Vec::new();
    match walk(bytes, &mut |name, content| kept.extend(entry(name, content))) {
        // What was there before the fault is no answer: a module may be in what could not be read.
        Err(_) => Vec::new(),
        Ok(()) => cpio::write(&kept).unwrap_or_default(),
    }
}

/// The names of all files and links in an image, without a leading slash. An image that cannot be read to its end is an
/// error: what was there before the fault is no answer.
pub fn names(bytes: &[u8]) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    walk(bytes, &mut |name, _| names.push(name.to_owned()))?;
    Ok(names)
}

/// The entry that is kept for a file; none for what does not matter. Settings that were not read must not pass for empty
/// ones.
fn entry(name: &str, content: Content<'_>) -> Option<Entry> {
    let kind = match (matters(name)?, content) {
        // Links to modules count as modules.
        (Matter::Name, _) => Kind::File(Vec::new()),
        (Matter::Content, Content::Of(bytes)) => Kind::File(bytes.to_vec()),
        (Matter::Content, Content::Target(target)) => Kind::Link(target.to_owned()),
        (Matter::Content, Content::Unread) => return None,
    };
    Some(Entry { name: name.to_owned(), permissions: 0o644, kind })
}

/// Whether a file's content matters or its name alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matter {
    Name,
    Content,
}

/// What matters of a file by its name: modules are known by their names, settings by what they say.
fn matters(name: &str) -> Option<Matter> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let module = [".ko", ".ko.xz", ".ko.zst", ".ko.gz"].iter().any(|ending| file.ends_with(ending));
    if module && name.contains("lib/modules/") {
        return Some(Matter::Name);
    }
    let settings =
        ["etc/modprobe.d/", "lib/modprobe.d/", "etc/passthru/", "etc/modules-load.d/", "etc/cmdline.d/"];
    let ours = name.contains("passthru");
    (settings.iter().any(|directory| name.contains(directory)) || name == "conf/modules" || ours)
        .then_some(Matter::Content)
}

/// What is in an entry of an image.
#[derive(Clone, Copy)]
enum Content<'a> {
    /// It was passed over, since it does not matter or is too large to.
    Unread,
    /// The bytes of a file.
    Of(&'a [u8]),
    /// Where a link leads.
    Target(&'a str),
}

/// Is told each file and link of an image by name, with what is in it where that matters.
type Found<'a> = dyn FnMut(&str, Content<'_>) + 'a;

/// Goes through all files of an image.
fn walk(bytes: &[u8], found: &mut Found<'_>) -> io::Result<()> {
    let mut rest = bytes;
    let mut budget = Budget { bytes: MOST_UNPACKED, entries: MOST_ENTRIES };
    loop {
        // Between archives there are zeros up to a multiple of four or of a block.
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        rest = rest.get(zeros..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        if rest.starts_with(b"0707") {
            let before = rest.len();
            let mut plain = rest;
            archive(&mut plain, &mut budget, found)?;
            if plain.len() == before {
                return Err(wrong("an archive without an end"));
            }
            rest = plain;
            continue;
        }
        // What follows a compressed archive is not looked for: no generator writes anything there.
        let kind = Compression::of(rest)
            .ok_or_else(|| wrong("neither an archive nor a compression that is known"))?;
        return unpacked(kind.unpack(rest)?, &mut budget, found);
    }
}

struct Budget {
    bytes: u64,
    entries: usize,
}

/// Archives in a stream that was compressed.
fn unpacked(stream: impl Read, budget: &mut Budget, found: &mut Found<'_>) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(128 * 1024, stream.take(MOST_UNPACKED));
    loop {
        let mut zeros = [0; 4];
        // Archives begin at multiples of four; the first byte of one is no zero.
        loop {
            match fill(&mut stream, &mut zeros)? {
                4 if zeros == [0; 4] => {}
                4 => break,
                _ => return Ok(()),
            }
        }
        archive(&mut zeros.as_slice().chain(&mut stream), budget, found)?;
    }
}

/// Reads until the buffer is full or the stream ends; how much it was.
fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// One archive, up to its trailer and the padding after it.
fn archive(stream: &mut impl Read, budget: &mut Budget, found: &mut Found<'_>) -> io::Result<()> {
    let mut header = [0; HEADER];
    loop {
        stream.read_exact(&mut header)?;
        if !(header.starts_with(b"070701") || header.starts_with(b"070702")) {
            return Err(wrong("a header that is none of a newc archive"));
        }
        let field = |number: usize| {
            let digits = header.get(6 + number * 8..14 + number * 8)?;
            u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        let bad = || wrong("a header with a field that is no number");
        let (size, name_size) = (field(6).ok_or_else(bad)?, field(11).ok_or_else(bad)?);
        let name_size = usize::try_from(name_size).unwrap_or(usize::MAX);
        if name_size > MOST_NAME {
            return Err(wrong("a name longer than any path"));
        }
        // Header and name together end at a multiple of four.
        let mut name = vec![0; (HEADER + name_size).next_multiple_of(4) - HEADER];
        stream.read_exact(&mut name)?;
        let padded = size.next_multiple_of(4);
        budget.entries =
            budget.entries.checked_sub(1).ok_or_else(|| wrong("more files than any image has"))?;
        budget.bytes =
            budget.bytes.checked_sub(padded).ok_or_else(|| wrong("more bytes than are looked through"))?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        let name = name.trim_start_matches("./").trim_start_matches('/');
        if name == "TRAILER!!!" {
            return Ok(());
        }
        let kind = field(1).ok_or_else(bad)? & KIND;
        if matches!(kind, FILE | LINK) && size <= MOST_CONTENT && matters(name).is_some() {
            let mut content = vec![0; usize::try_from(padded).unwrap_or(0)];
            stream.read_exact(&mut content)?;
            content.truncate(usize::try_from(size).unwrap_or(0));
            match std::str::from_utf8(&content) {
                Ok(target) if kind == LINK => found(name, Content::Target(target)),
                Err(_) if kind == LINK => found(name, Content::Unread),
                _ => found(name, Content::Of(&content)),
            }
        } else {
            let skipped = io::copy(&mut stream.by_ref().take(padded), &mut io::sink())?;
            if skipped != padded {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if matches!(kind, FILE | LINK) {
                found(name, Content::Unread);
            }
        }
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
