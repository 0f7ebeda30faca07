//! The programs that read the files. Where one is not installed, its test says so and ends.

use std::path::Path;
use std::process::{Command, Stdio};

use passthru_formats::{booster, kernel_cmdline, kernelstub};
use serde_json::Value;

use super::{add, remove};

/// What a program prints when it is given this text; `None` where it is not installed.
fn output(program: &str, arguments: &[&str], input: &str) -> Option<String> {
    use std::io::Write as _;
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: there is no {program} here");
        return None;
    };
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("writes");
    let output = child.wait_with_output().expect("ends");
    output.status.success().then(|| String::from_utf8(output.stdout).expect("text"))
}

/// The value of a variable after bash has read a file.
pub(crate) fn bash(text: &str, name: &str) -> Option<String> {
    let script = format!("eval \"$(cat; printf '\\n:')\" || exit 9; printf %s \"${name}\"");
    output("bash", &["--norc", "-c", &script], text)
}

#[test]
fn python_reads_one_word_more_in_kernelstub_s_json_and_nothing_else() {
    let text = "{\n    \"default\": {\"kernel_options\": [\"quiet\"]},\n    \"user\": {\n        \"kernel_options\": [\n            \
                \"quiet\",\n            \"splash\"\n        ],\n        \"esp_path\": \"/boot/efi\"\n    }\n}\n";
    let longer = kernelstub::edit(text, &add("dyndbg=\"file x +p\"")).expect("a list");
    let read = |text: &str| {
        let script = "import json,sys; print(json.dumps(json.load(sys.stdin)))";
        output("python3", &["-c", script], text)
            .map(|json| serde_json::from_str::<Value>(&json).expect("JSON"))
    };
    let (Some(mut before), Some(after)) = (read(text), read(&longer)) else { return };
    before["user"]["kernel_options"].as_array_mut().expect("a list").push("dyndbg=\"file x +p\"".into());
    assert_eq!(before, after);
}

#[test]
fn python_reads_the_merged_modules_in_booster_s_yaml_and_nothing_else() {
    let script = "import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin) or {}))";
    let read = |text: &str| {
        output("python3", &["-c", script], text)
            .map(|json| serde_json::from_str::<Value>(&json).expect("JSON"))
    };
    for text in [
        "compression: zstd\nmodules_force_load: ext4, xfs # mine\nmodules: a,b\n",
        "modules_force_load: \"ext4\"\nnetwork:\n  dhcp: on\n",
        "# nothing\ncompression: none",
        "modules_force_load:\nmodules: '*'\n",
    ] {
        let longer = booster::add_force_load(text, &["vfio_pci", "vfio"]).expect("plain");
        let (Some(mut before), Some(after)) = (read(text), read(&longer)) else { return };
        let old = before["modules_force_load"].as_str().map(|old| format!(",{old}")).unwrap_or_default();
        before["modules_force_load"] = format!("vfio_pci,vfio{old}").into();
        assert_eq!(before, after, "{longer}");
    }
}

/// The options that kernel-install's own plugin writes into an entry for this `/etc/kernel/cmdline`; `None` where it is not
/// installed, or needs another setting than the one of systemd 252.
fn installed_options(cmdline: &str) -> Option<String> {
    let plugin = Path::new("/usr/lib/kernel/install.d/90-loaderentry.install");
    if !plugin.exists() {
        eprintln!("skipped: there is no {} here", plugin.display());
        return None;
    }
    let root = tempfile::tempdir().expect("a directory");
    let directory = |name: &str| {
        let path = root.path().join(name);
        std::fs::create_dir_all(&path).expect("makes");
        path
    };
    let (settings, boot, staging) = (directory("settings"), directory("boot"), directory("staging"));
    let entries = directory("boot/token/6.12");
    std::fs::write(settings.join("cmdline"), cmdline).expect("writes");
    std::fs::write(root.path().join("vmlinuz"), b"").expect("writes");
    let status = Command::new("sh")
        .arg(plugin)
        .args(["add", "6.12"])
        .arg(&entries)
        .arg(root.path().join("vmlinuz"))
        .env("KERNEL_INSTALL_CONF_ROOT", &settings)
        .env("KERNEL_INSTALL_BOOT_ROOT", &boot)
        .env("KERNEL_INSTALL_STAGING_AREA", &staging)
        .env("KERNEL_INSTALL_LAYOUT", "bls")
        .env("KERNEL_INSTALL_ENTRY_TOKEN", "token")
        .env("KERNEL_INSTALL_MACHINE_ID", "0123456789abcdef0123456789abcdef")
        .env("KERNEL_INSTALL_VERBOSE", "0")
        .stderr(Stdio::null())
        .status();
    let entry = std::fs::read_to_string(boot.join("loader/entries/token-6.12.conf")).ok()?;
    status.is_ok_and(|status| status.success()).then(|| passthru_formats::bls::read(&entry).options)
}

#[test]
fn kernel_install_writes_one_word_more_into_its_entry_and_nothing_else() {
    let text =
        "rd.luks.name=1=root root=/dev/mapper/root\nconsole=tty0  console=ttyS0\tdyndbg=\"file x +p\"\n";
    let longer = kernel_cmdline::edit(text, &add("intel_iommu=on")).expect("plain");
    let (Some(before), Some(after)) = (installed_options(text), installed_options(&longer)) else { return };
    assert_eq!(before, kernel_cmdline::read(text).replace("  ", " ").replace('\t', " "));
    assert_eq!(after, format!("{before} intel_iommu=on"));
    let shorter = kernel_cmdline::edit(&longer, &remove("intel_iommu=on")).expect("plain");
    assert_eq!(installed_options(&shorter), Some(before));
}
