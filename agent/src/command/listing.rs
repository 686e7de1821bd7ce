//! `convoy shared list`: the objects and their sums.
use super::{
    style::{Ink, Style},
    table::{Cell, Column, Table},
    words::number,
};
use crate::host::control::shape::{ObjectStatus, SharedList};
use std::io::{self, Write};

pub(super) fn write(list: &SharedList, style: Style, to: &mut impl Write) -> io::Result<()> {
    write_objects(&list.objects, style, to)
}

/// Writes the sums over all nodes, then what this host counts of them.
pub(super) fn write_objects(objects: &[ObjectStatus], style: Style, to: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(&[
        Column::Right("current"),
        Column::Right("total"),
        Column::Right("hosts"),
        Column::Left("object"),
        Column::Right("here: current"),
        Column::Right("total"),
        Column::Right("hosts"),
        Column::Left("told to peers"),
    ]);
    for object in objects {
        table.row([
            Cell::from(number(object.current)),
            Cell::from(number(object.total)),
            Cell::from(number(object.hosts)),
            Cell::inked(Ink::Head, &*object.object),
            Cell::from(number(object.own_current)),
            Cell::from(number(object.own_total)),
            Cell::from(number(object.own_hosts)),
            Cell::from(if object.replicated { "yes" } else { "no: no Replicate scope names it" }),
        ]);
    }
    table.write(style, to)
}
