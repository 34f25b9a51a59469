//! Columns of STS files and of training examples, as options name them.

use limbeck_data::examples::ExampleColumns;
use limbeck_data::sts::StsColumns;

/// Parses the columns of an STS file: LEFT,RIGHT,SCORE.
pub(super) fn sts_columns(text: &str) -> std::result::Result<StsColumns, String> {
    match names(text)[..] {
        [left, right, score] => {
            let [left, right, score] = [left, right, score].map(|name| Some(name.to_owned()));
            Ok(StsColumns { left, right, score })
        }
        _ => Err("LEFT,RIGHT,SCORE is expected: the columns of both sentences and of their grade".into()),
    }
}

/// Parses the columns of training examples: ANCHOR,POSITIVE or ANCHOR,POSITIVE,NEGATIVE.
pub(super) fn example_columns(text: &str) -> std::result::Result<ExampleColumns, String> {
    let named = |name: &str| Some(name.to_owned());
    match names(text)[..] {
        [anchor, positive] => {
            let [anchor, positive] = [anchor, positive].map(named);
            // Named so, the file's other columns don't count as hard negatives.
            Ok(ExampleColumns { anchor, positive, hard_negative: named(""), label: None })
        }
        [anchor, positive, negative] => {
            let [anchor, positive, hard_negative] = [anchor, positive, negative].map(named);
            Ok(ExampleColumns { anchor, positive, hard_negative, label: None })
        }
        _ => Err("ANCHOR,POSITIVE or ANCHOR,POSITIVE,NEGATIVE is expected".into()),
    }
}

/// The names between commas; none where one is empty.
fn names(text: &str) -> Vec<&str> {
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    if names.iter().any(|name| name.is_empty()) { Vec::new() } else { names }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_in_their_order() {
        let columns = sts_columns("premise, hypothesis,grade").unwrap();
        assert_eq!(
            [columns.left, columns.right, columns.score].map(Option::unwrap),
            ["premise", "hypothesis", "grade"]
        );
        let columns = example_columns("query,passage").unwrap();
        assert_eq!((columns.anchor.as_deref(), columns.positive.as_deref()), (Some("query"), Some("passage")));
        assert_eq!(example_columns("q,p,n").unwrap().hard_negative.as_deref(), Some("n"));
    }

    #[test]
    fn too_few_or_empty_names_are_refused() {
        for text in ["", "a", "a,b", "a,,c", "a,b,c,d"] {
            assert!(sts_columns(text).is_err(), "{text}");
        }
        assert!(example_columns("a").is_err());
    }
}
