//! Guests that are written down for other programs, and those that are read from them.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Answer, answer, schema_errors};

/// A user with a home, for whom no file of this machine is changed. Root becomes somebody else.
struct User {
    home: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .expect("set");
        Self { home }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Runs the program on the workstation among the fixtures.
    fn says(&self, arguments: &[&str]) -> Answer {
        let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hosts/workstation");
        let mut command = Command::new(env!("CARGO_BIN_EXE_passthru"));
        command.args(arguments).arg("--host").arg(host).env_clear().env("HOME", self.home.path());
        if rustix::process::geteuid().is_root() {
            command.uid(65534).gid(65534);
        }
        answer(&mut command)
    }

    fn spec(&self, name: &str) -> PathBuf {
        self.home.path().join(".config/passthru/guests").join(name)
    }
}

const DOMAIN: &str = "<domain type='kvm'>\n  <name>win10</name>\n  <memory unit='GiB'>8</memory>\n  <vcpu>4</vcpu>\n  \
    <os firmware='efi'>\n    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>\n  </os>\n  <clock offset='localtime'/>\n  \
    <devices>\n    <interface type='network'/>\n    <hostdev mode='subsystem' type='pci' managed='yes'>\n      <source>\n        \
    <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>\n      </source>\n    </hostdev>\n  </devices>\n</domain>\n";

#[test]
fn an_imported_domain_is_a_specification_and_an_account_of_the_rest() {
    let user = User::new();
    let file = user.file("win10.xml", DOMAIN);
    let answer = user.says(&["guest", "import", &file, "-o", "-"]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    insta::assert_snapshot!(format!("{}\n{}", answer.out, answer.err));
    let json = user.says(&["guest", "import", &file, "-o", "-", "--json"]);
    assert_eq!(schema_errors("guest-import", &json.out), Vec::<String>::new());
}

#[test]
fn what_is_imported_to_a_file_is_new_there() {
    let user = User::new();
    let (file, out) = (user.file("win10.xml", DOMAIN), user.home.path().join("win10.toml"));
    let out = out.to_str().expect("UTF-8");
    assert_eq!(user.says(&["guest", "import", &file, "-o", out]).code, 0);
    let again = user.says(&["guest", "import", &file, "-o", out]);
    assert_eq!(again.code, 1, "{}", again.err);
    assert!(again.err.contains("cannot be written"), "{}", again.err);
}

#[test]
fn a_guest_is_exported_for_libvirt_and_for_qemu() {
    let user = User::new();
    let spec = user.spec("box.toml");
    std::fs::create_dir_all(spec.parent().expect("a parent")).expect("made");
    let text = "memory = \"4G\"\ncpus = 2\nfirmware = \"seabios\"\naccel = \"tcg\"\n[[disks]]\npath = \"/srv/a <b>.img\"\n\
                format = \"raw\"\n";
    std::fs::write(&spec, text).expect("written");
    let libvirt = user.says(&["guest", "export", "box", "--format", "libvirt"]);
    assert_eq!(libvirt.code, 0, "{}", libvirt.err);
    assert!(libvirt.out.contains("<source file='/srv/a &lt;b&gt;.img'/>"), "{}", libvirt.out);
    let qemu = user.says(&["guest", "export", "box", "--format", "qemu"]);
    assert!(
        qemu.out.starts_with("#!/bin/sh\n") && qemu.out.contains("filename=/srv/a <b>.img'"),
        "{}",
        qemu.out
    );
    let missing = user.says(&["guest", "export", "none", "--format", "qemu"]);
    assert_eq!(missing.code, 1, "{}", missing.err);
}

#[test]
fn what_is_no_guest_is_refused_with_its_place() {
    let user = User::new();
    let cases = [
        ("a.txt", "hello\n"),
        ("b.xml", "<domain type='kvm'><name>a/b</name><memory>1048576</memory></domain>"),
        ("c.sh", "qemu-system-x86_64 -S -m lots\n"),
    ];
    let said = cases.map(|(name, text)| {
        let file = user.file(name, text);
        let answer = user.says(&["guest", "import", &file]);
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{}", answer.err);
        answer.err.replace(user.home.path().to_str().expect("UTF-8"), "…")
    });
    insta::assert_snapshot!(said.concat());
    assert_eq!(user.says(&["guest", "import", "/no/such/file"]).code, 2);
}
