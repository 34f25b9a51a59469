//! How long the stages took.

use super::super::plot::{Bar, Group, bars};
use super::super::run::Run;
use super::{Figure, Table, axis, legend_of_runs, plain};
use crate::error::Result;
use crate::run::Stage;

/// The stages' times. The report's own is left out: it isn't over while the report is written.
pub fn stages(runs: &[Run]) -> Result<Option<Figure>> {
    let mut names: Vec<String> = Vec::new();
    for stage in runs.iter().flat_map(|run| &run.summary.stages) {
        if stage.name != Stage::Report.name() && !names.contains(&stage.name) {
            names.push(stage.name.clone());
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    let head = ["stage".to_owned()].into_iter();
    let seconds = |run: &Run| if runs.len() > 1 { format!("{}, s", run.name) } else { "seconds".into() };
    let mut table = Table::new(head.chain(runs.iter().map(seconds)));
    let mut groups = Vec::new();
    for name in names {
        let seconds: Vec<Option<f64>> = runs
            .iter()
            .map(|run| run.summary.stages.iter().find(|stage| stage.name == name).map(|stage| stage.seconds))
            .collect();
        let bars = seconds.iter().enumerate().filter_map(|(colour, value)| Some(Bar { value: (*value)?, colour }));
        groups.push(Group { name: name.clone(), bars: bars.collect() });
        let cells = seconds.iter().map(|value| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}")));
        table.push([name].into_iter().chain(cells));
    }
    let title = "Time of the stages";
    Ok(Some(Figure {
        id: "times",
        title: title.into(),
        note: "How long each stage took when it last ran.".into(),
        legend: legend_of_runs(runs),
        svg: bars(title, (axis("seconds", |value| format!("{value:.1}")), axis("stage", plain)), &groups)?,
        table,
    }))
}
