//! Tables: columns two blanks apart, numbers to the right, no blanks at the ends of lines.
use super::style::{Ink, Style};
use std::io::{self, Write};

/// Rows under titles. Every row has as many cells as there are columns.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A column's title, and the side on which its cells are aligned.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    /// Words.
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
}

/// One cell.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    ink: Ink,
}

impl Table {
    pub(super) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert!(N == self.columns.len());
        self.rows.push(cells.into());
    }

    pub(super) fn write(&self, style: Style, to: &mut impl Write) -> io::Result<()> {
        let widths = self.widths();
        let titles = self.columns.iter().map(|column| Cell { text: column.title().into(), ink: Ink::Head });
        write_row(&titles.collect::<Vec<_>>(), &self.columns, &widths, style, to)?;
        self.rows.iter().try_for_each(|row| write_row(row, &self.columns, &widths, style, to))
    }

    fn widths(&self) -> Vec<usize> {
        let width = |(index, column): (usize, &Column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| length(&cell.text));
            cells.chain([length(column.title())]).max().unwrap_or(0)
        };
        self.columns.iter().enumerate().map(width).collect()
    }
}

impl Column {
    fn title(&self) -> &'static str {
        match self {
            Self::Left(title) | Self::Right(title) => title,
        }
    }
}

impl Cell {
    pub(super) fn inked(ink: Ink, text: impl Into<String>) -> Self {
        Self { text: text.into(), ink }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), ink: Ink::Plain }
    }
}

fn write_row(
    row: &[Cell],
    columns: &[Column],
    widths: &[usize],
    style: Style,
    to: &mut impl Write,
) -> io::Result<()> {
    // Blanks are owed until something follows them, so that no line ends in one.
    let mut owed = 0;
    for ((cell, column), width) in row.iter().zip(columns).zip(widths) {
        let blanks = width.saturating_sub(length(&cell.text));
        let (before, after) = match column {
            Column::Left(_) => (0, blanks),
            Column::Right(_) => (blanks, 0),
        };
        owed += before;
        if !cell.text.is_empty() {
            write!(to, "{:owed$}{}", "", style.paint(cell.ink, &cell.text))?;
            owed = 0;
        }
        owed += after + 2;
    }
    writeln!(to)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_whatever_the_colour_and_lines_end_without_blanks() {
        let mut table = Table::new(&[Column::Left("node"), Column::Right("n"), Column::Left("")]);
        table.row([Cell::inked(Ink::Bad, "a"), "12".into(), "x".into()]);
        table.row(["longer".into(), "3".into(), "".into()]);
        let mut text = Vec::new();
        table.write(Style::PLAIN, &mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "node     n\na       12  x\nlonger   3\n");
        let mut painted = Vec::new();
        table.write(Style { colour: true, drawing: false }, &mut painted).unwrap();
        assert!(String::from_utf8(painted).unwrap().contains("\x1b[1;31ma\x1b[0m       12  x\n"));
    }
}
