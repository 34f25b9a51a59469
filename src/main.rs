//! The command `limbeck`.

use std::process::ExitCode;

use clap::Parser as _;
use limbeck::commands::{self, Cli};
use limbeck::terminal::tell_error;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = cli.log;
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            tell_error(log, &error);
            ExitCode::from(if matches!(error, limbeck::Error::Usage(_)) { 2 } else { 1 })
        }
    }
}
