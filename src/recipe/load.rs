//! Reads recipes: the file, the recipes that it names as `base`, and overrides.

use std::path::Path;

use toml::{Table, Value};

use super::schema::Recipe;
use crate::error::{Error, Result};

/// The most recipes in a chain of `base`.
const DEPTH: usize = 8;
/// The place that errors in overrides name.
pub(super) const COMMAND_LINE: &str = "the command line";

/// Reads the recipe at `path`, laid over the one that it names as `base`, with `overrides` (`a.b=value`) put over both.
///
/// # Errors
/// A file that can't be read or isn't TOML, an unknown key (the error names the nearest known one), a value of the
/// wrong type, an override without `=`, recipes that are laid over one another in a circle.
pub fn read(path: &Path, overrides: &[String]) -> Result<Recipe> {
    Ok(read_table(path, overrides, DEPTH)?.1)
}

/// The recipe at `path` over its bases: as a table, and as what the table means.
fn read_table(path: &Path, overrides: &[String], depth: usize) -> Result<(Table, Recipe)> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let hint = (error.kind() == std::io::ErrorKind::NotFound).then_some("recipes lie in pipelines/");
        wrong(path, format!("cannot be read ({error})"), hint)
    })?;
    // First alone, so that an error shows its line; then over its base and under the overrides.
    let alone: Recipe = toml::from_str(&text).map_err(|error| explain(&error, path))?;
    let mut table: Table = text.parse().map_err(|error| explain(&error, path))?;
    let mut over = None;
    if let Some(base) = &alone.base {
        if depth == 0 {
            return Err(wrong(path, "lies over recipes that end nowhere", Some("`base` must not lead in a circle")));
        }
        let base = path.parent().unwrap_or(Path::new("")).join(base);
        let (mut below, recipe) = read_table(&base, &[], depth - 1)?;
        below.remove("name");
        lay_over(&mut below, table);
        table = below;
        over = Some(Box::new((base, recipe)));
    }
    // The file's own mistakes first: any error after that comes from the overrides.
    let mut recipe = put_over(table.clone(), &[], path)?;
    if !overrides.is_empty() {
        recipe = put_over(table.clone(), overrides, Path::new(COMMAND_LINE))?;
    }
    recipe.over = over;
    if recipe.name.is_empty() {
        recipe.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    }
    Ok((table, recipe))
}

/// Puts what `upper` says over `lower`: tables key by key, anything else whole.
fn lay_over(lower: &mut Table, upper: Table) {
    for (key, value) in upper {
        match (lower.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            (_, value) => {
                lower.insert(key, value);
            }
        }
    }
}

/// Reads a recipe that the program carries as `text`, with `overrides` put over it; errors name `place`.
///
/// # Errors
/// As [`read`]. A recipe that the program carries has no base.
pub fn read_carried(text: &str, place: &Path, overrides: &[String]) -> Result<Recipe> {
    let table: Table = text.parse().map_err(|error| explain(&error, place))?;
    put_over(table, overrides, Path::new(COMMAND_LINE))
}

/// A recipe of `overrides` alone.
pub fn from_overrides(overrides: &[String]) -> Result<Recipe> {
    put_over(Table::new(), overrides, Path::new(COMMAND_LINE))
}

/// The recipe of `table` under `overrides`; errors name `place`.
fn put_over(mut table: Table, overrides: &[String], place: &Path) -> Result<Recipe> {
    for assignment in overrides {
        let bad = |what| wrong(place, format!("--set {assignment}: {what}"), Some("write --set distil.epochs=3"));
        let (key, value) = assignment.split_once('=').ok_or_else(|| bad("there is no `=`"))?;
        if key.trim() == "base" {
            return Err(bad("a recipe's base stands in its file"));
        }
        set(&mut table, key.trim(), value.trim()).map_err(bad)?;
    }
    table.try_into().map_err(|error| explain(&error, place))
}

fn wrong(place: &Path, what: impl Into<String>, hint: Option<&str>) -> Error {
    Error::Recipe { path: place.into(), what: what.into(), hint: hint.map(Into::into) }
}

/// The whole recipe, defaults and all, as TOML.
pub fn resolved(recipe: &Recipe) -> String {
    toml::to_string(recipe).unwrap_or_else(|error| format!("# cannot be written: {error}\n"))
}

/// Puts `value` (TOML; what isn't TOML is a string) at the dotted `key`.
fn set(table: &mut Table, key: &str, value: &str) -> std::result::Result<(), &'static str> {
    let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    let value = parsed.unwrap_or_else(|| Value::String(value.into()));
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().filter(|last| !last.is_empty()).ok_or("there is no key before the `=`")?;
    let mut here = table;
    for part in parts {
        here = here
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .ok_or("a part of the key before the last names no section")?;
    }
    here.insert(last.into(), value);
    Ok(())
}

/// The parser's message with its line; of an unknown key, the nearest known one. serde tells an unknown key, and the
/// known ones, in its message alone: hence the look at the words.
fn explain(error: &toml::de::Error, place: &Path) -> Error {
    let mut quoted = error.message().split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| error.message().starts_with("unknown "));
    let near = |name: &&str| unknown.map(|unknown| (strsim::jaro_winkler(unknown, name) * 1e6) as u64);
    let nearest = quoted.max_by_key(near).filter(|_| unknown.is_some());
    let hint = nearest.map(|name| format!("the nearest known one is `{name}`"));
    wrong(place, error.to_string().trim_end(), hint.as_deref())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;

    use super::*;
    use crate::recipe::{SourceSection, TeacherSection, TextSection, TrainTeacherSection};

    fn recipe(text: &str, overrides: &[&str]) -> Result<Recipe> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, text).unwrap();
        read(&path, &overrides.iter().map(|o| o.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn an_empty_recipe_is_all_defaults_and_named_after_its_file() {
        let recipe = recipe("", &[]).unwrap();
        assert_eq!(recipe, Recipe { name: "mine".into(), ..Recipe::default() });
    }

    /// The reference of all keys, as it stands and with those behind `#`.
    fn every_key() -> [Table; 2] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/every-key.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let key = |line: &str| {
            let (name, _) = line.split_once(" = ").unwrap_or_default();
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.' || c.is_ascii_digit())
        };
        let whole = text.lines().map(|line| line.strip_prefix("# ").filter(|line| key(line)).unwrap_or(line));
        [text.parse().unwrap(), whole.collect::<Vec<_>>().join("\n").parse().unwrap()]
    }

    #[test]
    fn the_reference_of_all_keys_has_the_defaults() {
        let [defaults, whole] = every_key();
        let expected = Recipe {
            teacher: Some(TeacherSection::default()),
            train_teacher: Some(TrainTeacherSection::default()),
            text: TextSection { source: vec![SourceSection::default()], ..TextSection::default() },
            ..Recipe::default()
        };
        assert_eq!(Recipe::deserialize(defaults).unwrap(), expected);
        assert!(Recipe::deserialize(whole).is_ok());
    }

    #[test]
    fn the_reference_of_all_keys_has_every_key() {
        let [_, whole] = every_key();
        // An unknown key's error names all that are known in its place.
        fn check(whole: &Table, places: &mut Vec<String>, checked: &mut usize) {
            let mut asked: Table = Table::new();
            let mut here = &mut asked;
            let mut there = whole;
            for place in places.iter() {
                here = here.entry(place).or_insert_with(|| Value::Table(Table::new())).as_table_mut().unwrap();
                there = there[place].as_table().unwrap();
            }
            here.insert("unknown".into(), Value::Boolean(true));
            if let Err(error) = Recipe::deserialize(asked)
                && error.message().starts_with("unknown field `unknown`")
            {
                for known in error.message().split('`').skip(3).step_by(2) {
                    assert!(there.contains_key(known), "docs/every-key.toml has no `{known}` in {places:?}");
                    *checked += 1;
                }
            }
            let tables = there.iter().filter(|(_, value)| value.is_table()).map(|(key, _)| key.clone());
            for table in tables.collect::<Vec<_>>() {
                places.push(table);
                check(whole, places, checked);
                places.pop();
            }
        }
        let mut checked = 0;
        check(&whole, &mut Vec::new(), &mut checked);
        assert!(checked > 120, "{checked}");
    }

    #[test]
    fn an_unknown_key_names_the_nearest_and_its_line() {
        let error = recipe("name = \"x\"\n[distil]\nepoch = 3\n", &[]).unwrap_err();
        assert!(error.to_string().contains("line 3"), "{error}");
        assert_eq!(error.hint().unwrap(), "the nearest known one is `epochs`");
        let error = recipe("[sudent]\n", &[]).unwrap_err();
        assert_eq!(error.hint().unwrap(), "the nearest known one is `student`");
    }

    #[test]
    fn what_is_wrong_with_an_override_is_said_of_the_command_line_and_not_of_the_file() {
        for wrong in ["distil.epoch=3", "distil.epochs=x", "distil=3", "distil.epochs"] {
            let error = recipe("[distil]\nepochs = 1\n", &[wrong]).unwrap_err().to_string();
            assert!(error.starts_with("the command line: ") && !error.contains("mine.toml"), "{error}");
        }
        let error = recipe("[distil]\nepoch = 1\n", &["distil.epochs=2"]).unwrap_err().to_string();
        assert!(error.contains("mine.toml"), "{error}");
    }

    #[test]
    fn overrides_go_over_what_the_recipe_says_in_any_type() {
        let overrides = ["distil.epochs=5", "name=other", "distil.losses.infonce.weight=0.1", "student.skip = false"];
        let recipe = recipe("[distil]\nepochs = 1\n", &overrides).unwrap();
        assert_eq!((recipe.distil.epochs, recipe.name.as_str(), recipe.student.skip), (5, "other", false));
        assert_eq!(recipe.distil.losses.infonce.weight, 0.1);
    }

    #[test]
    fn a_key_of_a_student_s_simcse_leaves_the_others_as_they_are_for_students() {
        let batch = |recipe: &Recipe| (recipe.train_student.simcse.batch, recipe.train_student.simcse.learning_rate);
        let (all, one) = (recipe("", &[]).unwrap(), recipe("", &["train_student.simcse.denominator=2n-1"]).unwrap());
        assert_eq!(batch(&all), batch(&one));
        let wrong = recipe("[train_student.simcse]\nbatsh = 3\n", &[]).unwrap_err();
        assert!(wrong.to_string().contains("batsh") && wrong.hint().unwrap().contains("`batch`"), "{wrong}");
    }

    #[test]
    fn an_unknown_key_in_an_override_is_refused_too() {
        assert_eq!(recipe("", &["distil.epoch=5"]).unwrap_err().hint().unwrap(), "the nearest known one is `epochs`");
        assert!(recipe("", &["distil"]).unwrap_err().to_string().contains("no `=`"));
    }

    #[test]
    fn a_recipe_laid_over_another_says_only_what_differs() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("base.toml", "name = \"all\"\n[teacher]\nsource = \"t\"\n[distil]\nepochs = 5\nbatch = 64\n");
        write("mine.toml", "base = \"base.toml\"\n[distil]\nepochs = 1\n");
        let recipe = read(&folder.path().join("mine.toml"), &["distil.seed=7".into()]).unwrap();
        assert_eq!((recipe.name.as_str(), recipe.distil.epochs, recipe.distil.batch), ("mine", 1, 64));
        assert_eq!((recipe.teacher.unwrap().source.as_str(), recipe.distil.seed), ("t", 7));
        let (path, base) = *recipe.over.unwrap();
        assert_eq!((path, base.name.as_str(), base.distil.seed), (folder.path().join("base.toml"), "all", 1));
        write("round.toml", "base = \"round.toml\"\n");
        assert!(read(&folder.path().join("round.toml"), &[]).unwrap_err().hint().unwrap().contains("circle"));
        write("lost.toml", "base = \"none.toml\"\n");
        assert!(read(&folder.path().join("lost.toml"), &[]).unwrap_err().to_string().contains("none.toml"));
    }

    #[test]
    fn a_resolved_recipe_reads_as_itself() {
        let first = recipe("[teacher]\nsource = \"x\"\n[[text.source]]\nuri = \"y\"\n", &["threads=2"]).unwrap();
        assert_eq!(recipe(&resolved(&first), &[]).unwrap(), first);
    }
}
