//! The sources of a run's text, as the embed job takes them: their names, and the prompts of their roles.

use limbeck_teacher::embed::EmbedSource;
use serde_json::{Value, json};

use super::Context;
use crate::error::Result;
use crate::recipe::SourceSection;

/// The sources of the run's text, each unit of a collection as one of its own, in the order of [`TextPlan::origins`].
/// `prompt` gives the teacher's prompt of a role.
///
/// [`TextPlan::origins`]: limbeck_data::text::TextPlan::origins
pub fn sources_of(context: &Context, prompt: impl Fn(&str) -> Result<String>) -> Result<Vec<EmbedSource>> {
    let source = |section: &SourceSection| {
        let prefix = section.role.as_deref().map(&prompt).transpose()?;
        let units = section.units.iter().map(|unit| format!("{} ({})", section.uri, unit.name()));
        let name = section.units.is_empty().then(|| section.uri.clone());
        Ok(units.chain(name).map(|name| EmbedSource { name, prefix: prefix.clone() }).collect())
    };
    let sources = context.plan().recipe.text.source.iter().map(source).collect::<Result<Vec<Vec<_>>>>()?;
    Ok(sources.concat())
}

/// What stands before the texts, source by source, for the cache's fingerprint; `None` where no source has a role. Of
/// sources that all have one role it is said once: another source of that role changes no vector.
pub fn described<'a>(context: &'a Context, sources: &[EmbedSource]) -> Option<String> {
    let of = |section: &'a SourceSection| std::iter::repeat_n(&section.role, section.units.len().max(1));
    let roles = context.plan().recipe.text.source.iter().flat_map(of);
    let mut all: Vec<Value> = roles
        .zip(sources)
        .map(|(role, source)| source.prefix.as_ref().map_or(Value::Null, |prefix| json!([role, prefix])))
        .collect();
    if all.windows(2).all(|pair| pair[0] == pair[1]) {
        all.truncate(1);
    }
    all.iter().any(|entry| !entry.is_null()).then(|| Value::Array(all).to_string())
}

/// What a student's folder says of the texts before its targets: the prefix, or the prompts by their roles.
pub fn recorded(prefix: &str) -> Value {
    let roles: Option<Vec<Option<(String, String)>>> = serde_json::from_str(prefix).ok();
    match roles {
        Some(roles) => Value::Object(roles.into_iter().flatten().map(|(role, text)| (role, text.into())).collect()),
        None => prefix.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_recorded_by_role_and_a_prefix_as_it_is() {
        assert_eq!(recorded("query: "), json!("query: "));
        let roles = r#"[["query","query: "],null,["document","passage: "]]"#;
        assert_eq!(recorded(roles), json!({"query": "query: ", "document": "passage: "}));
    }
}
