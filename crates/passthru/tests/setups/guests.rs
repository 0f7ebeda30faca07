//! Guests of libvirt, and what they need of the host: each check on what is right and on what is wrong.

use std::os::unix::fs::PermissionsExt as _;

use passthru_model::Verdict;

use crate::Made;

/// A domain around these elements, by section.
#[derive(Clone, Copy)]
struct Parts<'a> {
    name: &'a str,
    os: &'a str,
    cpu: &'a str,
    features: &'a str,
    devices: &'a str,
    more: &'a str,
}

const CARD: &str = "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source></hostdev>\n\
    <hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x01' slot='0x00' function='0x1'/></source></hostdev>\n";

const GOOD: Parts<'static> = Parts {
    name: "win11",
    os: "<os firmware='efi'><type arch='x86_64' machine='pc-q35-9.2'>hvm</type></os>",
    cpu: "<cpu mode='host-passthrough'><topology sockets='1' dies='1' cores='2' threads='2'/></cpu>",
    features: "<features><acpi/><hyperv mode='custom'><relaxed state='on'/></hyperv></features>",
    devices: CARD,
    more: "",
};

fn xml(parts: Parts<'_>) -> String {
    format!(
        "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n<name>{}</name>\n<memory unit='GiB'>4</memory>\n<vcpu>4</vcpu>\n{}\n{}\n{}\n<devices>\n<video><model type='none'/></video>\n{}</devices>\n{}\n</domain>\n",
        parts.name, parts.os, parts.features, parts.cpu, parts.devices, parts.more
    )
}

fn libvirt() -> Made {
    Made::new().file("/usr/sbin/libvirtd", "#!").file("/etc/libvirt/qemu.conf", "# nothing\n").link(
        "/etc/systemd/system/sockets.target.wants/libvirtd.socket",
        "/usr/lib/systemd/system/libvirtd.socket",
    )
}

fn with(parts: Parts<'_>) -> Made {
    libvirt().file(&format!("/etc/libvirt/qemu/{}.xml", parts.name), xml(parts))
}

#[test]
fn a_guest_as_it_should_be_passes_every_check() {
    let made = with(Parts {
        devices: &format!("{CARD}<interface type='network'><source network='default'/></interface><sound model='ich9'/><audio id='1' type='spice'/>\
            <disk device='cdrom'><source file='/var/lib/libvirt/images/w.iso'/></disk><input type='evdev'><source dev='/dev/input/by-id/k-event-kbd'/></input>\
            <shmem name='looking-glass'><size unit='M'>64</size></shmem><memballoon model='none'/>"),
        more: "<cputune><vcpupin vcpu='0' cpuset='1'/></cputune>",
        ..GOOD
    })
    .file("/var/lib/libvirt/images/w.iso", "x")
    .file("/etc/libvirt/qemu/networks/default.xml", "<network/>")
    .link("/etc/libvirt/qemu/networks/autostart/default.xml", "../default.xml")
    .on_vfio();
    for id in [
        "libvirt-daemon",
        "libvirt-nvram",
        "libvirt-device-acl",
        "guest-firmware",
        "guest-processor",
        "guest-media",
        "guest-devices",
        "guest-cores",
        "guest-network",
        "guest-audio",
        "looking-glass",
        "guest-picture",
        "hypervisor-hiding",
        "evdev-input",
        "guest-card-nodes",
        "guest-helpers",
        "guest-xml",
        "guest-slots",
        "guest-balloon",
        "guest-enlightenments",
    ] {
        let one = made.check(id);
        assert_eq!(one.verdict, Verdict::Pass, "{id}: {}", one.summary);
    }
}

#[test]
fn libvirt_itself_is_judged() {
    let conf = |text: &str| libvirt().file("/etc/libvirt/qemu.conf", text);
    let both = libvirt().file("/usr/sbin/virtqemud", "#!").link(
        "/etc/systemd/system/sockets.target.wants/virtqemud.socket",
        "/usr/lib/systemd/system/virtqemud.socket",
    );
    insta::assert_snapshot!(
        [
            both.say("libvirt-daemon"),
            Made::new().file("/usr/sbin/libvirtd", "#!").say("libvirt-daemon"),
            Made::new().file("/etc/libvirt/qemu.conf", "").say("libvirt-daemon"),
            Made::new().say("libvirt-daemon"),
            conf("nvram = [ \"/usr/share/ovmf/ovmf_code_x64.bin:/usr/share/ovmf/ovmf_vars_x64.bin\" ]\n")
                .say("libvirt-nvram"),
            conf("cgroup_device_acl = [\n \"/dev/null\", \"/dev/kvm\",\n \"/dev/input/event3\"\n]\n")
                .say("libvirt-device-acl"),
            conf("user = \"somebody\"\ngroup = \"kvm\"\n").say("user-permissions"),
        ]
        .concat()
    );
}

#[test]
fn firmware_processor_and_cores_are_judged() {
    let loader = |text: &'static str| with(Parts { os: text, ..GOOD });
    insta::assert_snapshot!(
        [
            loader("<os><type machine='pc-q35-9.2'>hvm</type></os>").say("guest-firmware"),
            loader("<os><type machine='pc'>hvm</type><loader type='rom'>/usr/share/ovmf/ovmf_code_x64.bin</loader><nvram>/n</nvram></os>").say("guest-firmware"),
            loader("<os><type machine='q35'>hvm</type><loader type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader></os>").say("guest-firmware"),
            with(Parts { cpu: "<cpu mode='custom'><model>qemu64</model></cpu>", ..GOOD }).say("guest-processor"),
            with(Parts { cpu: "<cpu mode='host-passthrough'><feature policy='require' name='topoext'/></cpu>", ..GOOD }).say("guest-processor"),
            with(Parts { cpu: "<cpu mode='host-passthrough'><topology sockets='4' cores='1' threads='1'/></cpu>", ..GOOD }).say("guest-cores"),
            with(Parts { cpu: "<cpu mode='host-passthrough'><topology sockets='1' cores='3' threads='1'/></cpu>", ..GOOD }).say("guest-cores"),
        ]
        .concat()
    );
}

#[test]
fn devices_that_are_not_there_not_whole_or_not_free_are_named() {
    let device = |bus: &str, slot: &str, managed: &str, more: &str| {
        format!(
            "<hostdev mode='subsystem' type='pci' managed='{managed}'><source><address domain='0' bus='{bus}' slot='{slot}' function='0'/></source>{more}</hostdev>"
        )
    };
    let given = |devices: &str| with(Parts { devices, ..GOOD }).say("guest-devices");
    insta::assert_snapshot!(
        [
            given(&device("0x07", "0x00", "yes", "")),
            given(&device("0x00", "0x01", "yes", "")),
            given(&device("0x01", "0x00", "yes", "")),
            given(&device("0x02", "0x00", "yes", "")),
            given(&format!(
                "{}{}",
                device("0x01", "0x00", "no", "<rom file='/usr/share/vgabios/x.rom'/>"),
                CARD
            )),
        ]
        .concat()
    );
}

#[test]
fn slots_balloons_enlightenments_and_comments_are_judged() {
    let card = |places: [&str; 2]| {
        places.iter().enumerate().fold(String::new(), |list, (function, place)| {
            format!(
                "{list}<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='1' slot='0' function='{function}'/></source><address type='pci' {place}/></hostdev>\n"
            )
        })
    };
    let slots = |places: [&str; 2]| with(Parts { devices: &card(places), ..GOOD }).say("guest-slots");
    let hyperv = |features: &str, more: &str| {
        let features = format!("<features>{features}</features>");
        with(Parts { features: &features, more, ..GOOD }).say("guest-enlightenments")
    };
    let all = "<hyperv><vpindex state='on'/><synic state='on'/><stimer state='on'/></hyperv>";
    let clock = "<clock offset='localtime'><timer name='hypervclock' present='yes'/></clock>";
    insta::assert_snapshot!(
        [
            slots(["bus='4' slot='0' function='0' multifunction='on'", "bus='4' slot='0' function='1'"]),
            slots(["bus='4' slot='0' function='0'", "bus='5' slot='0' function='0'"]),
            slots(["bus='4' slot='0' function='0'", "bus='4' slot='0' function='1'"]),
            slots(["bus='4' slot='0' function='0' multifunction='off'", "bus='4' slot='0' function='1'"]),
            slots(["bus='0' slot='9' function='0' multifunction='on'", "bus='0' slot='9' function='1'"]),
            with(Parts { devices: &format!("{CARD}<memballoon model='virtio'/>"), ..GOOD })
                .say("guest-balloon"),
            with(GOOD).say("guest-balloon"),
            hyperv(all, clock),
            hyperv(all, ""),
            hyperv(all, "<clock offset='localtime'><timer name='hypervclock'/></clock>"),
            hyperv("<hyperv><tlbflush state='on'/><evmcs state='on'/><vpindex state='off'/></hyperv>", clock),
            hyperv("<hyperv mode='passthrough'/>", ""),
            hyperv("<acpi/>", ""),
            with(Parts { more: "<!-- one\n -- two -->", ..GOOD }).say("guest-xml"),
        ]
        .concat()
    );
}

#[test]
fn iommufd_is_not_asked_of_a_qemu_that_does_not_know_it() {
    let devices = "<hostdev mode='subsystem' type='pci' managed='yes'><driver iommufd='yes'/><source><address bus='1' slot='0' function='0'/></source></hostdev>";
    let said = |version: &str| {
        let status = format!("Package: qemu-system-x86\nStatus: install ok installed\nVersion: {version}\n");
        with(Parts { devices, ..GOOD }).file("/var/lib/dpkg/status", status).check("guest-devices").summary
    };
    assert!(said("1:7.2+dfsg-7").contains("through iommufd, which QEMU 7.2 cannot: 9.0 brought it"));
    assert!(!said("1:10.0.2+ds-2").contains("iommufd"));
}

#[test]
fn a_rom_that_only_root_can_read_is_named_where_qemu_runs_as_a_system_user() {
    let rom = "<hostdev mode='subsystem' type='pci' managed='yes'><source><address bus='1' slot='0' function='0'/></source><rom file='/root/card.rom'/></hostdev>";
    let made = with(Parts { devices: rom, ..GOOD }).file("/root/card.rom", "U");
    let folder = made.place("/root");
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&folder).expect("a folder"));
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("sets");
    let one = made.check("guest-devices");
    let said = format!(
        "names the ROM file /root/card.rom, which the user of QEMU cannot read: /root may be entered by user {owner} alone (mode 0700)"
    );
    assert!(one.summary.contains(&said), "{}", one.summary);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711)).expect("sets");
    assert!(!made.check("guest-devices").summary.contains("card.rom"));
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("sets");
    let as_a_person = made.file("/etc/libvirt/qemu.conf", "user = \"somebody\"\n");
    assert!(!as_a_person.check("guest-devices").summary.contains("card.rom"));
}

#[test]
fn pins_threads_and_hugepages_are_judged_by_the_host_s_processors() {
    let tuned = |more: &str, threads: &str| {
        with(Parts {
            more,
            cpu: &format!(
                "<cpu mode='host-passthrough'><topology sockets='1' cores='4' threads='{threads}'/></cpu>"
            ),
            ..GOOD
        })
        .file("/sys/devices/system/cpu/online", "0-7\n")
        .file("/sys/devices/system/cpu/possible", "0-7\n")
        .file("/sys/devices/system/cpu/present", "0-7\n")
    };
    let cores = |made: Made| {
        (0..8).fold(made, |made, cpu| {
            let core = cpu % 4;
            let folder = format!("/sys/devices/system/cpu/cpu{cpu}/topology");
            made.file(&format!("{folder}/core_cpus_list"), format!("{core},{}\n", core + 4))
                .file(&format!("{folder}/core_id"), format!("{core}\n"))
                .file(&format!("{folder}/physical_package_id"), "0\n")
                .file(&format!("{folder}/package_cpus_list"), "0-7\n")
        })
    };
    let pins = |cpus: &[u32]| {
        let list = cpus.iter().enumerate().fold(String::new(), |list, (vcpu, cpu)| {
            format!("{list}<vcpupin vcpu='{vcpu}' cpuset='{cpu}'/>")
        });
        format!("<cputune>{list}</cputune>")
    };
    let say = |cpus: &[u32], threads: &str, id: &str| cores(tuned(&pins(cpus), threads)).say(id);
    // Cores 0 and 1 share one cache, 2 and 3 another.
    let caches = |cpus: &[u32]| {
        (0..8)
            .fold(cores(tuned(&pins(cpus), "2")), |made, cpu| {
                let shared = if cpu % 4 < 2 { "0-1,4-5" } else { "2-3,6-7" };
                let folder = format!("/sys/devices/system/cpu/cpu{cpu}/cache/index3");
                made.file(&format!("{folder}/level"), "3\n")
                    .file(&format!("{folder}/type"), "Unified\n")
                    .file(&format!("{folder}/id"), format!("{}\n", cpu % 4 / 2))
                    .file(&format!("{folder}/size"), "16384K\n")
                    .file(&format!("{folder}/shared_cpu_list"), format!("{shared}\n"))
            })
            .say("guest-caches")
    };
    insta::assert_snapshot!(
        [
            say(&[1, 5, 2, 6], "1", "guest-pinning"),
            say(&[1, 9, 2, 10], "1", "guest-pinning"),
            say(&[1, 5], "1", "guest-pinning"),
            cores(tuned("<cputune><vcpupin vcpu='0' cpuset='0-7'/><emulatorpin cpuset='0'/></cputune>", "1"))
                .say("guest-pinning"),
            say(&[1, 5, 2, 6], "1", "guest-threads"),
            say(&[1, 5, 2, 6], "2", "guest-threads"),
            say(&[1, 2, 5, 6], "2", "guest-threads"),
            caches(&[0, 4, 2, 6]),
            caches(&[0, 4, 1, 5]),
            cores(tuned("<vcpus><vcpu id='2' enabled='no'/></vcpus><cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='1' cpuset='5'/><vcpupin vcpu='3' cpuset='2'/></cputune>", "1"))
                .say("guest-pinning"),
            with(Parts { more: "<memoryBacking><hugepages/></memoryBacking>", ..GOOD })
                .file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "100\n")
                .file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "100\n")
                .say("guest-hugepages"),
            with(Parts { more: "<memoryBacking><hugepages/></memoryBacking>", ..GOOD })
                .file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "2048\n")
                .file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "2048\n")
                .say("guest-hugepages"),
            with(Parts {
                more: "<memoryBacking><hugepages><page size='1' unit='M'/></hugepages></memoryBacking>",
                ..GOOD
            })
            .say("guest-hugepages"),
        ]
        .concat()
    );
}

#[test]
fn sound_pictures_input_and_shared_memory_are_judged() {
    let devices = |devices: &str| with(Parts { devices: &format!("{CARD}{devices}"), ..GOOD });
    let more = |more: &'static str| with(Parts { more, ..GOOD });
    insta::assert_snapshot!(
        [
            more("<qemu:commandline><qemu:env name='QEMU_AUDIO_DRV' value='pa'/><qemu:env name='QEMU_PA_SERVER' value='/run/user/1000/pulse/native'/></qemu:commandline>").say("guest-audio"),
            devices("<sound model='ich9'/><audio id='1' type='pulseaudio'/>").say("guest-audio"),
            devices("<video><model type='qxl'/></video>").say("guest-picture"),
            devices("<input type='evdev'><source dev='/dev/input/event3'/></input>").say("evdev-input"),
            more("<qemu:commandline><qemu:arg value='-object'/><qemu:arg value='input-linux,id=k,evdev=/dev/input/event2'/></qemu:commandline>").say("evdev-input"),
            devices("<shmem name='looking-glass'><size unit='M'>48</size></shmem>").say("looking-glass"),
            more("<qemu:commandline><qemu:arg value=\"{'qom-type':'memory-backend-file','id':'looking-glass','mem-path':'/dev/kvmfr0','size':67108864}\"/></qemu:commandline>").say("looking-glass"),
            devices("<interface type='network'><source network='gone'/></interface>").file("/etc/libvirt/qemu/networks/default.xml", "").say("guest-network"),
            devices("<interface type='network'><source network='default'/></interface>").file("/etc/libvirt/qemu/networks/default.xml", "").say("guest-network"),
            devices("<disk device='cdrom'><source file='/var/w.iso'/></disk>").file("/var/x", "").say("guest-media"),
            with(Parts { features: "<features><hyperv><relaxed state='off'/><vendor_id state='on' value='whatever'/></hyperv><kvm><hidden state='on'/></kvm></features>", ..GOOD }).say("hypervisor-hiding"),
            devices("<tpm model='tpm-crb'><backend type='emulator'/></tpm><filesystem><driver type='virtiofs'/></filesystem>").say("guest-helpers"),
        ]
        .concat()
    );
}

#[test]
fn the_desktop_and_the_host_s_own_settings_are_judged() {
    let xorg = |bus: &str| {
        Made::new()
            .file("/etc/modprobe.d/vfio.conf", "options vfio-pci ids=10de:13c2,10de:0fbb\n")
            .file(
                "/etc/X11/xorg.conf.d/10-gpu.conf",
                format!("Section \"Device\"\n  Driver \"modesetting\"\n  BusID \"{bus}\"\nEndSection\n"),
            )
            .say("desktop-gpu")
    };
    let interrupts = |name: &str| {
        Made::new()
            .file("/proc/interrupts", format!("  16:  1  IO-APIC 16-fasteoi  {name}\n"))
            .say("guest-interrupts")
    };
    insta::assert_snapshot!(
        [
            xorg("PCI:0:2:0"),
            xorg("PCI:1:0:0"),
            xorg("PCI:0a:0:0"),
            xorg("PCI:9:0:0"),
            Made::new()
                .file(
                    "/etc/environment",
                    "KWIN_DRM_DEVICES=/dev/dri/by-path/pci-0000:00:02.0-card\nSECRET=x\n"
                )
                .say("desktop-gpu"),
            Made::new()
                .file("/etc/environment.d/g.conf", "WLR_DRM_DEVICES=/dev/dri/card0\n")
                .say("desktop-gpu"),
            Made::new().say("desktop-gpu"),
            interrupts("vfio-intx(0000:01:00.1)"),
            interrupts("vfio-msi[0](0000:01:00.0)"),
            Made::new()
                .file("/etc/modules-load.d/v.conf", "virtio\nvirtio-net\nvhost_net\n")
                .say("virtio-modules"),
            Made::new().file("/etc/modules-load.d/v.conf", "vhost_net\n").say("virtio-modules"),
            Made::new().file("/proc/cmdline", "intel_iommu=on,igfx_off\n").say("integrated-graphics"),
            Made::new().say("integrated-graphics"),
            Made::new()
                .file(
                    "/var/lib/dpkg/status",
                    "Package: qemu-system-x86\nStatus: install ok installed\nVersion: 1:3.1+dfsg-8\n"
                )
                .say("qemu-version"),
            Made::new()
                .file(
                    "/var/lib/dpkg/status",
                    "Package: qemu-system-x86\nStatus: install ok installed\nVersion: 1:10.0.2+ds-2\n"
                )
                .say("qemu-version"),
            Made::new()
                .file(
                    "/proc/self/limits",
                    "Max locked memory         8388608              8388608              bytes\n"
                )
                .say("locked-memory"),
            Made::new()
                .file(
                    "/proc/self/limits",
                    "Max locked memory         8388608              8388608              bytes\n"
                )
                .file(
                    "/etc/security/limits.d/vfio.conf",
                    "# for guests\n@kvm - memlock unlimited\nanna hard nofile 1\n"
                )
                .say("locked-memory"),
            Made::new()
                .file(
                    "/proc/self/limits",
                    "Max locked memory         8388608              8388608              bytes\n"
                )
                .file("/etc/systemd/system/user@.service.d/memlock.conf", "[Service]\nLimitMEMLOCK=8M:20G\n")
                .say("locked-memory"),
            Made::new()
                .file(
                    "/proc/self/limits",
                    "Max locked memory         unlimited            unlimited            bytes\n"
                )
                .say("locked-memory"),
        ]
        .concat()
    );
}
