//! What an interrupted command kept, and how it goes on.

use limbeck_data::Interrupt;

/// The command was stopped from outside.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Stopped {
    /// What the work said when it stopped.
    message: String,
    /// What is kept, and how to go on.
    pub next: String,
}

impl Stopped {
    /// Puts what is kept and how to go on in place of an interruption's own hint.
    pub fn new(error: &anyhow::Error, kept: &str, command: &str) -> Self {
        Self { message: super::message(error), next: format!("{kept}; go on with: {command}") }
    }
}

/// Whether the error is that of a work that was asked to stop: crates say so in their own words.
pub fn is_interrupted(error: &anyhow::Error, interrupt: &Interrupt) -> bool {
    interrupt.is_set() && error.chain().any(|cause| cause.to_string().starts_with("interrupted"))
}

/// `error`, or where it is an interruption, one that says what is kept and how the same command goes on.
pub fn keeping(error: anyhow::Error, kept: &str, interrupt: &Interrupt) -> anyhow::Error {
    if error.is::<Stopped>() || !is_interrupted(&error, interrupt) {
        return error;
    }
    Stopped::new(&error, kept, &command_line(given(), &[])).into()
}

/// The words of the command line; what of a file's name is no Unicode is replaced.
pub fn given() -> impl Iterator<Item = String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned())
}

/// The command line as it can be typed again, without the options `without` and their values.
pub fn command_line(arguments: impl IntoIterator<Item = String>, without: &[&str]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut is_value = false;
    for argument in arguments {
        let leaves = |option: &&str| argument.strip_prefix(*option).is_some_and(|rest| rest.starts_with('='));
        if std::mem::take(&mut is_value) || without.iter().any(leaves) {
            continue;
        }
        if without.contains(&argument.as_str()) {
            is_value = true;
            continue;
        }
        words.push(quoted(&argument));
    }
    words.join(" ")
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_typed_again() {
        let words = |line: &[&str]| line.iter().map(|word| word.to_string()).collect::<Vec<_>>();
        let line = ["limbeck", "run", "my recipe.toml", "--from", "distil", "--set", "a=it's", "--from=embed"];
        assert_eq!(command_line(words(&line), &["--from"]), "limbeck run 'my recipe.toml' --set 'a=it'\\''s'");
        assert_eq!(command_line(words(&["limbeck", ""]), &[]), "limbeck ''");
    }

    #[test]
    fn only_an_interruption_becomes_one() {
        let interrupt = Interrupt::new();
        let error = || anyhow::Error::from(limbeck::Error::from(limbeck_data::Error::from(limbeck_data::Interrupted)));
        assert!(!keeping(error(), "shards are kept", &interrupt).is::<Stopped>(), "nobody asked for a stop");
        interrupt.set();
        let stopped = keeping(error().context("embedding"), "shards are kept", &interrupt);
        let next = &stopped.downcast_ref::<Stopped>().unwrap().next;
        assert!(next.starts_with("shards are kept; go on with: "), "{next}");
        assert_eq!(keeping(anyhow::anyhow!("no disk"), "x", &interrupt).to_string(), "no disk");
    }
}
