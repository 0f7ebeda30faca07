//! Makes what can be made of the code: man pages, JSON schemas, and the reference page of checks. With `--check` it writes
//! nothing and says what is out of date. `cargo xtask docs` runs it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory as _;
use passthru::args::Arguments;
use passthru::envelope;
use schemars::schema_for;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<ExitCode, Failure> {
    let check = std::env::args().any(|argument| argument == "--check");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = BTreeMap::new();
    man_pages(&mut files)?;
    schemas(&mut files)?;
    files.insert(PathBuf::from("docs/checks.md"), checks()?.into_bytes());
    let mut stale = strangers(&root, &files)?;
    for (path, bytes) in files {
        let place = root.join(&path);
        if std::fs::read(&place).ok().as_deref() == Some(&bytes) {
            continue;
        }
        if !check {
            std::fs::create_dir_all(place.parent().ok_or("a file has a directory")?)?;
            std::fs::write(&place, bytes)?;
        }
        stale.push(path);
    }
    let verb = if check { "out of date" } else { "written" };
    for path in &stale {
        writeln!(std::io::stderr(), "{verb}: {}", path.display())?;
    }
    Ok(if check && !stale.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Files that stand beside the generated ones and that nothing generates any more.
fn strangers(root: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for directory in ["man", "schemas"] {
        let Ok(entries) = std::fs::read_dir(root.join(directory)) else { continue };
        for entry in entries {
            let path = Path::new(directory).join(entry?.file_name());
            if !files.contains_key(&path) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// One page for the program and one for each command.
fn man_pages(files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<(), Failure> {
    let mut command = Arguments::command();
    command.build();
    pages_of(&command, "passthru", files)
}

/// The page of a command and those of the commands below it.
fn pages_of(
    command: &clap::Command,
    name: &str,
    files: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> Result<(), Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone().display_name(name.to_owned()))
        .title(name)
        .source(concat!("passthru ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)?;
    files.insert(PathBuf::from(format!("man/{name}.1")), page);
    for below in command.get_subcommands() {
        pages_of(below, &format!("{name}-{}", below.get_name()), files)?;
    }
    Ok(())
}

/// One schema for each envelope that `--json` prints.
fn schemas(files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<(), Failure> {
    let all = [
        ("findings", schema_for!(envelope::Findings)),
        ("guest-check", schema_for!(envelope::GuestCheck)),
        ("checks", schema_for!(envelope::Checks)),
        ("groups", schema_for!(envelope::Groups)),
        ("groups-why", schema_for!(envelope::GroupsWhy)),
        ("plan", schema_for!(envelope::PlanEnvelope)),
        ("history", schema_for!(envelope::History)),
        ("status", schema_for!(envelope::Status)),
        ("guest-import", schema_for!(envelope::GuestImport)),
        ("guests", schema_for!(envelope::GuestList)),
        ("guest", schema_for!(envelope::GuestShow)),
        ("try", schema_for!(passthru_guest::attempt::TryReport)),
        ("rom", schema_for!(envelope::rom::Rom)),
        ("topology", schema_for!(envelope::topology::TopologyEnvelope)),
        ("usb", schema_for!(envelope::usb::UsbEnvelope)),
    ];
    for (name, schema) in all {
        let mut text = serde_json::to_string_pretty(&schema)?;
        text.push('\n');
        files.insert(PathBuf::from(format!("schemas/{name}.schema.json")), text.into_bytes());
    }
    Ok(())
}

/// The reference page of `passthru doctor`.
fn checks() -> Result<String, Failure> {
    let mut page = String::from(
        "# The checks of `passthru doctor`\n\nMade of the code by `cargo xtask docs`. Verdicts: `pass`, `warn`, `fail`, `unknown` (could \
         not be read; the\nsummary says why), `skip` (does not apply here).\n",
    );
    for area in passthru_plan::areas() {
        write!(page, "\n## {}\n", area.title)?;
        for check in area.checks {
            write!(
                page,
                "\n### `{}`: {}\n\nSection of the page: {}\n\n{}\n",
                check.id, check.title, check.section, check.why
            )?;
        }
    }
    Ok(page)
}
