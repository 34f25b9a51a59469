//! What an interrupted command kept, and how it goes on.

use limbeck_data::Interrupted;

/// The command was stopped from outside.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: {kept}")]
pub struct Stopped {
    /// What is kept.
    pub kept: String,
    /// How to go on.
    pub next: String,
}

/// Whether the error is an interruption. Crates wrap it transparently, so that it is seen by its words alone.
pub fn is_interrupted(error: &anyhow::Error) -> bool {
    let words = Interrupted.to_string();
    error.chain().any(|cause| cause.to_string() == words)
}

/// `error`, or where it is an interruption, one that says `kept` and that the same command goes on.
pub fn keeping(error: anyhow::Error, kept: &str) -> anyhow::Error {
    if error.is::<Stopped>() || !is_interrupted(&error) {
        return error;
    }
    Stopped { kept: kept.into(), next: format!("go on with: {}", command_line(std::env::args(), &[])) }.into()
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
        let error = keeping(anyhow::Error::from(Interrupted).context("embedding"), "finished shards are kept");
        assert_eq!(error.to_string(), "interrupted: finished shards are kept");
        assert_eq!(keeping(anyhow::anyhow!("no disk"), "x").to_string(), "no disk");
        let nested = anyhow::Error::from(limbeck::Error::from(limbeck_data::Error::from(Interrupted)));
        assert!(is_interrupted(&nested));
    }
}
