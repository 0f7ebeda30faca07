use super::{DomainError, parse, shared_memory_of_arguments};
use passthru_model::virtualisation::{DomainFirmware, GuestFunction, Place};
use proptest::prelude::*;

const WHOLE: &str = r#"<!-- made by libvirt -->
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>win10</name>
  <metadata><l:libosinfo xmlns:l="http://libosinfo.org/xmlns/libvirt/domain/1.0"><l:os id="http://microsoft.com/win/10"/></l:libosinfo></metadata>
  <memory unit='GiB'>16</memory>
  <memoryBacking><hugepages><page size='1' unit='G'/></hugepages></memoryBacking>
  <vcpu placement='static'>8</vcpu>
  <cputune><vcpupin vcpu='0' cpuset='2'/><vcpupin vcpu='1' cpuset='8-9'/><emulatorpin cpuset='0,6'/></cputune>
  <os><type arch='x86_64' machine='pc-q35-4.2'>hvm</type>
    <loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader><nvram>/n.fd</nvram></os>
  <features><hyperv><relaxed state='off'/><vendor_id state='on' value='x'/></hyperv><kvm><hidden state='on'/></kvm></features>
  <cpu mode='host-passthrough'><topology sockets='1' cores='4' threads='2'/><feature policy='require' name='topoext'/></cpu>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='cdrom'><source file='/a.iso'/></disk>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source><address domain='0x0000' bus='0x0a' slot='0x00' function='0x1'/></source><rom file='/r.rom'/>
      <address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x1'/></hostdev>
    <hostdev mode='subsystem' type='usb'><source><vendor id='0x1a2c'/><product id='0x2c27'/></source></hostdev>
    <shmem name='looking-glass'><size unit='M'>64</size></shmem>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
    <input type='evdev'><source dev='/dev/input/by-id/k-event-kbd'/></input>
    <video><model type='qxl'/></video>
  </devices>
  <qemu:commandline><qemu:arg value='-x'/><qemu:env name='QEMU_AUDIO_DRV' value='pa'/></qemu:commandline>
</domain>"#;

#[test]
fn a_whole_domain_is_read() {
    let domain = parse("f", WHOLE.as_bytes()).expect("a domain");
    assert_eq!((domain.name.as_str(), domain.kind.as_str()), ("win10", "kvm"));
    assert_eq!((domain.memory, domain.vcpus), (Some(16 << 30), Some(8)));
    assert_eq!(domain.hugepages.iter().flatten().copied().collect::<Vec<_>>(), [1 << 30]);
    assert!(domain.is_windows() && domain.is_hyperv_off() && domain.kvm_hidden);
    assert_eq!(domain.topology.map(passthru_model::virtualisation::DomainTopology::product), Some(8));
    assert!(matches!(&domain.firmware, DomainFirmware::File { kind, .. } if kind == "pflash"));
    let [function] = domain.pci.as_slice() else { panic!("{:?}", domain.pci) };
    assert_eq!((function.address.to_string().as_str(), function.managed), ("0000:0a:00.1", true));
    assert_eq!(
        (function.rom_file.as_deref(), function.guest),
        (Some("/r.rom"), Some(GuestFunction { bus: 6, slot: 0, function: 1, multifunction: None }))
    );
    assert_eq!(domain.usb, ["1a2c:2c27"]);
    assert_eq!(domain.shared_memory.get("looking-glass"), Some(&Some(64 << 20)));
    assert_eq!(domain.vcpu_pins.get(&1), Some(&("8-9".to_owned(), Place::new("cputune/vcpupin[2]"))));
    assert_eq!(domain.qemu_environment.get("QEMU_AUDIO_DRV").map(|(value, _)| value.as_str()), Some("pa"));
    assert_eq!(
        domain.disks.iter().map(|disk| (disk.path.as_str(), disk.is_cdrom)).collect::<Vec<_>>(),
        [("/a.iso", true)]
    );
    assert_eq!(domain.evdev.len() + domain.tpm.len() + domain.video.len() + domain.qemu_arguments.len(), 4);
}

#[test]
fn what_is_no_domain_is_said_with_its_place() {
    let error = |text: &str| parse("/f.xml", text.as_bytes()).expect_err("no domain").to_string();
    assert_eq!(error("<network/>"), "/f.xml: its root is <network>, not <domain>");
    assert!(error("<domain>").starts_with("/f.xml: "));
    assert!(matches!(parse("f", b"\xff"), Err(DomainError::Xml { .. })));
    // Neither nesting without end nor entities that grow cost more than a word.
    assert!(error(&"<domain>".repeat(100_000)).contains("nested"));
    assert!(error("<!DOCTYPE a [<!ENTITY b \"b\">]><domain/>").starts_with("/f.xml: "));
}

#[test]
fn passwords_and_serial_numbers_are_taken_out_and_nothing_else() {
    let text = "<domain>\n<graphics type='vnc' passwd='s3cret' port='1'/>\n<disk><serial>WD-123</serial></disk>\n\
        <entry name='serial'>XYZ</entry>\n</domain>";
    let clean = String::from_utf8(super::without_secrets(text.as_bytes())).expect("UTF-8");
    assert_eq!(
        clean,
        "<domain>\n<graphics type='vnc' passwd='' port='1'/>\n<disk><serial></serial></disk>\n\
        <entry name='serial'></entry>\n</domain>"
    );
    assert_eq!(super::without_secrets(clean.as_bytes()), clean.as_bytes());
    assert_eq!(super::without_secrets(WHOLE.as_bytes()), WHOLE.as_bytes());
}

#[test]
fn buffers_in_arguments_are_found_in_either_syntax() {
    let arguments = [
        "{'qom-type':'memory-backend-file','id':'looking-glass','mem-path':'/dev/kvmfr0','size':67108864,'share':true}",
        "memory-backend-file,id=x,share=on,mem-path=/dev/shm/looking-glass,size=32M",
        "-device",
    ];
    let found = shared_memory_of_arguments(arguments.into_iter());
    assert_eq!(found.get("/dev/kvmfr0"), Some(&Some(64 << 20)));
    assert_eq!(found.get("/dev/shm/looking-glass"), Some(&Some(32 << 20)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, at in any::<proptest::sample::Index>(), byte: u8) {
        let _ = parse("f", &bytes);
        let mut spoilt = WHOLE.as_bytes().to_vec();
        let at = at.index(spoilt.len());
        spoilt[at] = byte;
        let _ = parse("f", &spoilt);
        spoilt.truncate(at);
        prop_assert!(parse("f", &spoilt).is_err());
    }
}

#[test]
fn the_memory_of_numa_cells_is_their_sum_where_each_says() {
    let of = |cells: &str| {
        let text = format!("<domain type='kvm'><cpu><numa>{cells}</numa></cpu></domain>");
        super::memory_of_cells(&super::tree("a.xml", text.as_bytes()).expect("a domain"))
    };
    assert_eq!(of("<cell id='0' memory='1048576'/><cell memory='1' unit='GiB'/>"), Some(2 << 30));
    assert_eq!(of("<cell id='0' memory='1048576'/><cell id='1'/>"), None);
    assert_eq!(of("<cell memory='18446744073709551615' unit='GiB'/>"), None);
    assert_eq!(of(""), None);
}
