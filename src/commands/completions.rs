use clap::{Args, CommandFactory};
use clap_complete::Shell;

#[derive(Args)]
#[command(after_help = "Example:\n  limbeck completions bash > /etc/bash_completion.d/limbeck")]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Cli::command(), "limbeck", &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
