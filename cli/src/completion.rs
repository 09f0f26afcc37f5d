//! `chancery completion`.

use clap_complete::Shell;

use crate::error::Error;
use crate::output;

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  chancery completion bash > ~/.local/share/bash-completion/completions/chancery")]
pub(crate) struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    /// Prints the script for `command`.
    pub(crate) fn run(&self, mut command: clap::Command) -> Result<(), Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "chancery", &mut script);
        output::print(&script)
    }
}
