//! The command `limbeck`.

mod commands;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = cli.log;
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if commands::is_closed_pipe(&error) {
                return ExitCode::SUCCESS;
            }
            terminal::tell_error(log, &commands::message(&error), commands::hint(&error).as_deref());
            ExitCode::from(if commands::is_usage(&error) { 2 } else { 1 })
        }
    }
}
