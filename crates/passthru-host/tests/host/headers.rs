//! Which functions are bridges, where no command asked for configuration space.

use passthru_host::{Host, Options, Subject, Subjects};
use passthru_model::HostFacts;
use pretty_assertions::assert_eq;

/// A root port, a bridge whose class says something else, and a network card.
const FUNCTIONS: [(&str, &str, u8); 3] = [
    ("0000:00:01.0", "bc06sc04i00", 1),
    ("0000:01:00.0", "bc08sc80i00", 1),
    ("0000:02:00.0", "bc02sc00i00", 0),
];

/// A host of these; `numbered`: the bridges among them have the numbers of their buses, as since Linux 4.13.
#[expect(clippy::disallowed_methods, reason = "a test builds the tree that it reads")]
fn tree(numbered: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (address, class, header) in FUNCTIONS {
        let place = folder.path().join("sys/bus/pci/devices").join(address);
        std::fs::create_dir_all(&place).expect("makes");
        let modalias = format!("pci:v00008086d00001234sv00000000sd00000000{class}\n");
        let mut config = [0; 64];
        config[0x0e] = header;
        std::fs::write(place.join("modalias"), modalias).expect("writes");
        std::fs::write(place.join("config"), config).expect("writes");
        if numbered.contains(&address) {
            std::fs::write(place.join("secondary_bus_number"), "1\n").expect("writes");
        }
    }
    folder
}

fn functions(folder: &tempfile::TempDir, subjects: &[Subject]) -> HostFacts {
    let options = Options { subjects: Subjects::of(subjects), ..Options::default() };
    passthru_host::gather_with(&Host::open(folder.path()).expect("opens"), &options)
}

/// Each function with whether it is a bridge, and the bytes that were read of its configuration space.
fn seen(facts: &HostFacts) -> Vec<(String, bool, usize)> {
    facts.functions().map(|one| (one.address.to_string(), one.is_bridge(), one.config.len())).collect()
}

fn expected(bytes: [usize; 3]) -> Vec<(String, bool, usize)> {
    let all = FUNCTIONS.iter().zip(bytes);
    all.map(|((address, _, header), bytes)| ((*address).to_owned(), *header == 1, bytes)).collect()
}

#[test]
fn only_what_has_the_numbers_of_buses_and_no_bridges_class_is_looked_at() {
    let folder = tree(&["0000:00:01.0", "0000:01:00.0"]);
    assert_eq!(seen(&functions(&folder, &[Subject::Pci])), expected([0, 64, 0]));
}

#[test]
fn where_a_bridge_lacks_them_their_absence_says_nothing() {
    for numbered in [&[][..], &["0000:01:00.0"]] {
        let folder = tree(numbered);
        assert_eq!(seen(&functions(&folder, &[Subject::Pci])), expected([0, 64, 64]), "{numbered:?}");
    }
}

#[test]
fn who_asks_for_details_or_the_whole_space_gets_each_head() {
    let folder = tree(&["0000:00:01.0", "0000:01:00.0"]);
    for more in [Subject::PciDetails, Subject::PciConfig] {
        assert_eq!(seen(&functions(&folder, &[Subject::Pci, more])), expected([64, 64, 64]), "{more:?}");
    }
}
