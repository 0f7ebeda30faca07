//! A domain as elements with their lines, for who must account for every one of them.

use roxmltree::Node;

use super::{DomainError, document, position, readable};

/// An element that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadElement {
    /// Its name, without its namespace.
    pub name: String,
    /// Its attributes, in order.
    pub attributes: Vec<(String, String)>,
    /// The text in it, without blanks around it.
    pub text: String,
    /// The elements in it.
    pub children: Vec<ReadElement>,
    /// The line it begins on, from 1.
    pub line: usize,
}

impl ReadElement {
    /// The first element of this name in it.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// What is found by going from child to child.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Its opening tag, in one line.
    pub fn tag(&self) -> String {
        let attributes: Vec<String> =
            self.attributes.iter().map(|(name, value)| format!(" {name}='{value}'")).collect();
        format!("<{}{}>", self.name, attributes.concat())
    }
}

/// Reads a domain as a tree.
pub fn tree(path: &str, bytes: &[u8]) -> Result<ReadElement, DomainError> {
    let (text, _) = readable(path, bytes)?;
    let document = document(path, &text)?;
    Ok(element(document.root_element(), &text))
}

/// One element; [`readable`] has bounded how deep they nest.
fn element(node: Node<'_, '_>, text: &str) -> ReadElement {
    let own: String =
        node.children().filter_map(|child| child.is_text().then(|| child.text()).flatten()).collect();
    ReadElement {
        name: node.tag_name().name().to_owned(),
        attributes: node
            .attributes()
            .map(|attribute| (attribute.name().to_owned(), attribute.value().to_owned()))
            .collect(),
        text: own.trim().to_owned(),
        children: node.children().filter(Node::is_element).map(|child| element(child, text)).collect(),
        line: text.get(..node.range().start).map_or(1, |before| position(before).0),
    }
}

/// The host's PCI function that `<hostdev>` names by `<source>`.
pub fn host_address(hostdev: &ReadElement) -> Option<passthru_model::PciAddress> {
    let source = hostdev.at(&["source", "address"])?;
    super::devices::pci_address(|name| source.attribute(name))
}

/// A size that an element says, in bytes; `default` is the unit where none is named.
pub fn size(element: &ReadElement, default: &str) -> Option<u64> {
    let number: u64 = element.text.parse().ok()?;
    number.checked_mul(super::unit(element.attribute("unit").unwrap_or(default))?)
}

/// The memory of all NUMA cells of the guest together, in bytes; `None`: there are none that say. libvirt takes it for the guest's
/// memory, whatever `<memory>` says (`virDomainDefPostParseMemory`).
pub fn memory_of_cells(root: &ReadElement) -> Option<u64> {
    let cells: Vec<&ReadElement> =
        root.at(&["cpu", "numa"])?.children.iter().filter(|child| child.name == "cell").collect();
    let memory = |cell: &&ReadElement| {
        let number: u64 = cell.attribute("memory")?.parse().ok()?;
        number.checked_mul(super::unit(cell.attribute("unit").unwrap_or("KiB"))?)
    };
    let sizes: Option<Vec<u64>> = cells.iter().map(memory).collect();
    sizes.filter(|sizes| !sizes.is_empty())?.into_iter().try_fold(0, u64::checked_add)
}
