//! Changes of a domain's text: what is not changed stays byte for byte, comments and blanks among it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use passthru_model::virtualisation::{DomainEdit, DomainElement, Place};
use quick_xml::escape::escape;
use roxmltree::Node;

use super::write::write;
use super::{DomainError, document, position, readable};

/// The line, from 1, of each place; of what holds it where it is not there itself.
pub fn lines(path: &str, bytes: &[u8], places: &[&Place]) -> Result<Vec<usize>, DomainError> {
    let (text, _) = readable(path, bytes)?;
    let document = document(path, &text)?;
    let line = |place: &&Place| {
        let (node, _) = deepest(document.root_element(), place);
        text.get(..node.range().start).map_or(1, |before| position(before).0)
    };
    Ok(places.iter().map(line).collect())
}

/// The text with these changes; the ones within what is taken out go with it, and the ones of what is not there do nothing.
pub fn edited(path: &str, bytes: &[u8], edits: &[DomainEdit]) -> Result<String, DomainError> {
    let (readable_text, _) = readable(path, bytes)?;
    let document = document(path, &readable_text)?;
    let root = document.root_element();
    let text = String::from_utf8_lossy(bytes);
    let mut splices: Vec<(Range<usize>, String)> = Vec::new();
    // New elements by where they go, which is told by the element's own place in the text.
    let mut added: BTreeMap<usize, (Node<'_, '_>, Vec<DomainElement>)> = BTreeMap::new();
    let mut done = BTreeSet::new();
    for edit in edits {
        match edit {
            DomainEdit::Remove(place) => {
                if let (node, missing) = deepest(root, place)
                    && missing.is_empty()
                {
                    splices.push((whole_lines(&text, node.range()), String::new()));
                }
            }
            DomainEdit::Set { element, attribute, value } => {
                // Of two values for one attribute the first is meant: two would be no XML.
                if let (node, missing) = deepest(root, element)
                    && missing.is_empty()
                    && done.insert((node.range().start, *attribute))
                {
                    splices.push(set(node, &readable_text, attribute, value));
                }
            }
            DomainEdit::Add { parent, element } => {
                let (node, missing) = deepest(root, parent);
                let entry = added.entry(node.range().start).or_insert_with(|| (node, Vec::new()));
                let mut siblings = &mut entry.1;
                for step in missing {
                    siblings = within(siblings, step);
                }
                if !siblings.contains(element) {
                    siblings.push(element.clone());
                }
            }
        }
    }
    for (node, elements) in added.values() {
        splices.push(append(&text, *node, elements));
    }
    Ok(spliced(&text, splices))
}

/// The node of a place, or the last that is there on the way to it, and the names of what is missing from there on.
fn deepest<'a, 'i, 'p>(root: Node<'a, 'i>, place: &'p Place) -> (Node<'a, 'i>, Vec<&'p str>) {
    let mut node = root;
    let mut steps = place.steps();
    while let Some((name, number)) = steps.next() {
        let found = node
            .children()
            .filter(|child| child.is_element() && child.tag_name().name() == name)
            .nth(number.saturating_sub(1));
        match found {
            Some(found) => node = found,
            None => return (node, std::iter::once(name).chain(steps.map(|(name, _)| name)).collect()),
        }
    }
    (node, Vec::new())
}

/// The children of the element of this name among new ones, made where it is missing.
fn within<'a>(siblings: &'a mut Vec<DomainElement>, name: &str) -> &'a mut Vec<DomainElement> {
    let at = siblings.iter().position(|one| one.name == name).unwrap_or_else(|| {
        siblings.push(DomainElement::new(name, &[]));
        siblings.len() - 1
    });
    &mut siblings[at].children
}

/// The blanks at the start of the line that a place is on.
fn indent(text: &str, at: usize) -> &str {
    let line = text.get(..at).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
    line.get(..line.len() - line.trim_start().len()).unwrap_or_default()
}

/// New elements as the last of one that is there.
fn append(text: &str, node: Node<'_, '_>, elements: &[DomainElement]) -> (Range<usize>, String) {
    let range = node.range();
    let outer = indent(text, range.start);
    // Children are indented as those that are there already are.
    let inner = node
        .first_element_child()
        .map(|child| indent(text, child.range().start).to_owned())
        .filter(|inner| inner.len() > outer.len())
        .unwrap_or_else(|| format!("{outer}  "));
    let mut lines = String::new();
    write(&mut lines, elements, &inner);
    let own = text.get(range.clone()).unwrap_or_default();
    let Some(close) = own.rfind("</").filter(|_| !own.ends_with("/>")) else {
        let name =
            own.trim_start_matches('<').split(['/', '>', ' ', '\t', '\n', '\r']).next().unwrap_or_default();
        return (range.end.saturating_sub(2)..range.end, format!(">\n{lines}{outer}</{name}>"));
    };
    let at = range.start + close;
    let before = text.get(..at).unwrap_or_default();
    let alone = before.trim_end_matches([' ', '\t']);
    if alone.ends_with('\n') {
        (alone.len()..alone.len(), lines)
    } else {
        (at..at, format!("\n{lines}{outer}"))
    }
}

/// An attribute with another value, or a new one behind the others.
fn set(node: Node<'_, '_>, text: &str, name: &str, value: &str) -> (Range<usize>, String) {
    let value = escape(value).into_owned();
    if let Some(attribute) = node.attribute_node(name) {
        return (attribute.range_value(), value);
    }
    let start = node.range().start;
    let after_name = || {
        let own = text.get(start..).unwrap_or_default();
        start + own.find(['/', '>', ' ', '\t', '\n', '\r']).unwrap_or(1)
    };
    let at = node.attributes().next_back().map_or_else(after_name, |last| last.range().end);
    (at..at, format!(" {name}='{value}'"))
}

/// The range with the rest of its lines, where nothing else is on them.
fn whole_lines(text: &str, range: Range<usize>) -> Range<usize> {
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    let start = before.trim_end_matches([' ', '\t']);
    let rest = after.trim_start_matches([' ', '\t', '\r']);
    if start.ends_with('\n') && rest.starts_with('\n') {
        start.len()..text.len() - rest.len() + 1
    } else {
        range
    }
}

/// The text with all replacements; one that lies within another's range goes with it.
fn spliced(text: &str, mut splices: Vec<(Range<usize>, String)>) -> String {
    splices.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (range, with) in splices {
        let Some(between) = text.get(done..range.start) else { continue };
        out.push_str(between);
        out.push_str(&with);
        done = range.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
