//! Stands in for the passthru program where tests start QEMU or boot the tiny guest: the helper child, the supervisor whose
//! kernel is a tree of files, and `/init`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use passthru_apply::{AttributeFailure, RunFailure, Runner};
use passthru_guest::run::supervisor::{self, Stage, Surroundings};
use passthru_model::program::Program;
use passthru_model::setting::KernelWrite;

/// The file beside the supervisor's order that names the stage at which it dies.
const DIES_AT: &str = "dies-at";

/// Writes into the tree that stands for the host.
struct Tree;

impl Runner for Tree {
    fn run(&mut self, _: Program, _: &[String], _: &Path, _: &mut dyn FnMut(&str)) -> Result<(), RunFailure> {
        Ok(())
    }

    fn write_kernel(&mut self, writes: &[KernelWrite], root: &Path) -> Vec<Result<(), AttributeFailure>> {
        let write = |write: &KernelWrite| {
            let at = |path: &str| root.join(path.trim_start_matches('/'));
            let (path, done) = match write {
                KernelWrite::Text { path, text } => (path, std::fs::write(at(path), format!("{text}\n"))),
                KernelWrite::Make { path } => {
                    let made = std::fs::create_dir(at(path));
                    (path, made.and_then(|()| std::fs::write(at(path).join("cgroup.procs"), "")))
                }
                KernelWrite::Remove { path } => (path, std::fs::remove_dir_all(at(path))),
            };
            done.map_err(|error| AttributeFailure::Refused {
                path: path.clone(),
                text: String::new(),
                why: error.to_string(),
            })
        };
        writes.iter().map(write).collect()
    }
}

impl Surroundings for Tree {
    fn runner(&mut self) -> &mut dyn Runner {
        self
    }

    fn reached(&mut self, stage: Stage) {
        let order = std::env::args_os().nth(1).map(PathBuf::from).unwrap_or_default();
        let wanted = std::fs::read_to_string(order.with_file_name(DIES_AT));
        if wanted.is_ok_and(|wanted| wanted == format!("{stage:?}")) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}

fn main() -> ExitCode {
    passthru_guest::entry::enter().or_else(|| supervisor::enter(&mut Tree)).unwrap_or(ExitCode::SUCCESS)
}
