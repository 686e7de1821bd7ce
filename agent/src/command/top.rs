//! `convoy shared top`: the busiest prefixes, with a bar for each.
use super::{
    object::name,
    style::{Ink, Style},
    table::{Cell, Column, Table},
    words::number,
};
use crate::host::control::shape::SharedTop;
use std::io::{self, Write};

pub(super) fn write(answer: &SharedTop, style: Style, to: &mut impl Write) -> io::Result<()> {
    let view = style.paint(Ink::Head, &name(&answer.object, &answer.view));
    let length = match answer.bits {
        None => "/24 and /64".to_owned(),
        Some(bits) if bits > 32 => format!("/32 and /{bits}"),
        Some(bits) => format!("/{bits}"),
    };
    if answer.entries.is_empty() {
        return writeln!(to, "{view}: nothing is counted");
    }
    writeln!(to, "{view}: the busiest {length}\n")?;
    let mut table = Table::new(&[
        Column::Right("current"),
        Column::Right("total"),
        Column::Left("prefix"),
        Column::Left(""),
    ]);
    let most = answer.entries.iter().map(|entry| entry.current).max().unwrap_or(0);
    for entry in &answer.entries {
        table.row([
            Cell::from(number(entry.current)),
            Cell::from(number(entry.total)),
            Cell::from(&*entry.prefix),
            Cell::inked(Ink::Good, bar(entry.current, most, style)),
        ]);
    }
    table.write(style, to)
}

/// Returns a bar as long as `value` is to `most`: nothing for 0, at least a sliver for 1.
fn bar(value: u64, most: u64, style: Style) -> String {
    let (steps, full, parts): (u64, _, &[char]) =
        if style.drawing { (8, '\u{2588}', &EIGHTHS) } else { (1, '#', &[]) };
    let length = (u128::from(value) * u128::from(BAR_CELLS * steps)).div_ceil(u128::from(most.max(1)));
    let length = u64::try_from(length).unwrap_or(0);
    let whole = (0..length / steps).map(|_| full);
    let part = usize::try_from(length % steps).ok().and_then(|part| parts.get(part.checked_sub(1)?));
    whole.chain(part.copied()).collect()
}

/// One to seven eighths of a cell, from the left.
const EIGHTHS: [char; 7] =
    ['\u{258f}', '\u{258e}', '\u{258d}', '\u{258c}', '\u{258b}', '\u{258a}', '\u{2589}'];
/// Cells of the longest bar. chosen: with a full IPv6 prefix the line stays within 100 columns.
const BAR_CELLS: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        let plain = |value, most| bar(value, most, Style::PLAIN).len();
        assert_eq!((plain(0, 9), plain(1, 1_000), plain(50, 100), plain(7, 7)), (0, 1, 16, 32));
        assert_eq!((plain(0, 0), plain(u64::MAX, u64::MAX)), (0, 32));
        let drawn = Style { colour: false, drawing: true };
        assert_eq!(bar(3, 64, drawn), "\u{2588}\u{258c}");
    }
}
