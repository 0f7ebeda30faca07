//! What has to be done for a place of the running kernel to have a value.

use crate::program::Program;

/// One thing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something small is done to the running kernel.
    Kernel(KernelWrite),
    /// A program is run.
    Run {
        /// The program.
        program: Program,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

/// Something small that is done to the running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelWrite {
    /// A text is written to a file.
    Text {
        /// The file.
        path: String,
        /// The text, without a line's end.
        text: String,
    },
    /// A directory is made, which makes a control group. One that is there already is no failure.
    Make {
        /// The directory.
        path: String,
    },
    /// An empty directory is removed. One that is not there is no failure.
    Remove {
        /// The directory.
        path: String,
    },
}

impl KernelWrite {
    /// What it is done to.
    pub fn path(&self) -> &str {
        let (Self::Text { path, .. } | Self::Make { path } | Self::Remove { path }) = self;
        path
    }
}
