//! `convoy shared show`: the CIDR tree, each branching prefix above its two branches.
use super::{
    object::write_heading,
    style::{Ink, Style},
    words::number,
};
use crate::host::control::shape::{EntryRow, SharedShow};
use convoy_common::prefix::Prefix;
use std::io::{self, Write};

pub(super) fn write(answer: &SharedShow, style: Style, to: &mut impl Write) -> io::Result<()> {
    let summary = Summary::of(&answer.entries);
    let view = (&*answer.object, &*answer.view);
    write_heading(view, (summary.current, summary.total), summary.hosts, style, to)?;
    if answer.entries.is_empty() {
        return Ok(());
    }
    let width = |title: &str, sum| number(sum).len().max(title.len());
    let (w, v) = (width(CURRENT, summary.current), width(TOTAL, summary.total));
    writeln!(to, "\n{}", style.paint(Ink::Head, &format!("{CURRENT:>w$}  {TOTAL:>v$}  {PREFIX}")))?;
    let mut path = Path::default();
    for entry in &answer.entries {
        let indent = path.descend(entry.prefix.parse().ok(), style);
        let (current, total, prefix) = (number(entry.current), number(entry.total), &entry.prefix);
        writeln!(to, "{current:>w$}  {total:>v$}  {indent}{prefix}")?;
    }
    Ok(())
}

/// What stands above the tree.
#[derive(Default)]
struct Summary {
    current: u64,
    total: u64,
    hosts: usize,
}

impl Summary {
    fn of(entries: &[EntryRow]) -> Self {
        let (mut summary, mut path) = (Self::default(), Path::default());
        for entry in entries {
            let prefix = entry.prefix.parse::<Prefix>().ok();
            if path.climb_to(prefix) == 0 {
                summary.current += entry.current;
                summary.total += entry.total;
            }
            summary.hosts += usize::from(prefix.is_none_or(is_host));
            path.enter(prefix);
        }
        summary
    }
}

/// The prefixes from a root down to the row that was written last.
#[derive(Default)]
struct Path(Vec<Step>);

struct Step {
    prefix: Prefix,
    /// The lower of its parent's two branches was written: this one is the last.
    last: bool,
    branches: u8,
}

impl Path {
    /// Moves to `prefix`, the next row, and returns what is drawn in front of it.
    fn descend(&mut self, prefix: Option<Prefix>, style: Style) -> String {
        let depth = self.climb_to(prefix);
        self.enter(prefix);
        let drawing = if style.drawing { DRAWING } else { ASCII };
        let mut indent = String::new();
        for step in self.0.iter().take(depth).skip(1) {
            indent.push_str(if step.last { drawing.blank } else { drawing.pass });
        }
        if let Some(step) = self.0.get(depth).filter(|_| depth > 0) {
            indent.push_str(if step.last { drawing.last } else { drawing.branch });
        }
        indent
    }

    /// Leaves every prefix that `prefix` is not below, and returns how many it is below. A text that is no prefix
    /// is below none.
    fn climb_to(&mut self, prefix: Option<Prefix>) -> usize {
        let below = |step: &Step| {
            prefix.is_some_and(|prefix| {
                step.prefix.contains(prefix.first()) && step.prefix.bits() < prefix.bits()
            })
        };
        while self.0.last().is_some_and(|step| !below(step)) {
            self.0.pop();
        }
        self.0.len()
    }

    fn enter(&mut self, prefix: Option<Prefix>) {
        let Some(prefix) = prefix else { return };
        let last = self.0.last_mut().is_some_and(|parent| {
            parent.branches = parent.branches.saturating_add(1);
            parent.branches > 1
        });
        self.0.push(Step { prefix, last, branches: 0 });
    }
}

fn is_host(prefix: Prefix) -> bool {
    prefix.bits() == prefix.family().bits()
}

/// What is drawn in front of a prefix, for each prefix above it and for itself.
struct Drawing {
    branch: &'static str,
    last: &'static str,
    pass: &'static str,
    blank: &'static str,
}

const DRAWING: Drawing = Drawing { branch: "├ ", last: "└ ", pass: "│ ", blank: "  " };
const ASCII: Drawing = Drawing { branch: "|-", last: "`-", pass: "| ", blank: "  " };
const CURRENT: &str = "current";
const TOTAL: &str = "total";
const PREFIX: &str = "prefix";
