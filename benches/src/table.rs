//! Tables of figures with their units, for a terminal or for benches/README.md.
use std::time::Duration;

/// How a table is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Aligned columns for people.
    Text,
    /// A Markdown table.
    Markdown,
}

/// A titled table; the first column is text, all others are figures.
#[derive(Clone, Debug)]
pub struct Table {
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    /// Returns a table without rows.
    pub fn new(title: &str, head: &[&str]) -> Self {
        let head = head.iter().map(|&cell| cell.to_owned()).collect();
        Self { title: title.to_owned(), head, rows: vec![], notes: vec![] }
    }

    /// Adds a row; missing cells are empty, cells beyond the head are dropped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.head.len(), String::new());
        self.rows.push(cells);
        self
    }

    /// Adds a line below the table: how it was measured, what it does not say.
    pub fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.notes.push(note.into());
        self
    }

    /// Returns the table as text that ends in a line feed.
    pub fn render(&self, style: Style) -> String {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| self.lines().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = match style {
            Style::Text => format!("{}\n", self.title),
            Style::Markdown => format!("### {}\n\n", self.title),
        };
        for (index, row) in self.lines().enumerate() {
            text.push_str(&line(row, &widths, style));
            if index == 0 {
                text.push_str(&rule(&widths, style));
            }
        }
        for note in &self.notes {
            if style == Style::Markdown {
                text.push('\n');
            }
            text.push_str(note);
            text.push('\n');
        }
        text
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        [&self.head].into_iter().chain(&self.rows)
    }
}

fn line(cells: &[String], widths: &[usize], style: Style) -> String {
    let padded = cells.iter().zip(widths).enumerate().map(|(column, (cell, &width))| match column {
        0 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    let padded: Vec<_> = padded.collect();
    match style {
        Style::Text => format!("  {}\n", padded.join("  ").trim_end()),
        Style::Markdown => format!("| {} |\n", padded.join(" | ")),
    }
}

fn rule(widths: &[usize], style: Style) -> String {
    match style {
        Style::Text => format!("  {}\n", "-".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1))),
        Style::Markdown => {
            let dashes = widths.iter().enumerate().map(|(column, &width)| match column {
                0 => "-".repeat(width.max(3)),
                _ => format!("{}:", "-".repeat(width.max(3) - 1)),
            });
            format!("| {} |\n", dashes.collect::<Vec<_>>().join(" | "))
        }
    }
}

/// Returns a time with three digits that count: `0.24 ms`, `183 ms`, `2.86 s`.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s >= 1.0 => format!("{} s", digits(s)),
        s if s >= 100e-6 => format!("{} ms", digits(s * 1e3)),
        s if s >= 1e-6 => format!("{} us", digits(s * 1e6)),
        s => format!("{} ns", digits(s * 1e9)),
    }
}

/// Returns a rate in thousands or millions a second: `1.24 M/s`.
pub fn rate(per_second: f64) -> String {
    match per_second {
        r if r >= 1e6 => format!("{} M/s", digits(r / 1e6)),
        r if r >= 1e3 => format!("{} k/s", digits(r / 1e3)),
        r => format!("{} /s", digits(r)),
    }
}

/// Returns bytes: `208 B`, `1.50 MiB`.
pub fn bytes(bytes: f64) -> String {
    match bytes {
        b if b >= 1_048_576.0 => format!("{} MiB", digits(b / 1_048_576.0)),
        b if b >= 10_240.0 => format!("{} KiB", digits(b / 1024.0)),
        b => format!("{} B", digits(b)),
    }
}

/// Returns a ratio with three decimals: `0.987`.
pub fn ratio(ratio: f64) -> String {
    format!("{ratio:.3}")
}

/// Three digits that count, without an exponent.
fn digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("Title", &["what", "ours", "peer"]);
        table.row(["long name", "1", "22"]).row(["x"]).note("A note.");
        table
    }

    #[test]
    fn text_is_aligned_with_figures_to_the_right() {
        let text = "Title\n  what       ours  peer\n  ---------------------\n  long name     1    22\n  x\nA note.\n";
        assert_eq!(table().render(Style::Text), text);
    }

    #[test]
    fn markdown_is_a_table_under_a_heading() {
        let text = "### Title\n\n| what      | ours | peer |\n| --------- | ---: | ---: |\n\
            | long name |    1 |   22 |\n| x         |      |      |\n\nA note.\n";
        assert_eq!(table().render(Style::Markdown), text);
    }

    #[test]
    fn figures_carry_their_unit_and_three_digits() {
        let check = |ns, expected: &str| assert_eq!(time(Duration::from_nanos(ns)), expected);
        check(12, "12.0 ns");
        check(1_234, "1.23 us");
        check(99_000, "99.0 us");
        check(240_000, "0.24 ms");
        check(183_400_000, "183 ms");
        check(2_856_000_000, "2.86 s");
        assert_eq!(rate(1_240_000.0), "1.24 M/s");
        assert_eq!(rate(56_000.0), "56.0 k/s");
        assert_eq!(bytes(208.0), "208 B");
        assert_eq!(bytes(1_572_864.0), "1.50 MiB");
        assert_eq!(ratio(0.987_4), "0.987");
    }
}
