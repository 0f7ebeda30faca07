//! A command line of QEMU as a domain, so that the rules about guests can judge it, with the option that each place is.

use std::collections::BTreeMap;

use passthru_model::virtualisation::{
    Domain, DomainDisk, DomainEdit, DomainFirmware, DomainPci, DomainTopology, Place,
};

use super::edit::CommandEdit;
use super::wiring::{Buses, Files};
use super::{Properties, QemuCommand, QemuOption, size};

/// A command line that is read as a domain.
#[derive(Clone, Debug)]
pub struct CommandDomain {
    /// The guest.
    pub domain: Domain,
    /// Which option of the command line stands at each place, by its number from 0.
    places: BTreeMap<Place, usize>,
    /// The lines of places that are no options.
    lines: BTreeMap<Place, usize>,
    /// Whether QEMU shows what it is told to and no window of its own.
    has_display: bool,
    /// The option `-vga`, where there is one.
    vga: Option<usize>,
    /// Whether a card that is taken out leaves none, and not the one that QEMU adds by itself.
    has_no_default_card: bool,
}

impl CommandDomain {
    /// Reads a command line. `path` is its file, `name` what the guest is called where it has no name.
    pub fn of(path: &str, name: &str, command: &QemuCommand) -> Self {
        let domain = Domain {
            path: path.to_owned(),
            name: name.to_owned(),
            kind: "qemu".to_owned(),
            machine: Some("pc".to_owned()),
            memory: Some(128 << 20),
            vcpus: Some(1),
            cpu_mode: Some("qemu64".to_owned()),
            // A command line has a balloon only where it says so.
            balloon: Some("none".to_owned()),
            emulator: Some(command.program.clone()),
            ..Domain::default()
        };
        let names = |wanted: &str| command.options.iter().any(|option| option.name == wanted);
        let mut read = Self {
            domain,
            places: BTreeMap::new(),
            lines: BTreeMap::new(),
            has_display: names("display") || names("nographic"),
            vga: command.options.iter().position(|option| option.name == "vga"),
            has_no_default_card: names("nodefaults"),
        };
        for (number, variable) in command.environment.iter().enumerate() {
            let place = Place::new(numbered("commandline/env", number + 1));
            read.lines.insert(place.clone(), variable.line);
            read.domain.qemu_environment.insert(variable.name.clone(), (variable.value.clone(), place));
        }
        let buses = Buses::of(command);
        let files = Files::of(command);
        for (number, option) in command.options.iter().enumerate() {
            read.option(number, option, &buses, &files);
        }
        if read.domain.video.is_empty() && !read.has_no_default_card && !names("vga") {
            read.domain.video.push("std, which QEMU adds by itself".to_owned());
        }
        read
    }

    /// The line of a place, where it is known.
    pub fn line_at(&self, place: &Place, command: &QemuCommand) -> Option<usize> {
        let of_option = || Some(command.options.get(self.option_at(place)?)?.line);
        self.lines.get(place).copied().or_else(of_option)
    }

    /// The option at a place, or at what holds it.
    pub fn option_at(&self, place: &Place) -> Option<usize> {
        let mut steps: Vec<String> = place
            .steps()
            .map(|(name, number)| if number == 1 { name.to_owned() } else { format!("{name}[{number}]") })
            .collect();
        while !steps.is_empty() {
            if let Some(number) = self.places.get(&Place::new(steps.join("/"))) {
                return Some(*number);
            }
            steps.pop();
        }
        None
    }

    /// What a change of the domain is on the command line; `None` where it is not known to be the same there.
    pub fn edits(&self, edit: &DomainEdit) -> Option<Vec<CommandEdit>> {
        match edit {
            DomainEdit::Remove(place) => {
                let option = self.option_at(place)?;
                let steps: Vec<&str> = place.steps().map(|(name, _)| name).collect();
                Some(vec![match steps.as_slice() {
                    ["devices", "memballoon"] => CommandEdit::Remove(option),
                    ["devices", "video"] if self.vga == Some(option) => {
                        CommandEdit::Value(option, "none".to_owned())
                    }
                    ["devices", "video"] if self.has_no_default_card => CommandEdit::Remove(option),
                    ["devices", "graphics"] if self.has_display => CommandEdit::Remove(option),
                    ["features", "kvm", "hidden"] => CommandEdit::unset(option, &["kvm"]),
                    ["features", "hyperv", "vendor_id"] => {
                        CommandEdit::unset(option, &["hv_vendor_id", "hv-vendor-id"])
                    }
                    ["devices", "hostdev", "rom"] => CommandEdit::unset(option, &["romfile"]),
                    _ => return None,
                }])
            }
            DomainEdit::Set { element, attribute, value } => {
                let steps: Vec<&str> = element.steps().map(|(name, _)| name).collect();
                let option = self.option_at(element)?;
                match (steps.as_slice(), *attribute) {
                    (["cpu", "topology"], name) => Some(vec![CommandEdit::set(option, name, value)]),
                    _ => None,
                }
            }
            DomainEdit::Add { parent, element } => {
                let steps: Vec<&str> = parent.steps().map(|(name, _)| name).collect();
                let is = |wanted: &str| element.attributes.iter().any(|(_, value)| value == wanted);
                match (steps.as_slice(), element.name.as_str()) {
                    // Without a word there is neither.
                    (["devices"], "memballoon" | "video") => Some(Vec::new()),
                    (["features", "hyperv"], feature) => Some(vec![CommandEdit::set(
                        self.option_at(&Place::new("cpu"))?,
                        &format!("hv_{feature}"),
                        "on",
                    )]),
                    (["clock"], "timer") if is("hypervclock") => {
                        Some(vec![CommandEdit::set(self.option_at(&Place::new("cpu"))?, "hv_time", "on")])
                    }
                    (["cpu"], "feature") if is("topoext") => {
                        Some(vec![CommandEdit::set(self.option_at(&Place::new("cpu"))?, "topoext", "on")])
                    }
                    _ => None,
                }
            }
        }
    }

    /// Notes that an option stands at a place.
    fn at(&mut self, place: &str, number: usize) -> Place {
        let place = Place::new(place);
        self.places.entry(place.clone()).or_insert(number);
        place
    }

    fn option(&mut self, number: usize, option: &QemuOption, buses: &Buses, files: &Files) {
        let known = option.known().unwrap_or_default();
        match option.name.as_str() {
            "name" => {
                if let Some(name) = option.properties("guest").get("guest") {
                    name.clone_into(&mut self.domain.name);
                }
            }
            "enable-kvm" => "kvm".clone_into(&mut self.domain.kind),
            "accel" | "machine" | "M" => self.machine(number, option),
            "cpu" => self.processor(number, option),
            "smp" => self.topology(number, option),
            "m" => {
                self.at("memory", number);
                self.domain.memory =
                    option.properties("size").get("size").and_then(|text| size(text, 1 << 20));
            }
            "mem-path" => self.backing(number, known, None),
            "object" => self.object(number, option),
            "drive" | "cdrom" | "hda" | "hdb" | "hdc" | "hdd" => self.drive(number, option),
            "bios" => {
                self.at("os/loader", number);
                self.domain.firmware = DomainFirmware::File {
                    code: known.to_owned(),
                    kind: "rom".to_owned(),
                    vars: None,
                    template: None,
                };
            }
            "vga" if known != "none" => self.video(number, known),
            "spice" => self.graphics(number, "spice"),
            "vnc" => self.graphics(number, "vnc"),
            "soundhw" => {
                let place = self.at(&numbered("commandline/arg", number + 1), number);
                self.domain.qemu_arguments.push(("-soundhw".to_owned(), place));
            }
            "device" => self.device(number, &option.properties("driver"), buses, files),
            _ => {}
        }
    }

    fn machine(&mut self, number: usize, option: &QemuOption) {
        self.at("os/type", number);
        let said = option.properties(if option.name == "accel" { "accel" } else { "type" });
        if let Some(kind) = said.get("type") {
            self.domain.machine = Some(kind.to_owned());
        }
        if said.get("accel").is_some_and(|accel| accel.split(':').next() == Some("kvm")) {
            "kvm".clone_into(&mut self.domain.kind);
        }
        if said.get("pflash0").is_some() {
            self.at("os/loader", number);
            self.domain.firmware = DomainFirmware::Automatic;
        }
    }

    fn processor(&mut self, number: usize, option: &QemuOption) {
        for place in ["cpu", "features/hyperv", "features/kvm/hidden", "clock"] {
            self.at(place, number);
        }
        for (name, value) in option.properties("model").iter() {
            let is_on = !matches!(value, "off" | "no" | "false");
            let name = name.trim_start_matches('+');
            match (name, value) {
                ("model", model) => {
                    self.domain.cpu_mode = Some(
                        match model {
                            "host" => "host-passthrough",
                            "max" => "maximum",
                            other => other,
                        }
                        .to_owned(),
                    );
                }
                ("kvm", _) => self.domain.kvm_hidden = !is_on,
                ("topoext", _) if is_on => {
                    self.domain.cpu_features.insert("topoext".to_owned(), "require".to_owned());
                }
                ("hv_passthrough" | "hv-passthrough", _) => self.domain.hyperv_by_mode = is_on,
                ("hv_vendor_id" | "hv-vendor-id", id) => self.domain.vendor_id = Some(id.to_owned()),
                ("hv_time" | "hv-time", _) => {
                    let place = Place::new("clock/timer");
                    self.domain.timers.insert("hypervclock".to_owned(), (Some(is_on), place));
                }
                _ => {
                    if let Some(feature) = name.strip_prefix("hv_").or_else(|| name.strip_prefix("hv-")) {
                        self.domain.hyperv.insert(feature.replace('-', "_"), is_on);
                    }
                }
            }
        }
    }

    /// The topology as QEMU completes it: cores take what is left (`machine_parse_smp_config`, since 6.2).
    fn topology(&mut self, number: usize, option: &QemuOption) {
        self.at("vcpu", number);
        let said = option.properties("cpus");
        let part = |name: &str| said.get(name).and_then(|text| text.parse::<usize>().ok());
        let cpus = part("cpus");
        let most = part("maxcpus").or(cpus);
        let names = ["sockets", "dies", "clusters", "cores", "threads"];
        let product = names.iter().filter_map(|name| part(name)).fold(1_usize, usize::saturating_mul);
        self.domain.vcpus = most.or(Some(product));
        self.domain.vcpus_now = cpus.filter(|cpus| Some(*cpus) != most);
        if names.iter().all(|name| part(name).is_none()) {
            return;
        }
        self.at("cpu/topology", number);
        let left = most.map_or(1, |most| (most / product.max(1)).max(1));
        let (cores, sockets) = match (part("cores"), part("sockets")) {
            (None, sockets) => (left, sockets.unwrap_or(1)),
            (Some(cores), None) => (cores, left),
            (Some(cores), Some(sockets)) => (cores, sockets),
        };
        let one = |name| part(name).unwrap_or(1);
        self.domain.topology = Some(DomainTopology {
            sockets,
            dies: one("dies"),
            clusters: one("clusters"),
            cores,
            threads: one("threads"),
        });
    }

    /// Memory by files: hugepages, where they are a hugetlbfs.
    fn backing(&mut self, number: usize, path: &str, page: Option<u64>) {
        if path.contains("hugepages") || page.is_some() {
            self.at("memoryBacking/hugepages", number);
            self.domain.hugepages = Some(page.into_iter().collect());
        }
    }

    fn object(&mut self, number: usize, option: &QemuOption) {
        let said = option.properties("qom-type");
        let path = said.get("mem-path").unwrap_or_default();
        match said.get("qom-type") {
            Some("memory-backend-file") if path.contains("looking") || path.contains("kvmfr") => {
                self.at("devices/shmem", number);
                let bytes = said.get("size").and_then(|text| size(text, 1));
                self.domain.shared_memory.insert(path.to_owned(), bytes);
            }
            Some("memory-backend-file") => self.backing(number, path, None),
            Some("memory-backend-memfd") if said.is_on("hugetlb") => {
                self.backing(number, "hugepages", said.get("hugetlbsize").and_then(|text| size(text, 1)));
            }
            Some("input-linux") => {
                if let Some(file) = said.get("evdev") {
                    let place = self.at(&numbered("devices/input", self.domain.evdev.len() + 1), number);
                    self.domain.evdev.push((file.to_owned(), place));
                }
            }
            _ => {}
        }
    }

    /// A drive with its image. Flash chips are firmware: the first its code, the second its variables.
    fn drive(&mut self, number: usize, option: &QemuOption) {
        let said = option.properties("file");
        let Some(path) = said.get("file") else { return };
        if said.get("if") == Some("pflash") {
            match &mut self.domain.firmware {
                DomainFirmware::File { kind, vars, .. } if kind == "pflash" => *vars = Some(path.to_owned()),
                firmware => {
                    let code = path.to_owned();
                    *firmware =
                        DomainFirmware::File { code, kind: "pflash".to_owned(), vars: None, template: None };
                    self.at("os/loader", number);
                }
            }
            return;
        }
        let is_cdrom = option.name == "cdrom" || said.get("media") == Some("cdrom");
        let place = self.at(&numbered("devices/disk", self.domain.disks.len() + 1), number);
        self.domain.disks.push(DomainDisk { path: path.to_owned(), is_cdrom, place });
    }

    fn video(&mut self, number: usize, model: &str) {
        self.at(&numbered("devices/video", self.domain.video.len() + 1), number);
        self.domain.video.push(model.to_owned());
    }

    fn graphics(&mut self, number: usize, kind: &str) {
        self.at(&numbered("devices/graphics", self.domain.graphics.len() + 1), number);
        self.domain.graphics.push(kind.to_owned());
    }

    fn device(&mut self, number: usize, said: &Properties, buses: &Buses, files: &Files) {
        match said.get("driver").unwrap_or_default() {
            "vfio-pci" => self.passed(number, said, buses),
            driver if driver.starts_with("virtio-balloon") => {
                self.at("devices/memballoon", number);
                self.domain.balloon = Some("virtio".to_owned());
            }
            driver @ ("VGA" | "qxl-vga" | "qxl" | "virtio-vga" | "virtio-vga-gl" | "cirrus-vga"
            | "bochs-display") => {
                self.video(number, driver);
            }
            driver @ ("ich9-intel-hda" | "intel-hda" | "AC97" | "ES1370") => {
                self.domain.sound.push(driver.to_owned());
            }
            driver @ ("ide-hd" | "ide-cd" | "scsi-hd" | "scsi-cd" | "virtio-blk-pci") => {
                // What `-drive` names is known from there.
                if let Some(path) = said.get("drive").and_then(|node| files.get(node)) {
                    let place = self.at(&numbered("devices/disk", self.domain.disks.len() + 1), number);
                    self.domain.disks.push(DomainDisk {
                        path: path.clone(),
                        is_cdrom: driver.ends_with("-cd"),
                        place,
                    });
                }
            }
            _ => {}
        }
    }

    /// A function of the host.
    fn passed(&mut self, number: usize, said: &Properties, buses: &Buses) {
        let from_path = said.get("sysfsdev").and_then(|path| path.rsplit('/').next());
        let Some(address) = said.get("host").or(from_path).and_then(|text| text.parse().ok()) else { return };
        let count = self.domain.pci.len() + 1;
        let place = self.at(&numbered("devices/hostdev", count), number);
        self.domain.pci.push(DomainPci {
            address,
            managed: false,
            rom_file: said.get("romfile").filter(|file| !file.is_empty()).map(str::to_owned),
            guest: buses.place(said, count),
            iommufd: said.get("iommufd").is_some(),
            place,
        });
    }
}

/// A place among its like, as XPath has it.
fn numbered(path: &str, number: usize) -> String {
    if number == 1 { path.to_owned() } else { format!("{path}[{number}]") }
}
