//! [`PythonFunctions`]: the functions of a file of Python, as objects with their docstrings.

use std::path::{Path, PathBuf};
use std::vec::IntoIter;

use serde_json::{Map, Value};
use tree_sitter::{Node, Parser, Tree};

use super::open::read_document;
use super::{Place, ReadOptions};
use crate::error::Result;

/// The fields of a function.
pub(super) const FUNCTION_FIELDS: [&str; 4] = ["code", "documented", "docstring", "name"];

/// The functions and methods of a file, inner ones too, in the order in which they begin. Each is an object: `code` is
/// its source without decorators and without the indentation that all of it has, `documented` the same where it has a
/// docstring, `docstring` what that says, both null where there is none, and `name` its name. What is not Python is
/// passed over, as far as the grammar can.
pub(super) struct PythonFunctions {
    /// The file's name.
    pub(super) path: PathBuf,
    functions: IntoIter<Value>,
    /// The number of the last function read, from 1; 0 before the first.
    number: u64,
}

impl PythonFunctions {
    /// Reads the file.
    pub(super) fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let source = match read_document(path, &options.encodings) {
            // Packages mark their folders with empty files.
            Err(crate::Error::Text(super::TextError::Empty { .. })) => String::new(),
            source => source?,
        };
        Ok(Self { path: path.to_owned(), functions: functions_of(&source).into_iter(), number: 0 })
    }

    /// The place of the last function read.
    pub(super) fn place(&self) -> Place {
        Place { unit: "function", number: self.number }
    }

    /// The next function.
    pub(super) fn next(&mut self) -> Option<Value> {
        self.number += 1;
        self.functions.next()
    }
}

fn parsed(source: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).ok()?;
    parser.parse(source, None)
}

fn functions_of(source: &str) -> Vec<Value> {
    let Some(tree) = parsed(source) else { return Vec::new() };
    let (mut cursor, mut found) = (tree.walk(), Vec::new());
    // Walks without recursion: the source may be nested deeply.
    loop {
        let node = cursor.node();
        if node.kind() == "function_definition" {
            found.push(function(node, source));
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return found;
            }
        }
    }
}

fn function(node: Node<'_>, source: &str) -> Value {
    let text = |node: Node<'_>| source.get(node.byte_range()).unwrap_or_default();
    let name = node.child_by_field_name("name").map(text).unwrap_or_default();
    let docstring = docstring_of(node).map(|parts| {
        let said: String = parts.into_iter().map(text).collect();
        without_indentation(&said, indentation(said.lines().skip(1)))
    });
    let code = without_indentation(text(node), line_indentation(source, node.start_byte()));
    let documented = docstring.is_some().then(|| code.clone());
    let or_null = |text: Option<String>| text.map_or(Value::Null, Value::String);
    let values = [Value::String(code), or_null(documented), or_null(docstring), Value::String(name.to_owned())];
    Value::Object(Map::from_iter(FUNCTION_FIELDS.map(str::to_owned).into_iter().zip(values)))
}

/// What stands between the quotes of a function's docstring: the string that its body begins with.
fn docstring_of(function: Node<'_>) -> Option<Vec<Node<'_>>> {
    let body = function.child_by_field_name("body")?;
    let first = body.named_children(&mut body.walk()).find(|node| node.kind() != "comment")?;
    let string =
        first.named_child(0).filter(|node| first.kind() == "expression_statement" && node.kind() == "string")?;
    let mut cursor = string.walk();
    Some(string.named_children(&mut cursor).filter(|node| node.kind() == "string_content").collect())
}

/// The bytes of space before what stands at `start`.
fn line_indentation(source: &str, start: usize) -> usize {
    let before = source.get(..start).unwrap_or_default();
    let line = &before[before.rfind('\n').map_or(0, |end| end + 1)..];
    line.len() - line.trim_start().len()
}

/// The bytes of space that all these lines begin with, but for blank ones.
fn indentation<'a>(lines: impl Iterator<Item = &'a str>) -> usize {
    let spaces = |line: &str| line.len() - line.trim_start().len();
    lines.filter(|line| !line.trim().is_empty()).map(spaces).min().unwrap_or(0)
}

/// The text with `spaces` bytes of space less before each line but the first, trimmed.
fn without_indentation(text: &str, spaces: usize) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    let whole = lines.fold(first, |mut whole, line| {
        whole.push('\n');
        let own = line.len() - line.trim_start().len();
        whole.push_str(line.get(spaces.min(own)..).unwrap_or_default().trim_end());
        whole
    });
    whole.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_function_gives_its_code_its_docstring_and_its_name() {
        let source = "import os\n\n@cached\ndef size(path):\n    \"\"\"Bytes of a file.\n\n    Follows links.\n    \
                      \"\"\"\n    return os.stat(path).st_size\n\nx = size('a')\n";
        let code = "def size(path):\n    \"\"\"Bytes of a file.\n\n    Follows links.\n    \"\"\"\n    return \
                    os.stat(path).st_size";
        assert_eq!(
            functions_of(source),
            [json!({
                "code": code, "documented": code, "docstring": "Bytes of a file.\n\nFollows links.", "name": "size"
            })]
        );
    }

    #[test]
    fn methods_and_inner_functions_are_rows_of_their_own() {
        let source = "class A:\n    async def one(self):\n        # why\n        'Says one.'\n        \
                      def two():\n            pass\n";
        let names: Vec<_> = functions_of(source).iter().map(|function| function["name"].clone()).collect();
        assert_eq!(names, ["one", "two"]);
        let found = functions_of(source);
        assert_eq!(found[0]["docstring"], "Says one.");
        assert_eq!(found[0]["code"], "async def one(self):\n    # why\n    'Says one.'\n    def two():\n        pass");
        assert_eq!(
            found[1],
            json!({"code": "def two():\n    pass", "documented": null, "docstring": null, "name": "two"})
        );
    }

    #[test]
    fn what_is_no_python_is_passed_over() {
        assert!(functions_of("").is_empty());
        assert!(functions_of("A text about a def (of things).").is_empty());
        let broken = "def good(x):\n    return x\n\n)) ((\nprint 'old'\ndef also(y):\n    return y\n";
        assert!(functions_of(broken).iter().any(|function| function["name"] == "good"));
        let deep = format!("x = {}1{}\ndef last():\n    pass\n", "(".repeat(20_000), ")".repeat(20_000));
        assert!(functions_of(&deep).len() <= 1);
    }
}
