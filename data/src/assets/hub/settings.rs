//! [`HubSettings`]: where the hub is, where its files lie, and who asks, as the variables of the hub's own tools say.

use std::fs;
use std::path::{Path, PathBuf};

const USUAL_ENDPOINT: &str = "https://huggingface.co";

/// The address of the hub, the folder of its files, and a token.
#[derive(Debug, Clone, Default)]
pub struct HubSettings {
    /// The address; `None` is `https://huggingface.co`.
    pub endpoint: Option<String>,
    /// The folder for fetched files; `None`: there is none.
    pub cache: Option<PathBuf>,
    /// The token for closed repositories; `None` sends none.
    pub token: Option<String>,
    /// Asks the hub for nothing: what lies in the folder serves.
    pub offline: bool,
}

impl HubSettings {
    /// Reads the variables that `huggingface_hub` reads: `HF_ENDPOINT`; `HF_HUB_CACHE`, else `HF_HOME/hub`, else
    /// `XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`; `HF_TOKEN`, else the token saved in
    /// `HF_TOKEN_PATH`, else in `HF_HOME/token`; `HF_HUB_OFFLINE`.
    pub fn from_env() -> Self {
        Self::from_variables(&|name| std::env::var(name).ok(), etcetera::home_dir().ok().as_deref())
    }

    fn from_variables(variable: &dyn Fn(&str) -> Option<String>, home: Option<&Path>) -> Self {
        let text = |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|text| !text.trim().is_empty()));
        let is_on = |names: &[&str]| {
            text(names).is_some_and(|text| matches!(text.to_lowercase().as_str(), "1" | "on" | "yes" | "true"))
        };
        let folder = |names: &[&str]| text(names).map(|text| below_home(&text, home));
        let caches = folder(&["XDG_CACHE_HOME"]).or_else(|| Some(home?.join(".cache")));
        let files = folder(&["HF_HOME"]).or_else(|| Some(caches?.join("huggingface")));
        let cache = folder(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]).or_else(|| Some(files.as_ref()?.join("hub")));
        let saved = || {
            let path = folder(&["HF_TOKEN_PATH"]).or_else(|| Some(files.as_ref()?.join("token")))?;
            fs::read_to_string(path).ok().filter(|_| !is_on(&["HF_HUB_DISABLE_IMPLICIT_TOKEN"]))
        };
        let token = text(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]).or_else(saved);
        Self {
            endpoint: text(&["HF_ENDPOINT"]),
            cache,
            token: token.map(|token| token.replace(['\r', '\n'], "").trim().to_owned()).filter(|t| !t.is_empty()),
            offline: is_on(&["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]),
        }
    }

    /// The address, without a slash at its end.
    pub(in crate::assets) fn address(&self) -> &str {
        self.endpoint.as_deref().unwrap_or(USUAL_ENDPOINT).trim().trim_end_matches('/')
    }
}

/// The path that a variable holds, in which `~` stands for the home directory.
fn below_home(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_owned(),
        (Some(rest), Some(home)) if rest.starts_with(['/', '\\']) => home.join(&rest[1..]),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)], home: Option<&str>) -> HubSettings {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, text)| (*text).to_owned());
        HubSettings::from_variables(&variable, home.map(Path::new))
    }

    fn cache(variables: &[(&str, &str)], home: Option<&str>) -> Option<PathBuf> {
        with(variables, home).cache
    }

    // The values that huggingface_hub 2.4's constants.py gives for the same variables.
    #[test]
    fn the_folder_is_that_of_the_hubs_own_tools() {
        let is = |variables: &[(&str, &str)], folder: &str| {
            assert_eq!(cache(variables, Some("/home/a")), Some(PathBuf::from(folder)), "{variables:?}");
        };
        is(&[], "/home/a/.cache/huggingface/hub");
        is(&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub");
        is(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/h")], "/h/hub");
        is(&[("HF_HOME", "~/h")], "/home/a/h/hub");
        is(&[("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old")], "/old");
        is(&[("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/c")], "/c");
        is(&[("HF_HUB_CACHE", " ")], "/home/a/.cache/huggingface/hub");
    }

    #[test]
    fn without_a_home_directory_a_named_folder_serves() {
        assert_eq!(cache(&[], None), None);
        assert_eq!(cache(&[("HF_HOME", "/h")], None), Some("/h/hub".into()));
    }

    #[test]
    fn offline_is_told_by_four_words() {
        for (text, offline) in [("1", true), ("ON", true), ("yes", true), ("True", true), ("0", false), ("2", false)] {
            assert_eq!(with(&[("HF_HUB_OFFLINE", text)], None).offline, offline, "{text}");
        }
        assert!(with(&[("TRANSFORMERS_OFFLINE", "1")], None).offline);
        assert!(!with(&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")], None).offline);
    }

    #[test]
    fn the_token_is_the_variable_else_the_saved_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), "saved\n").unwrap();
        fs::write(folder.path().join("other"), " other \n").unwrap();
        let (home, other) = (folder.path().display().to_string(), folder.path().join("other").display().to_string());
        let token = |variables: &[(&str, &str)]| with(variables, None).token;
        let (home, other) = (("HF_HOME", home.as_str()), ("HF_TOKEN_PATH", other.as_str()));
        assert_eq!(token(&[home]).as_deref(), Some("saved"));
        assert_eq!(token(&[home, other]).as_deref(), Some("other"));
        assert_eq!(token(&[home, other, ("HF_TOKEN", "given\n")]).as_deref(), Some("given"));
        assert_eq!(token(&[home, ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        assert_eq!(token(&[]), None);
    }
}
