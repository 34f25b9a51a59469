//! [`TableCells`]: the text of a table.

/// The text of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableCells {
    /// The heads of the columns.
    pub head: Vec<String>,
    /// The rows, each with a cell a column.
    pub rows: Vec<Vec<String>>,
}

impl TableCells {
    pub(crate) fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Adds a column with a cell for each of `items`, `none` for an item without a value; no column where no item has a
    /// value.
    pub(super) fn add_column<T>(&mut self, head: &str, items: &[T], none: &str, cell: impl Fn(&T) -> Option<String>) {
        let cells: Vec<Option<String>> = items.iter().map(cell).collect();
        if cells.iter().any(Option::is_some) {
            self.head.push(head.to_owned());
            let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(|| none.to_owned()));
            self.rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell));
        }
    }
}
