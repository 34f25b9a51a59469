//! [`TextFormat`]: the format of a text file, which its name tells.

use std::path::Path;

use super::compression::Compression;

/// The format of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextFormat {
    Lines,
    JsonLines,
    /// An array, or else JSON lines.
    Json,
    Tsv,
    Csv,
    Parquet,
    /// Python, each function a row.
    Python,
}

/// The format that a file's extension tells.
pub(crate) fn format_of(path: &Path) -> Option<TextFormat> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let (name, compression) = Compression::of_name(&name);
    match name.rsplit_once('.')?.1 {
        "txt" | "text" | "md" | "markdown" => Some(TextFormat::Lines),
        "jsonl" | "ndjson" => Some(TextFormat::JsonLines),
        "json" => Some(TextFormat::Json),
        "tsv" => Some(TextFormat::Tsv),
        "csv" => Some(TextFormat::Csv),
        "parquet" if compression.is_none() => Some(TextFormat::Parquet),
        "py" => Some(TextFormat::Python),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_format() {
        let format = |name: &str| format_of(Path::new(name));
        assert_eq!(format("a/b.TXT"), Some(TextFormat::Lines));
        assert_eq!(format("STSB.test.tsv.gz"), Some(TextFormat::Tsv));
        assert_eq!(format("x.ndjson.ZST"), Some(TextFormat::JsonLines));
        assert_eq!(format("x.json.xz"), Some(TextFormat::Json));
        for name in ["README.md", "a.markdown.bz2", "a.text"] {
            assert_eq!(format(name), Some(TextFormat::Lines), "{name}");
        }
        assert_eq!(format("x.parquet"), Some(TextFormat::Parquet));
        assert_eq!(format("x.parquet.gz"), None);
        assert_eq!(format("README"), None);
        assert_eq!(format("a.doc"), None);
        assert_eq!(format("txt"), None);
    }
}
