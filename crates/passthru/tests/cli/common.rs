//! Runs the program as its user does.

use std::path::Path;
use std::process::{Command, Stdio};

/// What the program said.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its exit code.
    pub(crate) code: i32,
    /// Its standard output.
    pub(crate) out: String,
    /// Its standard error.
    pub(crate) err: String,
}

/// Runs the program with a plain environment and nobody to ask.
pub(crate) fn passthru(arguments: &[&str]) -> Answer {
    answer(Command::new(env!("CARGO_BIN_EXE_passthru")).args(arguments))
}

/// Runs a command that ends in the program.
pub(crate) fn answer(command: &mut Command) -> Answer {
    let output = command
        .env_remove("NO_COLOR")
        .env_remove("SSH_CONNECTION")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Answer {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// What of a JSON text is not as a schema of `schemas/` says.
pub(crate) fn schema_errors(schema: &str, text: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../schemas/{schema}.schema.json"));
    let schema: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path).expect("the schema is there"))
            .expect("the schema is JSON");
    let value: serde_json::Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => return vec![format!("not JSON: {error}\n{text}")],
    };
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    validator.iter_errors(&value).map(|error| format!("{} at {}", error, error.instance_path())).collect()
}
