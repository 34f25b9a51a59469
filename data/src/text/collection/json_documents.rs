//! The documents in the JSON values of a file.

use std::iter::from_fn;

use serde_json::{Map, Value};

use super::columns::DocumentColumns;
use super::document::{DocumentRow, DocumentRows};
use crate::text::TextError;
use crate::text::json_values::{JsonValues, field_of, no_field, text_of};

/// The fields of the documents, as the first object of the file tells them.
struct DocumentFields {
    text: String,
    title: Option<String>,
    id: Option<String>,
}

impl DocumentFields {
    fn of(columns: &DocumentColumns, first: &Value) -> Result<Self, String> {
        let empty = Map::new();
        let object = first.as_object().unwrap_or(&empty);
        let has = |name: &str| field_of(object, name).is_some();
        let named = [&columns.title, &columns.id].into_iter().flatten();
        if let Some(missing) = named.into_iter().find(|name| !has(name)) {
            return Err(no_field(missing, object));
        }
        Ok(Self {
            text: columns.text.clone().unwrap_or_else(|| "text".to_owned()),
            title: columns.title_in(has).map(str::to_owned),
            id: columns.id_in(has).map(str::to_owned),
        })
    }

    /// The document in a value: a string, or an object. Only the title may be missing.
    fn row(&self, value: Value) -> Result<DocumentRow, String> {
        let mut row = DocumentRow::default();
        if let Value::Object(object) = &value {
            if let Some(name) = &self.title {
                row.title = match field_of(object, name) {
                    Some(Value::String(title)) => title.clone(),
                    None | Some(Value::Null) => String::new(),
                    Some(_) => return Err(format!("the field `{name}` is not a string")),
                };
            }
            if let Some(name) = &self.id {
                row.id = match field_of(object, name) {
                    Some(Value::String(id)) => Some(id.clone()),
                    Some(Value::Number(id)) => Some(id.to_string()),
                    Some(_) => return Err(format!("the field `{name}` is neither a string nor a number")),
                    None => return Err(no_field(name, object)),
                };
            }
        }
        row.text = text_of(value, &self.text)?;
        Ok(row)
    }
}

/// The documents, one a value.
pub(super) fn json_documents(mut values: JsonValues, columns: DocumentColumns) -> DocumentRows {
    let mut fields: Option<DocumentFields> = None;
    Box::new(from_fn(move || {
        let value = match values.next_json().transpose()? {
            Ok(value) => value,
            Err(error) => return Some(Err(error)),
        };
        let known = match fields.take() {
            Some(fields) => Ok(fields),
            None => DocumentFields::of(&columns, &value),
        };
        let row = known.and_then(|known| fields.insert(known).row(value));
        let no_text = |found| TextError::NoText { path: values.path().to_owned(), place: values.place(), found };
        Some(row.map_err(|found| no_text(found).into()))
    }))
}
