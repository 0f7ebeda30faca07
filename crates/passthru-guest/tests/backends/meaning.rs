//! What a QEMU command line means, as a set of sentences: names of nodes, ids, the order of options and the two ways to
//! write them are gone, so that two lines that make the same machine have the same sentences.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::qemu_command::{self, Properties, QemuOption};

/// The sentences of a command line, as a shell takes it.
pub(crate) fn of(command: &str) -> BTreeSet<String> {
    let command = qemu_command::parse(command).expect("a command of QEMU");
    let mut meaning = Meaning::default();
    for option in &command.options {
        meaning.define(option);
    }
    for option in &command.options {
        meaning.say(option);
    }
    meaning.sentences
}

#[derive(Default)]
struct Meaning {
    blocks: BTreeMap<String, Properties>,
    chardevs: BTreeMap<String, String>,
    networks: BTreeMap<String, String>,
    tpms: BTreeMap<String, String>,
    sounds: BTreeMap<String, String>,
    objects: BTreeMap<String, Properties>,
    devices: BTreeMap<String, Properties>,
    sentences: BTreeSet<String>,
}

impl Meaning {
    /// What others refer to.
    fn define(&mut self, option: &QemuOption) {
        let said = |implied| option.properties(implied);
        let mut keep =
            |map: fn(&mut Self) -> &mut BTreeMap<String, Properties>, key: &str, said: Properties| {
                if let Some(id) = said.get(key).map(str::to_owned) {
                    map(self).insert(id, said);
                }
            };
        match option.name.as_str() {
            "netdev" => {
                let said = said("type");
                let kind = said.get("type").unwrap_or_default().to_owned();
                self.networks.insert(said.get("id").unwrap_or_default().to_owned(), kind);
            }
            "audiodev" => {
                let said = said("driver");
                let words = ["driver", "server"].map(|name| said.get(name).unwrap_or_default().to_owned());
                self.sounds.insert(
                    said.get("id").unwrap_or_default().to_owned(),
                    words.join(" ").trim_end().to_owned(),
                );
            }
            "tpmdev" => {
                let said = said("type");
                let kind = said.get("type").unwrap_or_default().to_owned();
                self.tpms.insert(said.get("id").unwrap_or_default().to_owned(), kind);
            }
            "blockdev" => keep(|all| &mut all.blocks, "node-name", said("driver")),
            "object" => keep(|all| &mut all.objects, "id", said("qom-type")),
            "device" => keep(|all| &mut all.devices, "id", said("driver")),
            "chardev" => {
                let said = said("backend");
                let id = said.get("id").unwrap_or_default().to_owned();
                self.chardevs.insert(id, said.get("backend").unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }

    fn tell(&mut self, sentence: impl Into<String>) {
        self.sentences.insert(sentence.into());
    }

    fn say(&mut self, option: &QemuOption) {
        match option.name.as_str() {
            "blockdev" | "chardev" | "netdev" | "tpmdev" | "audiodev" => {}
            "object" => self.object(&option.properties("qom-type")),
            "device" => self.device(&option.properties("driver")),
            "machine" => self.machine(&option.properties("type")),
            "accel" => self.tell(format!("machine accel={}", option.known().unwrap_or_default())),
            "cpu" => {
                for (name, value) in option.properties("model").iter() {
                    let value = number(value).unwrap_or_else(|| value.to_owned());
                    self.tell(format!("cpu {name}={value}"));
                }
            }
            "smp" => self.topology(&option.properties("cpus")),
            "m" => {
                let said = option.properties("size");
                let bytes = qemu_command::size(said.get("size").unwrap_or_default(), 1 << 20);
                self.tell(format!("memory of {} MiB", bytes.expect("a size") >> 20));
            }
            // A property of the processor's class is one of the processor.
            "global" if option.known().is_some_and(|said| said.starts_with("host-x86_64-cpu.")) => {
                let said = option.known().unwrap_or_default();
                self.tell(format!("cpu {}", said.trim_start_matches("host-x86_64-cpu.")));
            }
            "no-hpet" => self.tell("machine hpet=off"),
            "vnc" => {
                let said = option.properties("vnc");
                let on_socket = said.get("vnc").is_some_and(|place| place.starts_with("unix:"));
                self.tell(if on_socket { "display vnc on a socket" } else { "display vnc on a port" });
            }
            "mon" => {
                let said = option.properties("chardev");
                let to = said.get("chardev").and_then(|id| self.chardevs.get(id)).cloned();
                self.tell(format!(
                    "monitor {} on a {}",
                    said.get("mode").unwrap_or_default(),
                    to.unwrap_or_default()
                ));
            }
            _ => {
                let said = option.properties("is");
                if option.value.is_none() {
                    self.tell(format!("option {}", option.name));
                }
                for (name, value) in said.iter() {
                    // A switch may stand first, by its name alone.
                    let is_switch = option.name == "spice" && name == "is";
                    let (name, value) = if is_switch { (value, "on") } else { (name, value) };
                    self.tell(format!("option {} {name}={value}", option.name));
                }
            }
        }
    }

    /// The default backend of memory says nothing that `-m` does not.
    fn object(&mut self, said: &Properties) {
        let plain = ["qom-type", "id", "size"];
        let is_plain = said.get("qom-type") == Some("memory-backend-ram")
            && said.iter().all(|(name, _)| plain.contains(&name));
        if !is_plain {
            let kind = said.get("qom-type").unwrap_or_default();
            // Its place among libvirt's own names, and which thread of libvirt's fills it.
            let names =
                ["qom-type", "id", "file", "x-use-canonical-path-for-ramblock-id", "prealloc-context"];
            let kept = said.iter().filter(|(name, _)| !names.contains(name)).map(|(name, value)| {
                let name = name.trim_end_matches(".0");
                let bytes = name.contains("size").then(|| qemu_command::size(value, 1)).flatten();
                format!("{name}={}", bytes.map_or_else(|| value.to_owned(), |bytes| bytes.to_string()))
            });
            for property in kept {
                self.tell(format!("object {kind}: {property}"));
            }
        }
    }

    /// What memory that a device refers to is made of.
    fn memory(&self, id: &str) -> String {
        let Some(said) = self.objects.get(id) else { return format!("a missing object {id}") };
        let part = |name: &str| size_of(name, said.get(name).unwrap_or_default());
        ["qom-type", "mem-path", "size", "share"].map(part).join(" ")
    }

    fn machine(&mut self, said: &Properties) {
        for (name, value) in said.iter() {
            let sentence = match name {
                "type" if value.starts_with("pc-q35-") => "machine type=q35".to_owned(),
                "memory-backend" => {
                    let kind = self.objects.get(value).and_then(|object| object.get("qom-type"));
                    if kind == Some("memory-backend-ram") {
                        continue;
                    }
                    format!("machine memory by {}", kind.unwrap_or_default())
                }
                "pflash0" | "pflash1" => format!("firmware {name}: {}", self.image(value)),
                _ => format!("machine {}={value}", name.replace('_', "-")),
            };
            self.tell(sentence);
        }
    }

    fn topology(&mut self, said: &Properties) {
        for (name, default) in [
            ("cpus", ""),
            ("sockets", "1"),
            ("dies", "1"),
            ("clusters", "1"),
            ("cores", "1"),
            ("threads", "1"),
        ] {
            let value = said.get(name).unwrap_or(default);
            self.tell(format!("processors {name}={value}"));
        }
    }

    /// What a node of the block layer is made of.
    fn image(&self, node: &str) -> String {
        let Some(said) = self.blocks.get(node) else { return format!("a missing node {node}") };
        let inner = said.get("file").and_then(|name| self.blocks.get(name));
        let file = |name: &str| {
            let nested = said.get(&format!("file.{name}"));
            nested.or_else(|| inner.and_then(|inner| inner.get(name))).unwrap_or_default().to_owned()
        };
        let own = |name: &str| said.get(name).unwrap_or("off").to_owned();
        format!(
            "{} over {} {} read-only={} discard={}",
            own("driver"),
            file("driver"),
            file("filename"),
            own("read-only"),
            own("discard")
        )
    }

    /// Where a device is, by what it hangs on and not by names.
    fn place(&self, said: &Properties) -> String {
        let Some(bus) = said.get("bus") else { return String::new() };
        let address: Vec<String> = said
            .get("addr")
            .into_iter()
            .flat_map(|address| address.split('.'))
            .map(|part| number(part).unwrap_or_else(|| part.to_owned()))
            .collect();
        let own = match address.as_slice() {
            [] => String::new(),
            [slot] => format!("/{slot}.0"),
            [slot, function, ..] => format!("/{slot}.{function}"),
        };
        let parent = self.devices.get(bus.trim_end_matches(".0")).or_else(|| self.devices.get(bus));
        match parent {
            Some(parent) => format!("{}{own}", self.place(parent)),
            None => format!("{bus}{own}"),
        }
    }

    fn device(&mut self, said: &Properties) {
        let device = format!("device {} at {}", said.get("driver").unwrap_or_default(), self.place(said));
        self.tell(device.clone());
        for (name, value) in said.iter() {
            let value = match name {
                "driver" | "id" | "bus" | "addr" => continue,
                "drive" => self.image(value),
                "cad" if value == "0" => continue,
                "netdev" => self.networks.get(value).map_or("missing", String::as_str).to_owned(),
                "audiodev" => self.sounds.get(value).map_or("missing", String::as_str).to_owned(),
                "rng" => "by an object".to_owned(),
                "memdev" => self.memory(value),
                "tpmdev" => format!("by an {}", self.tpms.get(value).map_or("missing", String::as_str)),
                "chardev" => format!("a {}", self.chardevs.get(value).map_or("missing", String::as_str)),
                _ => number(value).unwrap_or_else(|| value.to_owned()),
            };
            self.tell(format!("{device}: {name}={value}"));
        }
    }
}

/// A size in bytes; any other value as it is.
fn size_of(name: &str, value: &str) -> String {
    let bytes = if name == "size" { qemu_command::size(value, 1) } else { None };
    bytes.map_or_else(|| value.to_owned(), |bytes| bytes.to_string())
}

/// A number in one form.
fn number(text: &str) -> Option<String> {
    let value = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?,
        None => text.parse().ok()?,
    };
    Some(value.to_string())
}
