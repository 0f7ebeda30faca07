//! A module for NixOS to import: there the files of other systems are made from such modules, and are never edited.

use std::fmt::Write as _;

/// What the module sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// Words for the kernel command line, `boot.kernelParams`.
    pub kernel_params: Vec<String>,
    /// Modules that are loaded in the initramfs, in this order, `boot.initrd.kernelModules`.
    pub initrd_kernel_modules: Vec<String>,
    /// Lines of modprobe.d, `boot.extraModprobeConfig`.
    pub modprobe_lines: Vec<String>,
    /// Lines of udev rules for the initramfs, `boot.initrd.services.udev.rules`.
    pub initrd_udev_lines: Vec<String>,
    /// Lines of udev rules for the running system, `services.udev.extraRules`.
    pub udev_lines: Vec<String>,
    /// Words for the kernel command line of one boot entry more, `specialisation.NAME.configuration.boot.kernelParams`, with the
    /// entry's name.
    pub specialisation: Option<(&'static str, Vec<String>)>,
}

/// The words that a module which was rendered here has for the kernel command line.
pub fn kernel_params(text: &str) -> Vec<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("  boot.kernelParams = [ "));
    let Some(mut rest) = line.and_then(|line| line.strip_suffix(" ];")) else { return Vec::new() };
    let mut words = Vec::new();
    while let Some(quoted) = rest.trim_start().strip_prefix('"') {
        let mut word = String::new();
        let mut chars = quoted.chars();
        loop {
            match chars.next() {
                Some('\\') => word.extend(chars.next().map(|c| match c {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    c => c,
                })),
                Some('"') | None => break,
                Some(c) => word.push(c),
            }
        }
        words.push(word);
        rest = chars.as_str();
    }
    words
}

impl Module {
    /// The text of the module. `header` becomes comments at its beginning, a line each.
    pub fn render(&self, header: &[&str]) -> String {
        let mut text = String::new();
        for line in header {
            let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            text += format!("# {clean}").trim_end();
            text.push('\n');
        }
        text += "{ ... }:\n\n{\n";
        list(&mut text, "boot.kernelParams", &self.kernel_params);
        list(&mut text, "boot.initrd.kernelModules", &self.initrd_kernel_modules);
        lines(&mut text, "boot.extraModprobeConfig", &self.modprobe_lines);
        lines(&mut text, "boot.initrd.services.udev.rules", &self.initrd_udev_lines);
        lines(&mut text, "services.udev.extraRules", &self.udev_lines);
        if let Some((name, words)) = &self.specialisation {
            list(&mut text, &format!("specialisation.{name}.configuration.boot.kernelParams"), words);
        }
        text + "}\n"
    }
}

fn list(text: &mut String, name: &str, words: &[String]) {
    if !words.is_empty() {
        let words: Vec<String> = words.iter().map(|word| string(word)).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name} = [ {} ];", words.join(" "));
    }
}

/// An indented string: Nix takes off the blanks that all lines begin with, so ours begin with none.
fn lines(text: &mut String, name: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = writeln!(text, "  {name} = ''");
        for line in lines {
            let clean: String = line.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let _ = writeln!(text, "    {}", indented(&clean));
        }
        text.push_str("  '';\n");
    }
}

/// Text inside `"…"` (Nix manual, “String literal”).
fn string(word: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in word.chars() {
        match c {
            '"' | '\\' | '$' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ => quoted.push(c),
        }
    }
    quoted + "\""
}

/// Text inside `''…''`: `'''` writes two single quotes. A dollar is put in as a string of its own, for `''$` would be read
/// otherwise after a single quote.
fn indented(line: &str) -> String {
    line.replace("''", "'''").replace('$', "${\"$\"}")
}

#[cfg(test)]
mod tests {
    use super::{Module, kernel_params};
    use proptest::prelude::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn full() -> Module {
        Module {
            kernel_params: strings(&["intel_iommu=on", "dyndbg=\"file x +p\"", "a=${b}"]),
            initrd_kernel_modules: strings(&["vfio_pci", "vfio", "vfio_iommu_type1"]),
            modprobe_lines: strings(&["options vfio-pci ids=10de:13c2", "softdep nouveau pre: vfio-pci"]),
            initrd_udev_lines: strings(&["ACTION==\"add\", ATTR{driver_override}=\"$attr{x} ''${y}\""]),
            udev_lines: Vec::new(),
            specialisation: Some(("without", strings(&["passthru.off"]))),
        }
    }

    #[test]
    fn a_module_has_only_what_is_needed_and_is_escaped() {
        assert_eq!(Module::default().render(&["By passthru"]), "# By passthru\n{ ... }:\n\n{\n}\n");
        assert_eq!(
            full().render(&["By passthru", "", "two\nlines"]),
            "# By passthru\n#\n# two lines\n{ ... }:\n\n{\n  boot.kernelParams = [ \"intel_iommu=on\" \
             \"dyndbg=\\\"file x +p\\\"\" \"a=\\${b}\" ];\n  \
             boot.initrd.kernelModules = [ \"vfio_pci\" \"vfio\" \"vfio_iommu_type1\" ];\n  boot.extraModprobeConfig = ''\n    \
             options vfio-pci ids=10de:13c2\n    softdep nouveau pre: vfio-pci\n  '';\n  \
             boot.initrd.services.udev.rules = ''\n    ACTION==\"add\", ATTR{driver_override}=\"${\"$\"}attr{x} '''${\"$\"}{y}\"\n  '';\n  \
             specialisation.without.configuration.boot.kernelParams = [ \"passthru.off\" ];\n}\n"
        );
    }

    /// What Nix evaluates a module to, as JSON; `None` where it is not installed.
    fn evaluated(module: &Module) -> Option<serde_json::Value> {
        let expression =
            format!("({}) {{ }}", module.render(&["By passthru"]).replace("# By passthru\n", ""));
        #[expect(clippy::disallowed_types, reason = "the test asks the program that reads the file")]
        let output = std::process::Command::new("nix-instantiate")
            .args(["--eval", "--strict", "--json", "--store", "dummy://", "--expr", &expression])
            .output()
            .ok()?;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}\n{expression}");
        Some(serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    #[test]
    fn nix_reads_what_was_meant() {
        let module = full();
        let Some(value) = evaluated(&module) else { return };
        assert_eq!(value["boot"]["kernelParams"], serde_json::json!(module.kernel_params));
        assert_eq!(value["boot"]["initrd"]["kernelModules"], serde_json::json!(module.initrd_kernel_modules));
        assert_eq!(
            value["boot"]["extraModprobeConfig"],
            serde_json::json!(module.modprobe_lines.join("\n") + "\n")
        );
        let rules = &value["boot"]["initrd"]["services"]["udev"]["rules"];
        assert_eq!(*rules, serde_json::json!(module.initrd_udev_lines.join("\n") + "\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn nix_reads_any_word_as_it_is(words in prop::collection::vec("[a-z\"'$\\\\{} \n\t]{0,8}", 1..4), line in "[a-z][a-z\"'$\\\\{} ]{0,12}[a-z]") {
            let module = Module { kernel_params: words.clone(), modprobe_lines: vec![line.clone()], ..Module::default() };
            prop_assert_eq!(kernel_params(&module.render(&["By passthru"])), words.clone());
            if let Some(value) = evaluated(&module) {
                prop_assert_eq!(&value["boot"]["kernelParams"], &serde_json::json!(words));
                prop_assert_eq!(&value["boot"]["extraModprobeConfig"], &serde_json::json!(line + "\n"));
            }
        }
    }
}
