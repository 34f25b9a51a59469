//! [`JsonValues`]: the JSON values of a file, from its lines, its array or any depth; and the fields in them.

use std::path::Path;

use serde_json::{Map, Value};

use super::format::TextFormat;
use super::json_array::{JsonArray, holds_array};
use super::json_strings::{AnyDepth, JsonStrings};
use super::lines::Lines;
use super::python_functions::{FUNCTION_FIELDS, PythonFunctions};
use super::{PAIR_COLUMNS, Place, ReadOptions};
use crate::error::Result;

/// The values of a file, one by one.
pub(super) enum JsonValues {
    Lines(Lines),
    Array(JsonArray),
    /// Strings at any depth.
    Strings(JsonStrings),
    /// The functions of Python, as objects.
    Functions(PythonFunctions),
}

impl JsonValues {
    /// Opens a file of Python, each function of which is a value, or of JSON: of a value a line, unless it is a `.json`.
    pub(super) fn open(path: &Path, format: TextFormat, column: Option<&str>, options: &ReadOptions) -> Result<Self> {
        match format {
            TextFormat::Python => PythonFunctions::open(path, options).map(Self::Functions),
            TextFormat::Json => Self::of_file(path, column, options),
            _ => Self::of_lines(path, column, options),
        }
    }

    /// Opens a file of a value a line. A `column` that begins with `**` means strings at any depth, each a value.
    fn of_lines(path: &Path, column: Option<&str>, options: &ReadOptions) -> Result<Self> {
        match column.and_then(AnyDepth::of_column) {
            Some(wanted) => JsonStrings::of_lines(path, wanted, options).map(Self::Strings),
            None => Lines::open(path, options).map(Self::Lines),
        }
    }

    /// Opens a file that holds an array, or else a value a line; or, for strings at any depth, values of any kind.
    fn of_file(path: &Path, column: Option<&str>, options: &ReadOptions) -> Result<Self> {
        match column.and_then(AnyDepth::of_column) {
            Some(wanted) => Ok(Self::Strings(JsonStrings::of_file(path, wanted, options))),
            None if holds_array(path, &options.encodings)? => JsonArray::open(path, options).map(Self::Array),
            None => Self::of_lines(path, None, options),
        }
    }

    /// The next value, or `None` after the last.
    pub(super) fn next_json(&mut self) -> Result<Option<Value>> {
        match self {
            Self::Lines(lines) => lines.next_json(),
            Self::Array(array) => array.next_json(),
            Self::Strings(strings) => Ok(strings.next_string()?.map(Value::String)),
            Self::Functions(functions) => Ok(functions.next()),
        }
    }

    /// The place of the last value read.
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Lines(lines) => lines.place(),
            Self::Array(array) => array.place(),
            Self::Strings(strings) => strings.place(),
            Self::Functions(functions) => functions.place(),
        }
    }

    /// The file's name.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Lines(lines) => &lines.path,
            Self::Array(array) => &array.path,
            Self::Strings(strings) => &strings.path,
            Self::Functions(functions) => &functions.path,
        }
    }
}

/// The field of this name, or else the field in nested objects whose names, with dots between, make up this name.
pub(super) fn field_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| {
        name.match_indices('.').find_map(|(dot, _)| match object.get(&name[..dot]) {
            Some(Value::Object(inner)) => field_of(inner, &name[dot + 1..]),
            _ => None,
        })
    })
}

/// The text in a value, or what is wrong with the value.
pub(super) fn text_of(value: Value, field: &str) -> std::result::Result<String, String> {
    let found = match value {
        Value::String(text) => return Ok(text),
        Value::Object(object) => match field_of(&object, field) {
            Some(Value::String(text)) => return Ok(text.clone()),
            // A missing value is an empty text, as in a table.
            Some(Value::Null) => return Ok(String::new()),
            Some(other) => format!("the field `{field}` is {}, not a string", value_name(other)),
            None => no_field(field, &object),
        },
        other => format!("{} where a string or an object belongs", value_name(&other)),
    };
    Err(found)
}

/// Whether the first value of a `.json` file is a text, or an object with a text or a pair of sentences. A file that
/// cannot be read counts as one of text, so that reading reports what is wrong.
pub(super) fn holds_text(path: &Path, column: Option<&str>, options: &ReadOptions) -> bool {
    let first = match JsonValues::of_file(path, column, options) {
        Ok(mut values) => values.next_json(),
        Err(error) => Err(error),
    };
    match first {
        Ok(Some(Value::String(_))) => true,
        Ok(Some(Value::Object(object))) => {
            let has = |name: &str| matches!(field_of(&object, name), Some(Value::String(_) | Value::Null));
            let is_pair = || PAIR_COLUMNS.iter().any(|(left, right)| has(left) && has(right));
            has(column.unwrap_or("text")) || (column.is_none() && is_pair())
        }
        Ok(_) => false,
        Err(crate::Error::Text(super::TextError::TooLong { .. })) => true,
        Err(crate::Error::Text(_)) => false,
        Err(_) => true,
    }
}

/// Whether a `.py` file is one to read: `column` names a field of functions, and there are any. A file that cannot be
/// read counts as one, so that reading reports what is wrong.
pub(super) fn holds_functions(path: &Path, column: Option<&str>, options: &ReadOptions) -> bool {
    column.is_some_and(|column| FUNCTION_FIELDS.contains(&column))
        && PythonFunctions::open(path, options).map(|mut functions| functions.next()).ok() != Some(None)
}

/// The message for an object that lacks the field `wanted`.
pub(super) fn no_field(wanted: &str, object: &Map<String, Value>) -> String {
    let others: Vec<String> = object.keys().map(|name| format!("`{name}`")).collect();
    match others.is_empty() {
        true => format!("no field `{wanted}`"),
        false => format!("no field `{wanted}`, only {}", others.join(", ")),
    }
}

/// What a JSON value is called in errors.
fn value_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
