//! How hosts are reached that show nothing on a screen.

use passthru_host::gather;
use passthru_model::ways_in::WaysIn;

use crate::boots::host_of;

/// The ways into a host with these files.
fn ways(files: &[(&str, &str)]) -> WaysIn {
    let facts = gather(&host_of(files.iter().copied()));
    facts.ways_in.value().unwrap_or_else(|| panic!("{:?}", facts.ways_in)).clone()
}

#[test]
fn a_server_for_ssh_counts_where_it_is_started_at_boot() {
    for link in [
        "etc/systemd/system/multi-user.target.wants/ssh.service",
        "etc/systemd/system/multi-user.target.wants/sshd.service",
        "etc/systemd/system/sockets.target.wants/ssh.socket",
        "etc/runlevels/default/sshd",
        "var/service/dropbear",
    ] {
        assert_eq!(ways(&[(link, "")]), WaysIn { ssh: Some(format!("/{link}")), serial: None });
    }
    let others = [
        ("usr/lib/systemd/system/ssh.service", ""),
        ("etc/systemd/system/multi-user.target.wants/sshguard.service", ""),
        ("etc/ssh/sshd_config", ""),
    ];
    assert_eq!(ways(&others), WaysIn::default(), "it is installed and not started");
}

#[test]
fn a_serial_line_counts_where_somebody_can_log_in_there() {
    let line = |text: &str| ways(&[("proc/cmdline", text)]).serial;
    assert_eq!(
        line("root=/dev/sda1 console=tty0 console=ttyS0,115200n8\n").as_deref(),
        Some("console=ttyS0,115200n8")
    );
    assert_eq!(line("console=tty0 quiet -- console=ttyS0\n"), None);
    let unit = "etc/systemd/system/getty.target.wants/serial-getty@ttyS1.service";
    let others = "etc/systemd/system/getty.target.wants/getty@tty1.service";
    assert_eq!(ways(&[(others, ""), (unit, "")]).serial, Some(format!("/{unit}")));
}
