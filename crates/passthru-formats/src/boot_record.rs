//! The records of boots: JSON, a file each, written and read by passthru alone.

use passthru_model::boot_record::{BOOT_RECORD_SCHEMA, BootRecord};

/// The name of the file of a record by its running number.
pub fn file_name(number: u32) -> String {
    format!("{number:06}.json")
}

/// The running number in a file's name; `None`: it is no record.
pub fn number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".json")?;
    let plain = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// A record as it is written.
pub fn write(record: &BootRecord) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(record)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a record. The error says what is wrong, as the rest of a sentence that begins with the path.
pub fn parse(bytes: &[u8]) -> Result<BootRecord, String> {
    let record: BootRecord =
        serde_json::from_slice(bytes).map_err(|error| format!("is no record of a boot: {error}"))?;
    if record.schema == BOOT_RECORD_SCHEMA {
        Ok(record)
    } else {
        Err(format!("is of the schema ‘{}’, which this passthru does not know", record.schema))
    }
}

#[cfg(test)]
mod tests {
    use passthru_model::boot_record::{BOOT_RECORD_SCHEMA, BootRecord};
    use proptest::prelude::*;

    use super::{file_name, number, parse, write};

    fn record(kernel: String, off: bool) -> BootRecord {
        BootRecord {
            schema: BOOT_RECORD_SCHEMA.to_owned(),
            boot: "7d5c6a0e-0000-4000-8000-000000000001".to_owned(),
            kernel,
            time: "2026-11-22T20:14:05Z".to_owned(),
            off,
            devices: Vec::new(),
            differences: Vec::new(),
        }
    }

    #[test]
    fn a_record_of_another_schema_or_torn_is_refused_with_the_reason() {
        let newer = BootRecord { schema: "passthru.boot/9".to_owned(), ..record(String::new(), false) };
        let bytes = write(&newer).expect("writes");
        assert_eq!(
            parse(&bytes).expect_err("is newer"),
            "is of the schema ‘passthru.boot/9’, which this passthru does not know"
        );
        let torn = parse(&bytes[..20]).expect_err("is torn");
        assert!(torn.starts_with("is no record of a boot: EOF"), "{torn}");
    }

    #[test]
    fn names_sort_as_their_numbers_do_and_others_are_no_records() {
        assert_eq!(file_name(17), "000017.json");
        assert_eq!(number("000017.json"), Some(17));
        assert_eq!(number("1000000.json"), Some(1_000_000));
        for name in ["17.json", "000017", "+00017.json", ".000017.json.part", "999999999999.json"] {
            assert_eq!(number(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(kernel: String, off: bool) {
            let record = record(kernel, off);
            prop_assert_eq!(parse(&write(&record).expect("writes")), Ok(record));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn every_number_has_a_name_and_back(any: u32) {
            prop_assert_eq!(number(&file_name(any)), Some(any));
        }
    }
}
