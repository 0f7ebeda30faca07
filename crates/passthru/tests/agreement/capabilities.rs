//! Every capability that is decoded here, beside what lspci decoded of the same bytes.

use passthru_formats::config_space::{self as space, Express, PortType, Seen, Trigger};

use crate::lspci::{Chunk, bits, blocks, chunks, dumps, flag, texts, word};
use crate::{Tally, common};

/// Where we differ on purpose: the text, the subject, and why. Each was looked at one by one.
const REVIEWED: &[(&str, &str, &str)] = &[
    (
        "amd-3550H-gtx1650-laptop.tar.gz 0000:05:00.6",
        "express: pending",
        "read twice by lspci, for its text and for its dump, while the sound card was at work",
    ),
    (
        "cap-flitmode 0000:01:00.0",
        "extended list",
        "its text was shortened by hand: the dump has a capability more",
    ),
    (
        "cap-vc-and-rcl 0000:00:1b.0",
        "link: there",
        "an old lspci, which shows registers of a link that a part of the root complex does not have",
    ),
];

#[test]
fn capabilities_are_as_lspci_decodes_them() {
    let texts = texts();
    let mut tally = Tally::default();
    for (source, text) in &texts {
        let configs = dumps(text);
        for (address, lines) in blocks(text) {
            let Some(config) = configs.get(&address).filter(|config| space::answers(config)) else {
                continue;
            };
            let whose = format!("{source} {address}");
            let chunks = chunks(&lines);
            if chunks.is_empty() {
                continue;
            }
            lists(&mut tally, &whose, config, &chunks);
            for chunk in &chunks {
                if chunk.extended {
                    // lspci had all of the space; the dump beside its text may have a part.
                    if config.len() < space::EXTENDED {
                        continue;
                    }
                    extended(&mut tally, &whose, config, chunk);
                } else {
                    standard(&mut tally, &whose, config, chunk);
                }
            }
        }
    }
    common::announce(&tally.report("capabilities beside lspci's decoding"));
    let reviewed = |line: &String| {
        REVIEWED.iter().any(|(source, subject, _)| line.starts_with(source) && line.contains(subject))
    };
    let open: Vec<_> = tally.differing.iter().filter(|line| !reviewed(line)).collect();
    assert!(open.is_empty(), "{open:#?}");
    assert!(texts.is_empty() || tally.agreed.values().sum::<usize>() > 3000, "too little was compared");
}

/// Both lists have the same capabilities at the same places.
fn lists(tally: &mut Tally, whose: &str, config: &[u8], chunks: &[Chunk<'_>]) {
    let theirs = |extended| -> Vec<u16> {
        chunks.iter().filter(|chunk| chunk.extended == extended).map(|chunk| chunk.offset).collect()
    };
    if let Seen::There(list) = space::standard(config) {
        let ours: Vec<u16> = list.iter().map(|capability| u16::from(capability.offset)).collect();
        tally.check("standard list", whose, &ours, &theirs(false));
    }
    if config.len() == space::EXTENDED {
        let ours: Vec<u16> = space::extended(config).iter().map(|capability| capability.offset).collect();
        tally.check("extended list", whose, &ours, &theirs(true));
    }
}

fn standard(tally: &mut Tally, whose: &str, config: &[u8], chunk: &Chunk<'_>) {
    let title = chunk.title;
    if let Some(version) = title.strip_prefix("Power Management version ") {
        let ours = space::power_management(config).there().expect("decoded");
        tally.check("power: version", whose, &ours.version.to_string(), &version.to_owned());
        if let Some(status) = chunk.part("Status:") {
            tally.check("power: state", whose, &format!("D{}", ours.state), &status[..2].to_owned());
            if let Some(keeps) = flag(&status, "NoSoftRst") {
                tally.check("power: keeps its state", whose, &ours.keeps_state, &keeps);
            }
            tally.check("power: may wake", whose, &Some(ours.wake_enabled), &flag(&status, "PME-Enable"));
        }
        if let Some(flags) = chunk.part("Flags:") {
            let wakes = flags.split_once("PME(").map_or("", |(_, rest)| rest);
            let names = [("D0", 0), ("D1", 1), ("D2", 2), ("D3hot", 3), ("D3cold", 4)];
            tally.check("power: wakes from", whose, &Some(u32::from(ours.wakes_from)), &bits(wakes, &names));
            let theirs = (flag(&flags, "D1").expect("D1"), flag(&flags, "D2").expect("D2"));
            tally.check("power: D1 and D2", whose, &ours.d1_d2, &theirs);
        }
    } else if let Some(rest) = title.strip_prefix("MSI: ") {
        let ours = space::msi(config).there().expect("decoded");
        let count = format!("{}/{}", ours.vectors_enabled, ours.vectors);
        tally.check("MSI: enabled", whose, &Some(ours.enabled), &flag(rest, "Enable"));
        tally.check("MSI: vectors", whose, &Some(count.as_str()), &word(rest, "Count="));
        let masks = flag(rest, "Maskable").or_else(|| flag(rest, "Mask"));
        tally.check("MSI: masks", whose, &Some(ours.maskable), &masks);
        tally.check("MSI: 64 bits", whose, &Some(ours.wide), &flag(rest, "64bit"));
    } else if let Some(rest) = title.strip_prefix("MSI-X: ") {
        let ours = space::msix(config).there().expect("decoded");
        tally.check("MSI-X: enabled", whose, &Some(ours.enabled), &flag(rest, "Enable"));
        let masked = flag(rest, "Masked").or_else(|| flag(rest, "Mask"));
        tally.check("MSI-X: masked", whose, &Some(ours.masked), &masked);
        let count = word(rest, "Count=").or_else(|| word(rest, "TabSize="));
        tally.check("MSI-X: vectors", whose, &Some(ours.vectors.to_string().as_str()), &count);
        for (label, (bar, offset)) in [("Vector table:", ours.table), ("PBA:", ours.pending)] {
            if let Some(theirs) = chunk.lines.iter().find_map(|line| line.trim().strip_prefix(label)) {
                let ours = format!("BAR={bar} offset={offset:08x}");
                tally.check("MSI-X: tables", whose, &ours.as_str(), &theirs.trim());
            }
        }
    } else if title.starts_with("Express") {
        let ours = space::express(config).there().expect("decoded");
        express(tally, whose, &ours, chunk);
    } else if title.starts_with("PCI Advanced Features") {
        let ours = space::advanced_features(config).there().expect("decoded");
        let theirs = chunk.part("AFCap:").expect("AFCap");
        tally.check("AF: reset", whose, &Some(ours.reset), &flag(&theirs, "FLR"));
        tally.check("AF: pending", whose, &Some(ours.tells_pending), &flag(&theirs, "TP"));
    }
}

fn kind(kind: PortType) -> &'static str {
    match kind {
        PortType::Endpoint => "Endpoint",
        PortType::LegacyEndpoint => "Legacy Endpoint",
        PortType::RootPort => "Root Port",
        PortType::Upstream => "Upstream Port",
        PortType::Downstream => "Downstream Port",
        PortType::ToPci => "PCI-Express to PCI/PCI-X Bridge",
        PortType::FromPci => "PCI/PCI-X to PCI-Express Bridge",
        PortType::RootComplexEndpoint => "Root Complex Integrated Endpoint",
        PortType::EventCollector => "Root Complex Event Collector",
        PortType::Other(_) => "Unknown",
    }
}

fn express(tally: &mut Tally, whose: &str, ours: &Express, chunk: &Chunk<'_>) {
    let title = chunk.title;
    if let Some(version) = word(title, "(v").map(|text| text.trim_end_matches(')')) {
        tally.check("express: version", whose, &ours.version.to_string().as_str(), &version);
    }
    let theirs = title.split_once(") ").map_or(title, |(_, rest)| rest);
    let theirs = theirs.split([',', '(']).next().unwrap_or_default().trim();
    tally.check("express: kind", whose, &kind(ours.kind), &theirs);
    if let Some(slot) = flag(title, "Slot") {
        tally.check("express: slot", whose, &ours.slot_implemented, &slot);
    }
    if let Some(text) = chunk.part("DevCap:") {
        let payload = ours.max_payload_supported.to_string();
        tally.check("express: payload", whose, &Some(payload.as_str()), &word(&text, "MaxPayload "));
        // It is told of endpoints alone.
        if let Some(theirs) = flag(&text, "FLReset") {
            tally.check("express: function level reset", whose, &ours.function_level_reset, &theirs);
        }
    }
    if let Some(text) = chunk.part("DevCtl:") {
        let (payload, read) = (ours.max_payload.to_string(), ours.max_read_request.to_string());
        tally.check("express: payload now", whose, &Some(payload.as_str()), &word(&text, "MaxPayload "));
        tally.check("express: reads", whose, &Some(read.as_str()), &word(&text, "MaxReadReq "));
    }
    if let Some(text) = chunk.part("DevSta:") {
        tally.check("express: pending", whose, &Some(ours.transactions_pending), &flag(&text, "TransPend"));
    }
    link(tally, whose, ours, chunk);
    slot(tally, whose, ours, chunk);
    for (label, pick) in [("DevCap2:", 0), ("DevCtl2:", 1)] {
        let Some(text) = chunk.part(label) else { continue };
        let of = |pair: Option<(bool, bool)>| pair.map(|pair| if pick == 0 { pair.0 } else { pair.1 });
        for (name, ours) in [("LTR", of(ours.latency_tolerance)), ("ARIFwd", of(ours.ari_forwarding))] {
            if let Some(theirs) = flag(&text, name) {
                tally.check(&format!("express: {label} {name}"), whose, &ours, &Some(theirs));
            }
        }
    }
}

fn link(tally: &mut Tally, whose: &str, ours: &Express, chunk: &Chunk<'_>) {
    let capabilities = chunk.part("LnkCap:");
    tally.check("link: there", whose, &ours.link.is_some(), &capabilities.is_some());
    let (Some(link), Some(text)) = (ours.link, capabilities) else { return };
    let speed =
        |speed: space::LinkSpeed| speed.to_string().replace(' ', "").replace("unknownspeed0", "unknown");
    let width = |width: u8| format!("x{width}");
    tally.check("link: port", whose, &Some(link.port.to_string().as_str()), &word(&text, "Port #"));
    tally.check("link: best speed", whose, &Some(speed(link.max_speed).as_str()), &word(&text, "Speed "));
    tally.check("link: most lanes", whose, &Some(width(link.max_width).as_str()), &word(&text, "Width "));
    let states = ["not supported", "L0s", "L1", "L0s L1"][usize::from(link.aspm_supported)];
    let theirs = text.split_once("ASPM ").map(|(_, rest)| rest.split([',']).next().unwrap_or_default());
    let theirs = theirs.map(|text| text.split(" ClockPM").next().unwrap_or_default());
    // Versions before 3.2 called L1 alone unknown.
    if theirs != Some("unknown") {
        tally.check("link: sleep states", whose, &Some(states), &theirs);
    }
    tally.check("link: reports", whose, &Some(link.reports_active), &flag(&text, "LLActRep"));
    if let Some(text) = chunk.part("LnkCtl:") {
        let enabled =
            ["Disabled", "L0s Enabled", "L1 Enabled", "L0s L1 Enabled"][usize::from(link.aspm_enabled)];
        let theirs = text.split_once("ASPM ").map(|(_, rest)| rest.split(';').next().unwrap_or_default());
        tally.check("link: sleep states on", whose, &Some(enabled), &theirs);
        let (_, rest) = text.split_once(';').expect("a semicolon");
        tally.check(
            "link: off",
            whose,
            &Some(link.disabled),
            &flag(rest, "Disabled").or_else(|| flag(rest, "LnkDisable")),
        );
    }
    if let Some(text) = chunk.part("LnkSta:") {
        tally.check("link: speed", whose, &Some(speed(link.speed).as_str()), &word(&text, "Speed "));
        tally.check("link: lanes", whose, &Some(width(link.width).as_str()), &word(&text, "Width "));
        let below = text.contains("(downgraded)");
        if link.width != 0 && (below || text.contains("(ok)")) {
            tally.check("link: below its best", whose, &link.is_below_its_best(), &below);
        }
        if let Some(active) = link.active {
            tally.check("link: up", whose, &Some(active), &flag(&text, "DLActive"));
        }
    }
}

fn slot(tally: &mut Tally, whose: &str, ours: &Express, chunk: &Chunk<'_>) {
    let capabilities = chunk.part("SltCap:");
    tally.check("slot: there", whose, &ours.slot.is_some(), &capabilities.is_some());
    let (Some(slot), Some(text)) = (ours.slot, capabilities) else { return };
    let number = text.split_once("Slot #").map_or("", |(_, rest)| rest.trim_start());
    tally.check(
        "slot: number",
        whose,
        &Some(slot.number.to_string().as_str()),
        &number.split([',', ';']).next(),
    );
    let watts: Option<f64> =
        word(&text, "PowerLimit ").and_then(|text| text.trim_end_matches('W').parse().ok());
    let theirs = watts.map(|watts| format!("{:.0}", watts * 1000.0));
    if theirs.is_some() {
        tally.check("slot: power limit", whose, &Some(slot.power_limit.to_string()), &theirs);
    }
    tally.check("slot: hot plug", whose, &Some(slot.hot_plug), &flag(&text, "HotPlug"));
    tally.check(
        "slot: surprise",
        whose,
        &Some(slot.surprise),
        &flag(&text, "Surprise").or_else(|| flag(&text, "Surpise")),
    );
    tally.check("slot: power control", whose, &Some(slot.power.is_some()), &flag(&text, "PwrCtrl"));
    if let Some(text) = chunk.part("SltSta:") {
        tally.check("slot: occupied", whose, &Some(slot.occupied), &flag(&text, "PresDet"));
    }
    if let Some(power) = slot.power {
        // The register holds "power controller off".
        let theirs = slot_power(chunk);
        tally.check("slot: power", whose, &Some(!power), &theirs);
    }
}

/// The power controller in `Control: …`, the second line below `SltCtl:`.
fn slot_power(chunk: &Chunk<'_>) -> Option<bool> {
    let line = chunk
        .lines
        .iter()
        .skip_while(|line| !line.contains("SltCtl:"))
        .find(|line| line.contains("Control:"))?;
    flag(line, "Power")
}

fn extended(tally: &mut Tally, whose: &str, config: &[u8], chunk: &Chunk<'_>) {
    let title = chunk.title;
    if title.starts_with("Access Control Services") {
        let ours = space::acs(config).there().expect("decoded");
        let names = [
            ("SrcValid", 0),
            ("TransBlk", 1),
            ("ReqRedir", 2),
            ("CmpltRedir", 3),
            ("UpstreamFwd", 4),
            ("EgressCtrl", 5),
            ("DirectTrans", 6),
        ];
        for (label, bits_of) in [("ACSCap:", ours.capability), ("ACSCtl:", ours.control)] {
            let theirs = chunk.part(label).and_then(|text| bits(&text, &names));
            tally.check(&format!("ACS: {label}"), whose, &Some(u32::from(bits_of & 0x7f)), &theirs);
        }
    } else if title.starts_with("Advanced Error Reporting") {
        errors(tally, whose, config, chunk);
    } else if title.starts_with("Single Root I/O") {
        let ours = space::virtual_functions(config).there().expect("decoded");
        let control = chunk.part("IOVCtl:").expect("IOVCtl");
        tally.check("SR-IOV: enabled", whose, &Some(ours.enabled), &flag(&control, "Enable"));
        tally.check("SR-IOV: memory", whose, &Some(ours.memory_enabled), &flag(&control, "MSE"));
        tally.check(
            "SR-IOV: numbering",
            whose,
            &Some(ours.numbered_through),
            &flag(&control, "ARIHierarchy"),
        );
        let all = chunk.lines.iter().fold(String::new(), |text, line| text + " " + line.trim());
        for (mark, ours) in [
            ("Initial VFs: ", ours.initial.to_string()),
            ("Total VFs: ", ours.total.to_string()),
            ("Number of VFs: ", ours.number.to_string()),
            ("VF offset: ", ours.offset.to_string()),
            ("stride: ", ours.stride.to_string()),
            ("Device ID: ", format!("{:04x}", ours.device)),
            ("Supported Page Size: ", format!("{:08x}", ours.page_sizes)),
        ] {
            tally.check(&format!("SR-IOV: {mark}"), whose, &Some(ours.as_str()), &word(&all, mark));
        }
    } else if title.starts_with("Physical Resizable BAR") || title.starts_with("Virtual Resizable BAR") {
        let ours = if title.starts_with('P') {
            space::resizable_bars(config)
        } else {
            space::virtual_resizable_bars(config)
        };
        let ours: Vec<String> = ours
            .there()
            .expect("decoded")
            .iter()
            .map(|bar| {
                let sizes = bar.all().into_iter().fold(String::new(), |text, size| text + " " + &sized(size));
                let now = bar.bytes().map(sized).unwrap_or_default();
                format!("BAR {}: current size: {now}, supported:{sizes}", bar.bar)
            })
            .collect();
        let theirs: Vec<String> = chunk.lines.iter().map(|line| line.trim().to_owned()).collect();
        tally.check("resizable BARs", whose, &ours, &theirs);
    } else {
        work_with_an_iommu(tally, whose, config, chunk);
        latency_and_containment(tally, whose, config, chunk);
    }
}

fn work_with_an_iommu(tally: &mut Tally, whose: &str, config: &[u8], chunk: &Chunk<'_>) {
    let title = chunk.title;
    if title.starts_with("Address Translation Service") {
        let ours = space::address_translation(config).there().expect("decoded");
        let (capability, control) =
            (chunk.part("ATSCap:").expect("ATSCap"), chunk.part("ATSCtl:").expect("ATSCtl"));
        let queue = format!("{:02x}", ours.queue % 32);
        tally.check("ATS: queue", whose, &Some(queue.as_str()), &word(&capability, "Queue Depth: "));
        tally.check("ATS: enabled", whose, &Some(ours.enabled), &flag(&control, "Enable"));
        let smallest = format!("{:02x}", ours.smallest);
        tally.check("ATS: smallest", whose, &Some(smallest.as_str()), &word(&control, "Translation Unit: "));
    } else if title.starts_with("Page Request") {
        let ours = space::page_requests(config).there().expect("decoded");
        let all = chunk.lines.iter().fold(String::new(), |text, line| text + " " + line.trim());
        tally.check("PRI: enabled", whose, &Some(ours.enabled), &flag(&all, "Enable"));
        tally.check("PRI: stopped", whose, &Some(ours.stopped), &flag(&all, "Stopped"));
        for (mark, ours) in [("Request Capacity: ", ours.capacity), ("Request Allocation: ", ours.allowed)] {
            tally.check(
                &format!("PRI: {mark}"),
                whose,
                &Some(format!("{ours:08x}").as_str()),
                &word(&all, mark),
            );
        }
    } else if title.starts_with("Process Address Space ID") {
        let ours = space::address_spaces(config).there().expect("decoded");
        let all = chunk.lines.iter().fold(String::new(), |text, line| text + " " + line.trim());
        tally.check(
            "PASID: width",
            whose,
            &Some(format!("{:02x}", ours.width).as_str()),
            &word(&all, "Max PASID Width: "),
        );
        tally.check("PASID: enabled", whose, &Some(ours.enabled), &flag(&all, "Enable"));
    }
}

fn latency_and_containment(tally: &mut Tally, whose: &str, config: &[u8], chunk: &Chunk<'_>) {
    let title = chunk.title;
    if title.starts_with("Latency Tolerance Reporting") {
        let ours = space::latency_tolerance(config).there().expect("decoded");
        for (label, ours) in
            [("Max snoop latency:", ours.snooped), ("Max no snoop latency:", ours.not_snooped)]
        {
            let theirs = chunk.lines.iter().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
            tally.check("LTR", whose, &Some(format!("{ours}ns").as_str()), &theirs);
        }
    } else if title.starts_with("L1 PM Substates") {
        let ours = space::l1_substates(config).there().expect("decoded");
        let names = [("PCI-PM_L1.2", 0), ("PCI-PM_L1.1", 1), ("ASPM_L1.2", 2), ("ASPM_L1.1", 3)];
        for (label, ours) in [("L1SubCap:", ours.supported), ("L1SubCtl1:", ours.enabled)] {
            if let Some(theirs) = chunk.part(label).and_then(|text| bits(&text, &names)) {
                tally.check(&format!("L1SS: {label}"), whose, &u32::from(ours), &theirs);
            }
        }
    } else if title.starts_with("Downstream Port Containment") {
        let ours = space::containment(config).there().expect("decoded");
        let (cap, control, status) = (chunk.part("DpcCap:"), chunk.part("DpcCtl:"), chunk.part("DpcSta:"));
        let trigger = match ours.trigger {
            Trigger::Off => "0",
            Trigger::Fatal => "1",
            Trigger::Uncorrectable => "2",
            Trigger::Reserved => "3",
        };
        tally.check(
            "DPC: by software",
            whose,
            &Some(ours.by_software),
            &flag(&cap.expect("DpcCap"), "SwTrigger"),
        );
        tally.check("DPC: trigger", whose, &Some(trigger), &word(&control.expect("DpcCtl"), "Trigger:"));
        tally.check(
            "DPC: triggered",
            whose,
            &Some(ours.triggered),
            &flag(&status.expect("DpcSta"), "Trigger"),
        );
    }
}

/// A size as lspci writes it.
fn sized(bytes: u64) -> String {
    let mib = bytes >> 20;
    if mib >= 1 << 40 {
        format!("{}EB", mib >> 40)
    } else if mib >= 1 << 30 {
        format!("{}PB", mib >> 30)
    } else if mib >= 1 << 20 {
        format!("{}TB", mib >> 20)
    } else if mib >= 1 << 10 {
        format!("{}GB", mib >> 10)
    } else {
        format!("{mib}MB")
    }
}

fn errors(tally: &mut Tally, whose: &str, config: &[u8], chunk: &Chunk<'_>) {
    let ours = space::error_reporting(config).there().expect("decoded");
    let uncorrectable = [
        ("DLP", 4),
        ("SDES", 5),
        ("TLP", 12),
        ("FCP", 13),
        ("CmpltTO", 14),
        ("CmpltAbrt", 15),
        ("UnxCmplt", 16),
        ("RxOF", 17),
        ("MalfTLP", 18),
        ("ECRC", 19),
        ("UnsupReq", 20),
        ("ACSViol", 21),
    ];
    let mask = uncorrectable.iter().fold(0, |sum, (_, bit)| sum | 1 << bit);
    for (label, ours) in
        [("UESta:", ours.uncorrectable), ("UEMsk:", ours.uncorrectable_masked), ("UESvrt:", ours.fatal)]
    {
        let theirs = chunk.part(label).and_then(|text| bits(&text, &uncorrectable));
        tally.check(&format!("AER: {label}"), whose, &Some(ours & mask), &theirs);
    }
    for (label, ours) in [("CESta:", ours.correctable), ("CEMsk:", ours.correctable_masked)] {
        let text = chunk.part(label).unwrap_or_default();
        let last = if text.contains("AdvNonFatalErr") { "AdvNonFatalErr" } else { "NonFatalErr" };
        let correctable =
            [("RxErr", 0), ("BadTLP", 6), ("BadDLLP", 7), ("Rollover", 8), ("Timeout", 12), (last, 13)];
        let mask = correctable.iter().fold(0, |sum, (_, bit)| sum | 1 << bit);
        tally.check(&format!("AER: {label}"), whose, &Some(ours & mask), &bits(&text, &correctable));
    }
}
