//! What an interrupted command kept, and how it goes on.

use std::borrow::Cow;

use limbeck_data::Interrupt;

use crate::error::Error;

/// `error`, or where it is an interruption, one that says what is kept and how the same command goes on.
pub(super) fn with_next_step(error: Error, kept: &str, interrupt: &Interrupt) -> Error {
    if is_interruption(&error, interrupt) { stopped(&error, kept) } else { error }
}

/// Whether the command stopped because it was asked to, and nothing more exact has been said about it.
pub(super) fn is_interruption(error: &Error, interrupt: &Interrupt) -> bool {
    interrupt.is_set() && error.is_interrupted() && !matches!(error, Error::Stopped { .. })
}

/// An interruption, with what is kept and the command that goes on in place of the general hint.
pub(super) fn stopped(error: &Error, kept: &str) -> Error {
    // What of a file's name is no Unicode is replaced.
    let given = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    Error::Stopped { message: error.message(), next: format!("{kept}; go on with: {}", command_line(given)) }
}

/// The command line as it can be typed again, without `--from`: that would discard what the stage has kept.
fn command_line(given: impl IntoIterator<Item = String>) -> String {
    let mut given = given.into_iter();
    let mut words: Vec<String> = Vec::new();
    while let Some(word) = given.next() {
        if word == "--from" {
            given.next();
        } else if !word.starts_with("--from=") {
            words.push(match word.split_once('=') {
                Some((key, value)) => format!("{}={}", quoted(key), quoted(value)),
                None => quoted(&word).into_owned(),
            });
        }
    }
    words.join(" ")
}

/// A word for the shell. No word of a command line holds a NUL, the one character that can't be quoted.
fn quoted(word: &str) -> Cow<'_, str> {
    shlex::try_quote(word).unwrap_or(word.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<String> {
        line.iter().map(|word| word.to_string()).collect()
    }

    fn interruption() -> Error {
        Error::from(limbeck_data::Error::from(limbeck_data::Interrupted))
    }

    #[test]
    fn a_command_line_can_be_typed_again() {
        let line = ["limbeck", "run", "my recipe.toml", "--from", "distil", "--set", "a=it's", "--from=embed", ""];
        let again = command_line(words(&line));
        let left = ["limbeck", "run", "my recipe.toml", "--set", "a=it's", ""];
        assert_eq!(shlex::split(&again).unwrap(), words(&left), "{again}");
    }

    #[test]
    fn an_error_stays_as_it_is_where_nobody_asked_for_a_stop() {
        let kept = with_next_step(interruption(), "shards are kept", &Interrupt::new());
        assert!(!matches!(kept, Error::Stopped { .. }), "{kept}");
    }

    #[test]
    fn an_interruption_says_what_is_kept() {
        let interrupt = Interrupt::new();
        interrupt.set();
        let hint = with_next_step(interruption(), "shards are kept", &interrupt).hint().unwrap();
        assert!(hint.starts_with("shards are kept; go on with: "), "{hint}");
    }

    #[test]
    fn another_error_stays_as_it_is_after_a_stop_was_asked_for() {
        let interrupt = Interrupt::new();
        interrupt.set();
        let error = Error::Usage("no disk".into());
        assert_eq!(with_next_step(error, "x", &interrupt).to_string(), "no disk");
    }
}
