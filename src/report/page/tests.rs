use serde_json::json;

use super::*;
use crate::measure::fidelity::FidelitySummary;
use crate::measure::held_out::{BINS, HeldOutFigures, Neighbourhood};
use crate::measure::sts::StsScore;
use crate::report::History;
use crate::summary::test_support::model;
use crate::summary::{StageSummary, extra};

/// A run with all data that a report can show.
fn complete(name: &str) -> FinishedRun {
    let mut models = vec![
        model("teacher", ModelRole::Teacher),
        model("student", ModelRole::Student),
        model("student int8", ModelRole::Student),
        model("static, trained", ModelRole::Baseline),
    ];
    for (at, model) in models.iter_mut().enumerate() {
        model.sentences_per_second = Some(500.0 * 7f64.powi(at as i32));
        for set in ["STS12", "STSB"] {
            model.scores.insert(set.into(), StsScore { spearman: 80.0 - at as f64, pearson: 79.0, pairs: 100 });
        }
        model.average = Some(80.0 - at as f64);
        model.fidelity = Some(FidelitySummary { cosine: Some(0.9), spearman: 0.8, neighbours_at_10: 0.5 });
        (model.alignment, model.uniformity) = (Some(0.3 + 0.01 * at as f64), Some(-2.5));
        model.extra.insert(extra::MILLISECONDS_ALONE.into(), json!({"p50": 0.01, "p99": 0.02}));
    }
    let near = |text: &str| Neighbour { text: text.into(), similarity: 0.75 };
    let by =
        [("teacher".to_owned(), vec![near("shared"), near("alone")]), ("student".to_owned(), vec![near("shared")])];
    let mut counts = vec![0; BINS];
    counts[50..60].fill(10);
    let held_out = HeldOutFigures {
        texts: 20,
        pairs: 100,
        similarities: [("teacher".to_owned(), counts.clone()), ("student".to_owned(), counts)].into(),
        neighbours: vec![Neighbourhood { text: "a <script>alert(1)</script> & more".into(), by: by.into() }],
    };
    let history = |stage: &str| History {
        stage: stage.into(),
        loss: vec![(1.0, 0.5), (2.0, 0.4)],
        steps_a_point: 1,
        cosine: vec![(0.0, 0.5), (2.0, 0.8)],
        ..History::default()
    };
    let teachers = History {
        stage: "train-teacher".into(),
        dev: vec![(1.0, 70.0), (2.0, 72.0)],
        space: vec![(-1.5, 0.4), (-2.0, 0.3)],
        cosine: Vec::new(),
        ..history("")
    };
    FinishedRun {
        name: name.into(),
        summary: Summary {
            name: name.into(),
            models,
            stages: vec![StageSummary { name: "embed".into(), seconds: 12.0, skipped: false }],
            versions: [("limbeck".to_owned(), "0.1.0".to_owned())].into(),
            recommended: None,
        },
        held_out: Some(held_out),
        histories: vec![teachers, history("distil"), history("static-trained")],
        recipe: format!("name = \"{name}\"\n[distil]\nepochs = {}\n", name.len()),
    }
}

/// The text between each `open` and the `close` after it.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.split(open).skip(1).map(|rest| rest.split(close).next().unwrap()).collect()
}

#[test]
fn every_figure_has_a_title_names_at_its_axes_and_its_data_as_a_table() {
    for runs in [vec![complete("one")], vec![complete("one"), complete("three")]] {
        let page = page(&runs).unwrap();
        let figures = between(&page, "<figure", "</figure>");
        assert_eq!(figures.len(), 11, "{page}");
        for figure in figures {
            let svg = between(figure, "<svg", "</svg>");
            assert_eq!(svg.len(), 1);
            assert!(!between(svg[0], "<title>", "</title>")[0].is_empty());
            // The name of the y axis is turned; the name of the x axis is the other text with letters.
            assert!(svg[0].contains("rotate(270"), "{}", svg[0]);
            let texts = between(svg[0], "<text", "</text>");
            let named =
                texts.iter().filter(|text| !text.contains("rotate(270")).filter_map(|text| text.split_once('>'));
            let words = named.filter(|(_, text)| text.chars().filter(|c| c.is_alphabetic()).count() > 2).count();
            assert!(words > 0, "{texts:?}");
            assert!(figure.contains("<summary>The same data as a table</summary>") && figure.contains("<td"));
        }
    }
}

#[test]
fn no_axis_repeats_a_label() {
    let page = page(&[complete("one"), complete("three")]).unwrap();
    for svg in between(&page, "<svg", "</svg>") {
        // Labels of one axis have a common x or a common y; those beside bars begin at their place.
        let mut labels: Vec<(&str, &str)> = Vec::new();
        for text in between(svg, "<text ", "</text>") {
            let (attributes, label) = text.split_once('>').unwrap();
            if label.parse::<f64>().is_ok() && !attributes.contains("text-anchor=\"start\"") {
                labels.extend(attributes.split(' ').take(2).map(|place| (place, label)));
            }
        }
        let count = labels.len();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), count, "{svg}");
    }
}

#[test]
fn colours_come_from_the_page_alone() {
    let page = page(&[complete("one")]).unwrap();
    for svg in between(&page, "<svg", "</svg>") {
        for name in ["fill=\"", "stroke=\""] {
            for colour in between(svg, name, "\"") {
                assert!(colour == "none" || colour.starts_with("var(--"), "{colour}");
            }
        }
    }
    // Each variable that is used is set, for light and for dark.
    for used in between(&page, "var(--", ")") {
        let name = format!("--{used}:");
        assert_eq!(page.matches(&name).count(), 2, "{used}");
    }
}

#[test]
fn nothing_is_fetched_and_texts_are_escaped() {
    let page = page(&[complete("<b>one</b>")]).unwrap();
    assert!(!page.contains("<script") && page.contains("a &lt;script&gt;alert(1)&lt;/script&gt; &amp; more"));
    assert!(!page.contains("<b>one</b>"));
    for name in ["src=", "url(", "@import", "<link rel=\"stylesheet"] {
        assert!(!page.contains(name), "{name}");
    }
    assert_eq!(between(&page, "href=\"", "\""), ["data:,"]);
    assert!(page.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'"));
}

#[test]
fn the_same_runs_give_the_same_bytes() {
    assert_eq!(page(&[complete("one")]).unwrap(), page(&[complete("one")]).unwrap());
}

#[test]
fn several_runs_are_shown_with_the_keys_in_which_their_recipes_differ() {
    let differences = differences(&[complete("one"), complete("three")]);
    assert_eq!(differences.head, ["key", "one", "three"]);
    assert_eq!(differences.rows, [["distil.epochs", "3", "5"], ["name", "\"one\"", "\"three\""]]);
    let page = page(&[complete("one"), complete("three")]).unwrap();
    assert!(page.contains("<th scope=\"row\">three: student int8</th>") && page.contains("three: distil"), "{page}");
}

#[test]
fn neighbours_found_by_every_model_are_marked() {
    let page = page(&[complete("one")]).unwrap();
    assert_eq!(page.matches("<li class=\"shared\">").count(), 2);
}

#[test]
fn a_run_with_hardly_any_data_has_a_page() {
    let mut bare = FinishedRun { name: "bare".into(), ..FinishedRun::default() };
    let empty = page(std::slice::from_ref(&bare)).unwrap();
    assert!(!empty.contains("<figure") && empty.contains("<h1>bare</h1>"));
    // One step, one model, one value: no axis may lose its range.
    bare.summary.models.push(only_model());
    bare.histories.push(History { stage: "distil".into(), loss: vec![(1.0, 0.0)], ..History::default() });
    let page = page(&[bare]).unwrap();
    assert!(page.contains("<figure") && !page.contains("NaN"), "{page}");
}

fn only_model() -> crate::summary::ModelSummary {
    let mut one = model("student", ModelRole::Student);
    one.sentences_per_second = Some(1.0);
    one.fidelity = Some(FidelitySummary { cosine: None, spearman: 0.0, neighbours_at_10: 0.0 });
    one
}
