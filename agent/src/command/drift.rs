//! `convoy drift`: how far the counts are from the kernel's socket table.
use super::{
    style::{Ink, Style},
    words::{counted, number},
};
use crate::host::control::shape::Drift;
use std::io::{self, Write};

pub(super) fn write(drift: &Drift, style: Style, to: &mut impl Write) -> io::Result<()> {
    let Drift { inbound, outbound, audits, repaired, untold } = *drift;
    if audits == 0 {
        return writeln!(to, "no audit yet: the counts have not been compared with the socket table");
    }
    let off = |count| style.paint(Ink::of_fault(count), &number(count));
    let (audits, put_right) = (counted(audits, "audit"), counted(repaired, "connection"));
    let (inbound_off, outbound_off) = (off(inbound), off(outbound));
    writeln!(
        to,
        "off by {inbound_off} inbound, {outbound_off} outbound at the latest of {audits}; {put_right} put right since the start"
    )?;
    if untold > 0 {
        let hosts = counted(untold, "host");
        writeln!(to, "the cluster had missed changes of {hosts} and was told them again")?;
    }
    if inbound + outbound == 0 {
        return Ok(());
    }
    writeln!(
        to,
        "The latest audit found connections counted wrongly and put them right. If audits keep finding some, \
         kernel events are being missed: see the log and \"convoy status\"."
    )
}
