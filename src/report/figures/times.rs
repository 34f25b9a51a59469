//! The time of the stages.

use super::super::plot::{BarChart, BarGroup, BarValue, bars};
use super::super::run::FinishedRun;
use super::{Figure, legend_of_runs};
use crate::error::Result;
use crate::summary::TableCells;

/// The stage that writes the report: its time is not known while it writes.
const REPORT: &str = "report";

/// The seconds of each stage.
pub(super) fn stages(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let mut names: Vec<String> = Vec::new();
    for stage in runs.iter().flat_map(|run| &run.summary.stages) {
        if stage.name != REPORT && !names.contains(&stage.name) {
            names.push(stage.name.clone());
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    let head = ["stage".to_owned()].into_iter();
    let seconds = |run: &FinishedRun| if runs.len() > 1 { format!("{}, s", run.name) } else { "seconds".into() };
    let mut table = TableCells::new(head.chain(runs.iter().map(seconds)));
    let mut groups = Vec::new();
    for name in names {
        let seconds: Vec<Option<f64>> = runs
            .iter()
            .map(|run| run.summary.stages.iter().find(|stage| stage.name == name).map(|stage| stage.seconds))
            .collect();
        let bars = seconds.iter().enumerate().filter_map(|(colour, value)| Some(BarValue { value: (*value)?, colour }));
        groups.push(BarGroup { name: name.clone(), bars: bars.collect() });
        let cells = seconds.iter().map(|value| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}")));
        table.push([name].into_iter().chain(cells));
    }
    let title = "Time of the stages";
    Ok(Some(Figure {
        id: "times",
        title: title.into(),
        note: "The time that each stage took when it last ran.".into(),
        legend: legend_of_runs(runs),
        svg: bars(BarChart { title, value: "seconds", group: "stage", groups: &groups })?,
        table,
    }))
}
