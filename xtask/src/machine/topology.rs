//! From a machine's description to QEMU's arguments for its devices.

use std::fmt::Write;

use anyhow::{Result, bail};

use super::spec::{Device, Function, Iommu, MachineSpec, Slot};

/// The arguments that make the PCI devices, in an order that QEMU takes.
pub fn arguments(spec: &MachineSpec) -> Result<Vec<String>> {
    let mut args = Args::default();
    if spec.iommu == Iommu::Intel {
        let given = [("intremap", "on"), ("caching-mode", "on"), ("device-iotlb", "on")];
        args.device(&line(
            "intel-iommu",
            &spec.iommu_properties,
            &given.map(|(key, value)| (key, value.to_owned())),
        )?);
    }
    if let Some(vga) = &spec.boot_vga {
        args.device(&format!("{vga},bus=pcie.0,addr=0x1"));
    }
    for device in &spec.device {
        args.device(&line(&device.kind, &device.props, &[])?);
    }
    for (index, slot) in spec.slot.iter().enumerate() {
        args.slot(index, slot)?;
    }
    // AMD-Vi is a PCI function too and takes the first free slot: last, so that it is none of those asked for.
    if spec.iommu == Iommu::Amd {
        let given = [("intremap", "on"), ("device-iotlb", "on")];
        args.device(&line(
            "amd-iommu",
            &spec.iommu_properties,
            &given.map(|(key, value)| (key, value.to_owned())),
        )?);
    }
    Ok(args.list)
}

#[derive(Default)]
struct Args {
    list: Vec<String>,
    audio: bool,
}

impl Args {
    fn device(&mut self, line: &str) {
        self.list.extend(["-device".to_owned(), line.to_owned()]);
    }

    fn slot(&mut self, index: usize, slot: &Slot) -> Result<()> {
        let bus = match &slot.bus {
            Some(bus) if slot.port.is_empty() => bus.clone(),
            Some(_) => bail!("a slot has either a bus or a root port of its own, not both"),
            None => {
                let id = format!("port{index}");
                // From 00:02.0 on: ports in the order of the file, hence buses 01, 02, …
                let given = [
                    ("id", id.clone()),
                    ("bus", "pcie.0".to_owned()),
                    ("chassis", (index + 1).to_string()),
                    ("addr", format!("{:#x}", index + 2)),
                ];
                self.device(&line("pcie-root-port", &slot.port, &given)?);
                id
            }
        };
        let several = slot.functions.len() > 1;
        // Function 0 last: a bridge looks at a slot's other functions only when function 0 is there.
        for (number, function) in slot.functions.iter().enumerate() {
            let empty = toml::Table::new();
            let (kind, props) = match function {
                Function::Name(name) => (name, &empty),
                Function::Device(Device { kind, props }) => (kind, props),
            };
            let mut given = vec![("bus", bus.clone()), ("addr", format!("{:#x}.{number:#x}", slot.number))];
            if several && number == 0 {
                given.push(("multifunction", "on".to_owned()));
            }
            let id = format!("dev{index}f{number}");
            given.push(("id", id.clone()));
            self.device(&line(kind, props, &given)?);
            if kind.ends_with("intel-hda") {
                self.codec(&id);
            }
        }
        Ok(())
    }

    /// Without a codec snd_hda_intel gives the controller up again.
    fn codec(&mut self, id: &str) {
        if !self.audio {
            self.audio = true;
            self.list.extend(["-audiodev".to_owned(), "none,id=sound".to_owned()]);
        }
        self.device(&format!("hda-duplex,bus={id}.0,audiodev=sound"));
    }
}

/// `kind,key=value,…`: the file's properties win over `given` ones.
fn line(kind: &str, props: &toml::Table, given: &[(&str, String)]) -> Result<String> {
    let mut line = kind.to_owned();
    for (key, value) in given {
        if !props.contains_key(*key) {
            write!(line, ",{key}={value}")?;
        }
    }
    for (key, value) in props {
        let value = match value {
            toml::Value::String(text) => text.replace(',', ",,"),
            toml::Value::Boolean(true) => "on".to_owned(),
            toml::Value::Boolean(false) => "off".to_owned(),
            toml::Value::Integer(number) => number.to_string(),
            other => bail!("property {key} of {kind} is {}, which QEMU has no word for", other.type_str()),
        };
        write!(line, ",{key}={value}")?;
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_becomes_a_port_and_its_functions() {
        let spec: MachineSpec = toml::from_str(
            "description = 'x'\niommu = 'intel'\n[[slot]]\nfunctions = ['secondary-vga', 'ich9-intel-hda']\n\
             port = { disable-acs = true }\n",
        )
        .expect("valid");
        let args = arguments(&spec).expect("has words").join(" ");
        assert!(
            args.contains("pcie-root-port,id=port0,bus=pcie.0,chassis=1,addr=0x2,disable-acs=on"),
            "{args}"
        );
        assert!(args.contains("secondary-vga,bus=port0,addr=0x0.0x0,multifunction=on,id=dev0f0"), "{args}");
        assert!(args.contains("hda-duplex,bus=dev0f1.0,audiodev=sound"), "{args}");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let error = toml::from_str::<MachineSpec>("description = 'x'\niommu = 'intel'\nmemroy = '1G'\n")
            .expect_err("misspelt")
            .to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
