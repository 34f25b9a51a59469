//! The command `limbeck`.

use std::process::ExitCode;

use clap::Parser as _;
use limbeck::commands::{self, Cli};
use limbeck::terminal::tell_error;

fn main() -> ExitCode {
    keep_candle_on_one_thread();
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

/// Has candle add and multiply tensors on the calling thread, unless the variable says otherwise. Its own threads meet
/// at a spinning barrier in each of these short operations: training on two cores takes half as long again with them,
/// and three times as long beside other work. Matrix products and our own operations use all threads all the same.
#[expect(unsafe_code, reason = "candle reads its number of threads from the environment alone")]
fn keep_candle_on_one_thread() {
    const VARIABLE: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: the process has no other thread yet.
        unsafe { std::env::set_var(VARIABLE, "1") };
    }
}
