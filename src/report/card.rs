//! The student's card: the README.md of its folder, with the front matter that the Hugging Face hub reads.
//!
//! What the recipe and the measurements don't say, the card doesn't claim: a licence that isn't given is said to be unknown.

use std::fmt::Write as _;

use limbeck_data::assets::Uri;

use crate::recipe::{Method, Recipe, resolved};
use crate::summary::table::{count, size, speed, times};
use crate::summary::{ModelSummary, Role, Summary, extra, table_cells};

/// The card of the student that `recipe` made and `summary` measured.
pub fn card(summary: &Summary, recipe: &Recipe) -> String {
    let mut card = front_matter(summary, recipe);
    let _ = write!(card, "\n# {}\n\n{}\n", summary.name, introduction(summary, recipe));
    let _ = write!(card, "\n## Scores\n\n{}", scores(summary));
    let _ = write!(card, "\n## Speed\n\n{}", speeds(summary));
    let _ = write!(card, "\n## How to use\n\n{}", usage(recipe));
    let _ = write!(card, "\n## Limits\n\n{}", limits(summary, recipe));
    let _ = write!(card, "\n## Teacher and data\n\n{}", sources(recipe));
    let _ = write!(card, "\n## Recipe\n\n```toml\n{}```\n", resolved(recipe));
    card
}

/// A YAML scalar: JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `owner/name` of what lies on the Hugging Face hub.
fn on_hub(uri: &str) -> Option<String> {
    match uri.parse() {
        Ok(Uri::Hub { repository, .. }) => Some(repository),
        _ => None,
    }
}

fn student(summary: &Summary) -> Option<&ModelSummary> {
    summary.models.iter().find(|model| model.role == Role::Student)
}

fn is_distilled(recipe: &Recipe) -> bool {
    recipe.student.methods.contains(&Method::Distil)
}

/// What a method is called in the literature.
fn name_of(method: Method) -> &'static str {
    match method {
        Method::Distil => "distillation",
        Method::Simcse => "SimCSE",
        Method::AmSoftmax => "AM-softmax",
    }
}

fn front_matter(summary: &Summary, recipe: &Recipe) -> String {
    let mut yaml = String::from("---\n");
    let mut list = |name: &str, values: &[String]| {
        if !values.is_empty() {
            let _ = writeln!(yaml, "{name}:");
            values.iter().for_each(|value| {
                let _ = writeln!(yaml, "- {}", quoted(value));
            });
        }
    };
    list("language", &recipe.card.language);
    list("license", recipe.card.license.as_slice());
    list("base_model", on_hub(&recipe.teacher.as_ref().map_or_else(String::new, |t| t.source.clone())).as_slice());
    let mut data: Vec<String> = recipe.text.source.iter().filter_map(|source| on_hub(&source.uri)).collect();
    data.dedup();
    list("datasets", &data);
    let mut tags = vec!["sentence-similarity", "feature-extraction", "limbeck", "textcnn"];
    tags.extend(is_distilled(recipe).then_some("distillation"));
    list("tags", &tags.into_iter().map(String::from).collect::<Vec<_>>());
    yaml += "library_name: limbeck\npipeline_tag: sentence-similarity\n";
    // One licence and one base model are given as such, not as a list.
    for name in ["license", "base_model"] {
        yaml = yaml.replace(&format!("{name}:\n- "), &format!("{name}: "));
    }
    if let Some(student) = student(summary).filter(|student| !student.scores.is_empty()) {
        let _ = write!(yaml, "model-index:\n- name: {}\n  results:\n", quoted(&summary.name));
        for (set, score) in &student.scores {
            let _ = write!(
                yaml,
                "  - task:\n      type: sts\n      name: Semantic textual similarity\n    dataset:\n      type: {set}\n      \
                 name: {set}\n    metrics:\n    - type: cosine_spearman\n      value: {:.2}\n      name: Spearman of \
                 cosines × 100\n",
                score.spearman,
                set = quoted(set)
            );
        }
    }
    yaml + "---\n"
}

fn introduction(summary: &Summary, recipe: &Recipe) -> String {
    let teacher = match (&recipe.teacher, &recipe.cache.path) {
        (Some(teacher), _) => format!("`{}`", teacher.source),
        (None, Some(cache)) => format!("the vectors in `{cache}`"),
        (None, None) => "its teacher".into(),
    };
    let mut text = if is_distilled(recipe) {
        format!(
            "A sentence encoder distilled with limbeck from {teacher}. It gives a text a vector in the teacher's space, so that \
             either can embed the documents that the other's queries are sought in."
        )
    } else {
        let methods: Vec<&str> = recipe.student.methods.iter().map(|&method| name_of(method)).collect();
        format!(
            "A sentence encoder trained with limbeck by {}. It was not distilled: its vectors lie in a space of their own, and \
             can't be sought among those of {teacher}, which it is measured beside.",
            methods.join(" and ")
        )
    };
    if let Some(student) = student(summary) {
        let _ = write!(text, "\n\n{} parameters, vectors of {} numbers.", count(student.parameters), student.dimension);
    }
    text
}

fn scores(summary: &Summary) -> String {
    let (head, rows) = table_cells(summary);
    // Speeds have a table of their own.
    let shown: Vec<usize> =
        (0..head.len()).filter(|&at| !["sentences/s", "x teacher"].contains(&head[at].as_str())).collect();
    let cells = |row: &[String]| -> Vec<String> { shown.iter().filter_map(|&at| row.get(at).cloned()).collect() };
    let mut text = table(&cells(&head), rows.iter().map(|row| cells(row)));
    text += "\nScores on STS sets are Spearman's rank correlation × 100. *cosine*, *spearman* and *nn@10* are agreement with \
             the teacher on held-out text; *one space* is the share of the teacher's ten nearest neighbours that this \
             model's queries find among the teacher's documents. The static model trained on the same targets is the \
             control: what it scores too, word order had no part in.\n";
    let sets: Vec<&String> = summary.models.iter().flat_map(|model| model.scores.keys()).collect();
    if let (Some(student), true) = (student(summary), sets.len() > 5 * summary.models.len()) {
        let rows = student.scores.iter().map(|(set, score)| vec![set.clone(), format!("{:.2}", score.spearman)]);
        text += &format!("\n{}", table(&["set".into(), "student".into()], rows));
    }
    text
}

fn speeds(summary: &Summary) -> String {
    let teacher = summary.models.iter().find(|model| model.role == Role::Teacher);
    let teacher = teacher.and_then(|teacher| teacher.sentences_per_second).filter(|&speed| speed > 0.0);
    let rows: Vec<Vec<String>> = summary
        .models
        .iter()
        .filter_map(|model| {
            let own = model.sentences_per_second?;
            let alone = model.extra.get(extra::MILLISECONDS_ALONE).and_then(|alone| alone["p50"].as_f64());
            Some(vec![
                model.name.clone(),
                speed(own),
                teacher.map_or_else(|| "-".into(), |teacher| times(own / teacher)),
                alone.map_or_else(|| "-".into(), |alone| format!("{alone:.3}")),
                model.threads.to_string(),
                size(model.bytes),
            ])
        })
        .collect();
    if rows.is_empty() {
        return "Not measured.\n".into();
    }
    let head = ["model", "sentences/s", "x teacher", "one alone, ms", "threads", "size"].map(String::from);
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    table(&head, rows)
        + &format!(
            "\nMedians of rounds in which the models take turns on one {machine} machine ({system}) with so many threads, \
             tokenizing included. Another machine gives other speeds; the ratio to the teacher carries over better.\n"
        )
}

fn usage(recipe: &Recipe) -> String {
    let name = &recipe.name;
    let (custom, note) = if recipe.student.attention.heads > 0 {
        (
            ", trust_remote_code=True",
            "\nThe student's attention heads are a short module in that folder, which `trust_remote_code` lets run: read it first.\n",
        )
    } else {
        ("", "")
    };
    format!(
        "With this folder as `{name}`, on the command line:\n\n```sh\nlimbeck encode --model {name} --input texts.txt --to vectors.npy\n```\n\n\
         In Rust, with the crate `limbeck-encoder` and the folded file that `limbeck export --model {name} --format folded \
         --precision int8 --to {name}.limbeck` writes:\n\n```rust\nlet student = \
         limbeck_encoder::Student::load(\"{name}.limbeck\")?;\nlet vectors = student.encode(&[\"A man plays a \
         guitar.\", \"Someone makes music.\"])?;\n```\n\nIn Python, with the folder that `limbeck export --model {name} \
         --format sentence-transformers --to {name}-st` writes:\n\n```python\nfrom sentence_transformers import \
         SentenceTransformer\nmodel = SentenceTransformer(\"{name}-st\"{custom})\nvectors = model.encode([\"A man plays a \
         guitar.\", \"Someone makes music.\"])\n```\n{note}"
    )
}

fn limits(summary: &Summary, recipe: &Recipe) -> String {
    let mut text = String::new();
    let language = if recipe.card.language.is_empty() {
        "The recipe names no language: expect good vectors only for text like that it was trained on".to_owned()
    } else {
        format!(
            "It was trained on text in: {}. Other languages have not been measured",
            recipe.card.language.join(", ")
        )
    };
    let _ = writeln!(text, "- {language}.");
    let length = match recipe.student.max_tokens {
        Some(tokens) => format!("Text past {tokens} tokens is cut off"),
        None => "Texts of any length are read whole".into(),
    };
    // A cache made elsewhere says nothing of its texts.
    let learned = recipe.teacher.as_ref().map(|_| {
        format!("; it learned from texts of {} to {} characters", recipe.text.min_chars, recipe.text.max_chars)
    });
    let _ = writeln!(text, "- {length}{}.", learned.unwrap_or_default());
    let student_ = &recipe.student;
    let heads = (student_.attention.heads > 0).then_some(student_.attention.width);
    let widest = student_.convolutions.iter().map(|convolution| convolution.width).chain(heads).max();
    let order = match widest {
        Some(width) => format!("It sees the order of words within {width} tokens, and none beyond"),
        None => "It is a bag of words and sees no order at all".into(),
    };
    let measured = student(summary).and_then(|student| student.extra.get(extra::WORD_ORDER)?.as_f64());
    // Of tokens that reach over words another order makes other ones: then a bag of them isn't blind to it.
    let control = summary.models.iter().filter(|model| model.role == Role::Baseline);
    let control = control.filter_map(|model| model.extra.get(extra::WORD_ORDER)?.as_f64()).next_back();
    let scale = match control.filter(|figure| figure.abs() >= 0.05) {
        Some(figure) => {
            format!("1 is the teacher; the static control has {figure:.2}, since its tokens change with the order")
        }
        None => "1 is the teacher, 0 a bag of words".into(),
    };
    let measured = measured.map_or_else(
        || "; word order was not measured".to_owned(),
        |figure| {
            format!(
                ". Its similarities of sentences with the same words in another order have a Spearman of {figure:.2} with \
                 the teacher's ({scale})"
            )
        },
    );
    let _ = writeln!(text, "- {order}{measured}.");
    let _ = match is_distilled(recipe) {
        true => writeln!(
            text,
            "- What its teacher gets wrong, it was taught. It has the biases of the teacher and of the text."
        ),
        false => writeln!(text, "- It has the biases of the text."),
    };
    text
}

fn sources(recipe: &Recipe) -> String {
    let licence = |uri: &str| recipe.card.licenses.get(uri).map_or("licence unknown", String::as_str);
    let mut text = String::new();
    if let Some(teacher) = &recipe.teacher {
        let _ = writeln!(text, "- teacher: `{}` ({})", teacher.source, licence(&teacher.source));
    }
    if let Some(cache) = &recipe.cache.path {
        let _ = writeln!(text, "- vectors and texts: `{cache}` ({})", licence(cache));
    }
    for source in &recipe.text.source {
        let _ = writeln!(text, "- text: `{}` ({})", source.uri, licence(&source.uri));
    }
    for left_out in &recipe.text.exclude {
        let _ = writeln!(text, "- never trained on: the sentences of `{left_out}`");
    }
    text
}

/// A table in Markdown.
fn table(head: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = line(head);
    text += &line(
        &head.iter().enumerate().map(|(at, _)| if at == 0 { "---" } else { "--:" }.to_owned()).collect::<Vec<_>>(),
    );
    rows.into_iter().for_each(|row| text += &line(&row));
    text
}

#[cfg(test)]
mod tests;
