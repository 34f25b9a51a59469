//! The sources of a run's text, as the embed job takes them: their names, and the prompts of their roles.

use limbeck_teacher::embed::EmbedSource;
use serde_json::{Value, json};

use super::Context;
use crate::error::Result;
use crate::recipe::SourceSection;

/// The sources of the run's text. `prompt` gives the teacher's prompt of a role.
pub fn sources_of(context: &Context, prompt: impl Fn(&str) -> Result<String>) -> Result<Vec<EmbedSource>> {
    let source = |section: &SourceSection| {
        let prefix = section.role.as_deref().map(&prompt).transpose()?;
        Ok(EmbedSource { name: section.uri.clone(), prefix })
    };
    context.plan().recipe.text.source.iter().map(source).collect()
}

/// What stands before the texts, source by source, for the cache's fingerprint; `None` where no source has a role. Of
/// sources that all have one role it is said once: another source of that role changes no vector.
pub fn described(context: &Context, sources: &[EmbedSource]) -> Option<String> {
    let roles = context.plan().recipe.text.source.iter().map(|section| &section.role);
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
