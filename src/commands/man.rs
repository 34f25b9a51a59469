//! `limbeck man`: man pages.

use std::path::PathBuf;

use crate::error::{Error, Result};
use clap::{Args, CommandFactory};
use clap_mangen::Man;
use limbeck_data::files::write_bytes;

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck man run | man -l -\n  limbeck man --to /usr/local/share/man/man1")]
pub(super) struct Arguments {
    /// The command; the program itself by default
    command: Option<String>,

    /// Write all pages into this folder instead: limbeck.1, limbeck-run.1, …
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    to: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let mut cli = super::Cli::command();
    cli.build();
    if let Some(folder) = &arguments.to {
        write_bytes(&folder.join("limbeck.1"), &page(&cli)?)?;
        for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
            write_bytes(&folder.join(format!("limbeck-{}.1", command.get_name())), &page(command)?)?;
        }
        say!("{}", folder.display());
        return Ok(());
    }
    let command = match &arguments.command {
        None => &cli,
        Some(name) => {
            let unknown = || Error::Usage(format!("there is no command {name}; see `limbeck help`"));
            cli.find_subcommand(name).ok_or_else(unknown)?
        }
    };
    say!("{}", String::from_utf8_lossy(&page(command)?).trim_end());
    Ok(())
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page).map_err(super::common::stdout_failed)?;
    Ok(page)
}
