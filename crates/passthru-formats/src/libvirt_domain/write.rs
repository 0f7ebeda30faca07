//! Elements to text, as libvirt writes them: values in single quotes, two blanks an indent.

use std::fmt::Write as _;

use passthru_model::virtualisation::DomainElement;
use quick_xml::escape::escape;

/// A whole document.
pub fn written(root: &DomainElement) -> String {
    let mut out = String::new();
    write(&mut out, std::slice::from_ref(root), "");
    out
}

/// Elements as lines, each behind an indent.
pub(super) fn write(out: &mut String, elements: &[DomainElement], indent: &str) {
    for element in elements {
        let _ = write!(out, "{indent}<{}", element.name);
        for (name, value) in &element.attributes {
            let _ = write!(out, " {name}='{}'", escape(value));
        }
        match &element.text {
            Some(text) => {
                let _ = writeln!(out, ">{}</{}>", escape(text), element.name);
            }
            None if element.children.is_empty() => out.push_str("/>\n"),
            None => {
                out.push_str(">\n");
                write(out, &element.children, &format!("{indent}  "));
                let _ = writeln!(out, "{indent}</{}>", element.name);
            }
        }
    }
}
