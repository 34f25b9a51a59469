//! The time of the stages.

use indexmap::IndexSet;

use super::super::plot::{BarGroup, BarValue, bars};
use super::super::run::FinishedRun;
use super::{Figure, cell, legend_of_runs};
use crate::error::Result;
use crate::summary::TableCells;

/// The stage that writes the report: its time is not known while it writes.
const REPORT: &str = "report";

/// The seconds of each stage.
pub(super) fn stages(runs: &[FinishedRun]) -> Result<Option<Figure>> {
    let names: IndexSet<&str> = runs
        .iter()
        .flat_map(|run| &run.summary.stages)
        .map(|stage| stage.name.as_str())
        .filter(|name| *name != REPORT)
        .collect();
    if names.is_empty() {
        return Ok(None);
    }
    let seconds = |run: &FinishedRun| if runs.len() > 1 { format!("{}, s", run.name) } else { "seconds".into() };
    let mut table = TableCells::new(["stage".to_owned()].into_iter().chain(runs.iter().map(seconds)));
    let mut groups = Vec::new();
    for name in names {
        let seconds_of = |run: &FinishedRun| {
            let stage = run.summary.stages.iter().find(|stage| stage.name == name)?;
            Some(stage.seconds)
        };
        let seconds: Vec<Option<f64>> = runs.iter().map(seconds_of).collect();
        let cells = seconds.iter().map(|value| cell(*value, |value| format!("{value:.1}")));
        table.push([name.to_owned()].into_iter().chain(cells));
        let bars = seconds.iter().enumerate().filter_map(|(colour, value)| Some(BarValue { value: (*value)?, colour }));
        groups.push(BarGroup { name: name.to_owned(), bars: bars.collect() });
    }
    let title = "Time of the stages";
    Ok(Some(Figure {
        id: "times",
        title,
        note: "The time that each stage took when it last ran.".into(),
        legend: legend_of_runs(runs),
        svg: bars(title, "seconds", "stage", &groups)?,
        table,
    }))
}
