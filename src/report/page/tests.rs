use serde_json::json;

use super::*;
use crate::evaluate::held_out::{BINS, HeldOutFigures, Neighbourhood};
use crate::evaluate::sts::Score;
use crate::report::History;
use crate::summary::tests::model;
use crate::summary::{Fidelity, Stage, extra};

/// A run with everything that a report can show.
fn whole(name: &str) -> Run {
    let mut models = vec![
        model("teacher", Role::Teacher),
        model("student", Role::Student),
        model("student int8", Role::Student),
        model("static, trained", Role::Baseline),
    ];
    for (at, model) in models.iter_mut().enumerate() {
        model.sentences_per_second = Some(500.0 * 7f64.powi(at as i32));
        for set in ["STS12", "STSB"] {
            model.scores.insert(set.into(), Score { spearman: 80.0 - at as f64, pearson: 79.0, pairs: 100 });
        }
        model.average = Some(80.0 - at as f64);
        model.fidelity = Some(Fidelity { cosine: Some(0.9), spearman: 0.8, neighbours_at_10: 0.5 });
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
    Run {
        name: name.into(),
        summary: Summary {
            name: name.into(),
            models,
            stages: vec![Stage { name: "embed".into(), seconds: 12.0, skipped: false }],
            versions: [("limbeck".to_owned(), "0.1.0".to_owned())].into(),
        },
        held_out: Some(held_out),
        histories: vec![teachers, history("distil"), history("static-trained")],
        recipe: format!("name = \"{name}\"\n[distil]\nepochs = {}\n", name.len()),
    }
}

/// What stands between each `open` and the `close` after it.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.split(open).skip(1).map(|rest| rest.split(close).next().unwrap()).collect()
}

#[test]
fn every_figure_has_a_title_names_at_its_axes_and_its_data_as_a_table() {
    for runs in [vec![whole("one")], vec![whole("one"), whole("three")]] {
        let page = page(&runs).unwrap();
        let figures = between(&page, "<figure", "</figure>");
        assert_eq!(figures.len(), 11, "{page}");
        for figure in figures {
            let svg = between(figure, "<svg", "</svg>");
            assert_eq!(svg.len(), 1);
            assert!(!between(svg[0], "<title>", "</title>")[0].is_empty());
            // The name of the y axis is turned; that of the x axis is the last text that isn't a number, and below.
            assert!(svg[0].contains("rotate(270"), "{}", svg[0]);
            let texts = between(svg[0], "<text", "</text>");
            let named =
                texts.iter().filter(|text| !text.contains("rotate(270")).filter_map(|text| text.split_once('>'));
            let words = named.filter(|(_, text)| text.chars().filter(|c| c.is_alphabetic()).count() > 2).count();
            assert!(words > 0, "{texts:?}");
            assert!(figure.contains("<summary>The same as a table</summary>") && figure.contains("<td"));
        }
    }
}

#[test]
fn colours_come_from_the_page_alone() {
    let page = page(&[whole("one")]).unwrap();
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
fn nothing_is_fetched_and_what_a_text_says_is_text() {
    let page = page(&[whole("<b>one</b>")]).unwrap();
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
    assert_eq!(page(&[whole("one")]).unwrap(), page(&[whole("one")]).unwrap());
}

#[test]
fn of_several_runs_what_differs_between_the_recipes_is_shown() {
    let differences = differences(&[whole("one"), whole("three")]);
    assert_eq!(differences.head, ["key", "one", "three"]);
    assert_eq!(differences.rows, [["distil.epochs", "3", "5"], ["name", "\"one\"", "\"three\""]]);
    let page = page(&[whole("one"), whole("three")]).unwrap();
    assert!(page.contains("<th scope=\"row\">three: student int8</th>") && page.contains("three: distil"), "{page}");
}

#[test]
fn neighbours_of_both_are_marked() {
    let page = page(&[whole("one")]).unwrap();
    assert_eq!(page.matches("<li class=\"shared\">").count(), 2);
}

#[test]
fn a_run_with_next_to_nothing_has_a_page_all_the_same() {
    let mut bare = Run { name: "bare".into(), ..Run::default() };
    let empty = page(std::slice::from_ref(&bare)).unwrap();
    assert!(!empty.contains("<figure") && empty.contains("<h1>bare</h1>"));
    // One step, one model, one value: no axis may lose its range.
    bare.summary.models.push(only_model());
    bare.histories.push(History { stage: "distil".into(), loss: vec![(1.0, 0.0)], ..History::default() });
    let page = page(&[bare]).unwrap();
    assert!(page.contains("<figure") && !page.contains("NaN"), "{page}");
}

fn only_model() -> crate::summary::ModelSummary {
    let mut one = model("student", Role::Student);
    one.sentences_per_second = Some(1.0);
    one.fidelity = Some(Fidelity { cosine: None, spearman: 0.0, neighbours_at_10: 0.0 });
    one
}
