//! What domain XML says of where memory comes from.

use passthru_formats::libvirt_domain::ReadElement;

use super::draft::Draft;
use super::reasons::{LOCKED, NO_KEY};
use crate::spec::PagesChoice;

/// `<memoryBacking>`.
pub(super) fn memory_backing(draft: &mut Draft<'_>, backing: &ReadElement) {
    for element in &backing.children {
        let (line, tag) = (element.line, element.tag());
        match (element.name.as_str(), element.attribute("mode").or_else(|| element.attribute("type"))) {
            ("hugepages", _) => {
                let page = element.child("page");
                if element.children.len() > 1 || page.is_some_and(|page| page.attribute("nodeset").is_some())
                {
                    draft.lost(line, tag, "all memory of a guest is of one kind of pages");
                } else {
                    draft.huge_pages(line, tag, page.and_then(page_size));
                }
            }
            ("nosharepages", _) => draft.memory_backing.merge = Some(false),
            ("locked", _) => draft.left_out(line, tag, LOCKED),
            ("source", Some("memfd" | "anonymous" | "file")) => {
                draft.left_out(line, tag, "how the host keeps the memory follows from its pages");
            }
            ("allocation", Some("immediate")) => draft.memory_backing.prealloc = Some(true),
            ("allocation", Some("ondemand")) => draft.memory_backing.prealloc = Some(false),
            _ => draft.lost(line, tag, NO_KEY),
        }
    }
    // Huge pages are taken beforehand anyway.
    if draft.memory_backing.pages != PagesChoice::Auto {
        draft.memory_backing.prealloc = None;
    }
}

/// The size of a `<page>` in bytes, whose `size` is in KiB where no unit is said.
fn page_size(page: &ReadElement) -> Option<u64> {
    let number: u64 = page.attribute("size")?.parse().ok()?;
    let unit = match page.attribute("unit").unwrap_or("KiB") {
        "KiB" | "k" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// `<numatune>`.
pub(super) fn numatune(draft: &mut Draft<'_>, numatune: &ReadElement) {
    for element in &numatune.children {
        let node = element.attribute("nodeset").and_then(|nodes| nodes.parse().ok());
        match (element.name.as_str(), element.attribute("mode"), node) {
            ("memory", Some("strict") | None, Some(node)) => draft.memory_backing.node = Some(node),
            _ => draft.lost(
                element.line,
                element.tag(),
                "memory comes from one NUMA node (strict), or from all",
            ),
        }
    }
}
