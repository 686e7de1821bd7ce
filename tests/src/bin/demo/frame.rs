//! The live picture: three columns, one a host, and what happened below them.
use crate::{
    HOSTS,
    ink::{Ink, bar, grouped, say},
    watch::{Board, Silence, State, Sums, View},
};
use lab::Entry;
use std::time::{Duration, Instant};

/// Draws frames: over each other on a terminal, now and then elsewhere.
#[derive(Debug)]
pub(crate) struct Screen {
    ink: Ink,
    width: usize,
    /// Lines of the last frame that the next one covers.
    drawn: usize,
    last: Option<Instant>,
}

impl Screen {
    pub(crate) fn new(ink: Ink) -> Self {
        say("\n");
        Self { ink, width: terminal_width(), drawn: 0, last: None }
    }

    pub(crate) fn draw(&mut self, board: &Board<'_>, length: Duration) {
        let due = self.ink.in_place || self.last.is_none_or(|last| last.elapsed() >= PLAIN_EVERY);
        if due {
            self.put(board, length);
        }
    }

    /// Draws the last frame, whether it is due or not.
    pub(crate) fn finish(&mut self, board: &Board<'_>, length: Duration) {
        self.put(board, length);
    }

    fn put(&mut self, board: &Board<'_>, length: Duration) {
        let mut lines = board.read(|state| compose(state, board.elapsed(), length, self.width, self.ink));
        if !self.ink.in_place {
            lines.retain(|line| !line.trim().is_empty());
            lines.push(String::new());
        }
        let mut text = if self.drawn > 0 { format!("\x1b[{}A\r", self.drawn) } else { String::new() };
        let end = if self.ink.in_place { "\x1b[K\n" } else { "\n" };
        for line in &lines {
            text += line;
            text += end;
        }
        say(&text);
        self.drawn = if self.ink.in_place { lines.len() } else { 0 };
        self.last = Some(Instant::now());
    }
}

/// Text with its width on the screen, which colours do not have.
#[derive(Clone, Debug, Default)]
struct Cell {
    text: String,
    width: usize,
}

impl Cell {
    fn of(plain: &str) -> Self {
        Self { text: plain.to_owned(), width: plain.chars().count() }
    }

    /// Adds text, painted.
    fn with(mut self, plain: &str, paint: impl Fn(&str) -> String) -> Self {
        self.text += &paint(plain);
        self.width += plain.chars().count();
        self
    }

    fn padded(&self, width: usize) -> String {
        self.text.clone() + &" ".repeat(width.saturating_sub(self.width))
    }
}

/// Lays a frame out. Every frame of one run has the same number of lines.
fn compose(state: &State, elapsed: Duration, length: Duration, width: usize, ink: Ink) -> Vec<String> {
    let column = (width.saturating_sub(2 + GAP * (HOSTS - 1)) / HOSTS).clamp(COLUMN_MIN, COLUMN_MAX);
    let columns: Vec<Vec<Cell>> = (0..HOSTS).map(|host| host_column(host, state, column, ink)).collect();
    let mut lines = vec![headline(elapsed, length, column, ink), String::new()];
    for row in 0..COLUMN_LINES {
        let cells = columns.iter().map(|cells| cells.get(row).cloned().unwrap_or_default().padded(column));
        let line = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
        lines.push(format!("  {}", line.trim_end()));
    }
    lines.push(String::new());
    let first = state.events.len().saturating_sub(EVENT_LINES);
    let mut events = state.events[first..].iter();
    for _ in 0..EVENT_LINES {
        lines.push(match events.next() {
            Some((at, text)) => format!("  {} {text}", ink.dim(&format!("{at:6.1} s"))),
            None => String::new(),
        });
    }
    lines
}

fn headline(elapsed: Duration, length: Duration, column: usize, ink: Ink) -> String {
    let whole = column * HOSTS + GAP * (HOSTS - 1);
    let (title, clock) =
        ("what each host sees of the whole cluster", format!("{:5.1} s", elapsed.as_secs_f64()));
    let room = whole.saturating_sub(title.len() + clock.len() + 2);
    let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let done = bar(ms(elapsed), ms(length), room);
    let rest = "·".repeat(room.saturating_sub(done.chars().count()));
    format!("  {} {}{} {clock}", ink.bold(title), ink.cool(&done), ink.dim(&rest))
}

fn host_column(host: usize, state: &State, width: usize, ink: Ink) -> Vec<Cell> {
    let name = format!("mta{}", host + 1);
    let address = format!("10.77.0.{}", host + 1);
    let title = Cell::default()
        .with(&name, |text| ink.bold(text))
        .with(&" ".repeat(width.saturating_sub(name.len() + address.len())), str::to_owned)
        .with(&address, |text| ink.dim(text));
    let Some(view) = state.views[host].as_ref() else {
        return vec![
            title,
            match state.silence(host) {
                Silence::Unasked => Cell::of("..."),
                Silence::Dead => Cell::default().with("✖ no power", |text| ink.bad(text)),
                Silence::Starting => Cell::default().with("starting", |text| ink.warn(text)),
            },
        ];
    };
    let mut cells = vec![title, members(view, ink), here(view)];
    cells.push(Cell::default().with(&"─".repeat(width), |text| ink.dim(text)));
    cells.push(sum_line("in ", view.inbound, width, ink));
    rows(&mut cells, &view.top_in, TOP_IN, width, |text| ink.good(text));
    cells.push(sum_line("out", view.outbound, width, ink));
    rows(&mut cells, &view.top_out, TOP_OUT, width, |text| ink.cool(text));
    cells
}

/// `● mta1 ● mta2 ○ mta3`: alive, suspect, gone.
fn members(view: &View, ink: Ink) -> Cell {
    view.members.iter().fold(Cell::default(), |cell, (name, state)| {
        let cell = match state.as_str() {
            "alive" => cell.with("●", |text| ink.good(text)),
            "suspect" => cell.with("◐", |text| ink.warn(text)),
            _ => cell.with("○", |text| ink.bad(text)),
        };
        cell.with(&format!(" {name} "), str::to_owned)
    })
}

fn here(view: &View) -> Cell {
    Cell::of(&format!("here: {} in, {} out", view.inbound.own_current, view.outbound.own_current))
}

/// `in   37 open        1 204 seen`
fn sum_line(name: &str, sums: Sums, width: usize, ink: Ink) -> Cell {
    let (open, seen) =
        (format!("{:>4} open", grouped(sums.current)), format!("{} seen", grouped(sums.total)));
    let gap = width.saturating_sub(name.len() + open.chars().count() + seen.chars().count());
    Cell::default()
        .with(&format!("{name}{open}"), |text| ink.bold(text))
        .with(&format!("{}{seen}", " ".repeat(gap)), |text| ink.dim(text))
}

/// The busiest prefixes, exactly `count` lines.
fn rows(cells: &mut Vec<Cell>, top: &[Entry], count: usize, width: usize, paint: impl Fn(&str) -> String) {
    let most = top.iter().map(|entry| entry.current).max().unwrap_or(0);
    let room = width.saturating_sub(PREFIX_WIDTH + NUMBER_WIDTH + 1);
    for at in 0..count {
        cells.push(match top.get(at) {
            Some(entry) => Cell::of(&format!(
                "{:<PREFIX_WIDTH$}{:>NUMBER_WIDTH$} ",
                entry.prefix,
                grouped(entry.current)
            ))
            .with(&bar(entry.current, most, room), &paint),
            None => Cell::default(),
        });
    }
}

fn terminal_width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col)).max(80)
}

const GAP: usize = 2;
/// Three of these and the gaps fit 80 columns.
const COLUMN_MIN: usize = 24;
const COLUMN_MAX: usize = 38;
/// `198.51.100.0/24` and `2001:db8:a::/64`.
const PREFIX_WIDTH: usize = 15;
const NUMBER_WIDTH: usize = 4;
const TOP_IN: usize = 6;
const TOP_OUT: usize = 3;
const COLUMN_LINES: usize = 6 + TOP_IN + TOP_OUT;
const EVENT_LINES: usize = 8;
/// chosen: ten frames of the default length are enough to read in a log.
const PLAIN_EVERY: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(prefix: &str, current: u64) -> Entry {
        Entry { prefix: prefix.to_owned(), current, total: current * 10 }
    }

    #[test]
    fn every_frame_has_the_same_height_and_fits_80_columns() {
        let view = View {
            members: [("mta1", "alive"), ("mta2", "suspect"), ("mta3", "gone")]
                .map(|(name, state)| (name.to_owned(), state.to_owned()))
                .into(),
            top_in: (0..6).map(|n| entry("198.51.100.0/24", 100 * n)).collect(),
            top_out: vec![entry("2001:db8:a::/64", 7)],
            ..View::default()
        };
        let events = (0..20).map(|n| (f64::from(n), "x".repeat(60))).collect();
        let full = State::of([Some(view.clone()), Some(view), None], events);
        let length = Duration::from_secs(30);
        let check = |state: &State, elapsed| {
            let lines = compose(state, elapsed, length, 80, Ink::plain());
            assert_eq!(lines.len(), 2 + COLUMN_LINES + 1 + EVENT_LINES);
            for line in lines {
                assert!(line.chars().count() <= 80, "{line}");
            }
        };
        check(&State::default(), Duration::ZERO);
        check(&full, length);
        check(&full, length * 2);
    }

    #[test]
    fn colours_have_no_width() {
        let cell = Cell::of("ab").with("cd", |text| format!("\x1b[1m{text}\x1b[0m"));
        assert_eq!(cell.padded(6), "ab\x1b[1mcd\x1b[0m  ");
    }
}
