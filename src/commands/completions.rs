//! `limbeck completions`: completions for a shell.

use crate::error::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

#[derive(Args)]
#[command(after_help = "Example:\n  limbeck completions bash > /etc/bash_completion.d/limbeck")]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Cli::command(), "limbeck", &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
