//! The program whose files these are: what bash makes of a file, where bash is there.

use std::io::Write as _;

/// What `print` writes after bash has read the file. `None`: there is no bash here, or it cannot read the file at all, which
/// says nothing about how it reads.
pub(crate) fn bash(text: &str, print: &str) -> Option<String> {
    let script = format!("eval \"$(cat; printf '\\n:')\" 2>/dev/null || exit 9; {print}");
    // The file goes in as an argument: this crate's rooms have no way to write files, and its tests need none.
    #[expect(clippy::disallowed_types, reason = "the test asks the program whose files these are")]
    let mut child = std::process::Command::new("bash")
        .args(["--norc", "-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok())?
}

/// The words of a list after bash has read the file, as mkinitcpio and dracut take them: a string is cut at blanks.
pub(crate) fn list(text: &str, name: &str) -> Option<Vec<String>> {
    let print = format!(
        "if [[ ${{{name}@a}} == *a* ]]; then (( ${{#{name}[@]}} )) && printf '%s\\n' \"${{{name}[@]}}\"; else set -f; printf '%s\\n' ${name}; fi; :"
    );
    Some(bash(text, &print)?.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
