//! [`Repository`]: what the hub calls a model or a data set.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands in the path of a URL as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &PLAIN.remove(b'/');

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::assets) enum RepositoryKind {
    Model,
    DataSet,
}

/// A repository: `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::assets) struct Repository {
    pub kind: RepositoryKind,
    pub name: String,
}

impl Repository {
    /// The name that tells it from those of the other kind.
    pub(in crate::assets) fn full_name(&self) -> String {
        match self.kind {
            RepositoryKind::Model => self.name.clone(),
            RepositoryKind::DataSet => format!("datasets/{}", self.name),
        }
    }

    /// The folder of its files among those of other repositories.
    pub(super) fn folder_name(&self) -> String {
        format!("{}--{}", self.plural(), self.name.replace('/', "--"))
    }

    /// Where the hub lists its files.
    pub(super) fn list_url(&self, endpoint: &str, revision: &str) -> String {
        format!("{endpoint}/api/{}/{}/revision/{}", self.plural(), self.name, utf8_percent_encode(revision, PLAIN))
    }

    /// Where the hub has one of its files.
    pub(super) fn file_url(&self, endpoint: &str, revision: &str, file: &str) -> String {
        let (revision, file) = (utf8_percent_encode(revision, PLAIN), utf8_percent_encode(file, PATH));
        format!("{endpoint}/{}/resolve/{revision}/{file}", self.full_name())
    }

    fn plural(&self) -> &'static str {
        match self.kind {
            RepositoryKind::Model => "models",
            RepositoryKind::DataSet => "datasets",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // As huggingface_hub 2.4's hf_hub_url and repo_folder_name have them.
    #[test]
    fn addresses_and_folders_are_those_of_the_hubs_own_tools() {
        let data = Repository { kind: RepositoryKind::DataSet, name: "o/n".into() };
        assert_eq!(data.folder_name(), "datasets--o--n");
        assert_eq!(
            data.file_url("https://h", "refs/convert/parquet", "a b/c#1.parquet"),
            "https://h/datasets/o/n/resolve/refs%2Fconvert%2Fparquet/a%20b/c%231.parquet"
        );
        assert_eq!(data.list_url("https://h", "refs/pr/1"), "https://h/api/datasets/o/n/revision/refs%2Fpr%2F1");
        let model = Repository { kind: RepositoryKind::Model, name: "o/n".into() };
        assert_eq!(model.folder_name(), "models--o--n");
        assert_eq!(model.file_url("https://h", "main", "x.json"), "https://h/o/n/resolve/main/x.json");
    }
}
