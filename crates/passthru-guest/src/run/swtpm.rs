//! The TPM of a guest: swtpm, a program beside QEMU (`swtpm(8)`).

use std::path::PathBuf;

use super::GuestPaths;

/// The file name of the program.
pub const PROGRAM: &str = "swtpm";

/// swtpm's arguments for a guest. It makes what a new TPM holds by itself, listens before it goes into the background, and ends
/// when QEMU lets go of the socket; the directory [`GuestPaths::tpm_state`] must be there. A path with a comma comes back as the
/// error, for swtpm cuts its options there and knows no escape (`handle_*_options`, `src/swtpm/common.c`).
pub fn arguments(paths: &GuestPaths) -> Result<Vec<String>, PathBuf> {
    let plain = |path: PathBuf| match path.to_string_lossy().contains(',') {
        true => Err(path),
        false => Ok(path.to_string_lossy().into_owned()),
    };
    let mut out: Vec<String> = ["socket", "--tpm2"].map(str::to_owned).into();
    for (option, before, path, after) in [
        ("--tpmstate", "dir=", paths.tpm_state(), ",mode=0600"),
        ("--ctrl", "type=unixio,path=", paths.tpm(), ",mode=0600"),
        ("--log", "file=", paths.tpm_log(), ",truncate"),
        ("--pid", "file=", paths.tpm_record(), ""),
    ] {
        out.extend([option.to_owned(), format!("{before}{}{after}", plain(path)?)]);
    }
    out.extend(["--terminate", "--daemon"].map(str::to_owned));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::arguments;
    use crate::run::GuestPaths;

    #[test]
    fn swtpm_is_told_where_its_state_is_and_takes_no_path_that_it_would_cut() {
        let name = "win".parse().expect("a name");
        let paths = |data: &str| GuestPaths::new("/run/p".as_ref(), data.as_ref(), &name);
        insta::assert_snapshot!(arguments(&paths("/var/lib/p")).expect("arguments").join(" "));
        assert_eq!(arguments(&paths("/srv/a,b")), Err("/srv/a,b/win/tpm".into()));
    }
}
