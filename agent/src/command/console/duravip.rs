//! `cluster duravip show` as the reference prints it.
//!
//! Source: reference section 5.9. "owned" means that it has an owner; the star marks the owner's row.
use crate::host::control::shape::vip::{CandidateRow, VipRow, Vips};
use std::io::{self, Write};

pub(super) fn state(vips: &Vips, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "DuraVIP State:")?;
    vips.vips.iter().try_for_each(|row| address(row, to))
}

fn address(row: &VipRow, to: &mut impl Write) -> io::Result<()> {
    let mut services: Vec<&str> = Vec::new();
    for service in row.candidates.iter().flat_map(|candidate| &candidate.services) {
        if !services.contains(&&**service) {
            services.push(service);
        }
    }
    let name =
        std::iter::once(&row.address).chain(&row.bindings).map(String::as_str).collect::<Vec<_>>().join("/");
    let owned = if row.owner.is_some() { "owned" } else { "unowned" };
    writeln!(to, "{name}: ({owned},{}) {}", row.safety, services.join(" "))?;
    writeln!(to, "\t[view stable for {:.0} seconds]", row.view_stable_s.floor())?;
    writeln!(to, "\t[configuration stable for {:.0} seconds]", row.configuration_stable_s.floor())?;
    for CandidateRow { node, services, .. } in &row.candidates {
        let mark = if row.owner.as_ref() == Some(node) { " *  " } else { "    " };
        writeln!(to, "{mark}\t{node} {}", services.join(" "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_has_a_star_and_bindings_follow_the_address() {
        let candidate = |node: &str, services: &[&str]| CandidateRow {
            node: node.into(),
            services: services.iter().map(ToString::to_string).collect(),
            able: true,
        };
        let row = VipRow {
            address: "192.0.2.1".into(),
            bindings: vec!["east".into(), "west".into()],
            owner: Some("mx2".into()),
            state: "owned".into(),
            safety: "UNSAFE".into(),
            stable_s: 1.0,
            candidates: vec![
                candidate("mx1", &["multivip"]),
                candidate("mx2", &["multivip", "ESMTP_Listener"]),
            ],
            preference: None,
            follow: None,
            view_stable_s: 61.9,
            configuration_stable_s: 7.0,
            here: None,
            moving_to: None,
            moving_why: None,
            failed: None,
            contested_by: None,
        };
        let unowned = VipRow {
            address: "2001:db8::1".into(),
            bindings: vec![],
            owner: None,
            safety: "safe".into(),
            candidates: vec![candidate("mx1", &["ESMTP_Listener"])],
            ..row.clone()
        };
        let vips =
            Vips { vips: vec![row, unowned], firm: true, drained: vec![], exchanging: false, host: None };
        let mut text = Vec::new();
        state(&vips, &mut text).unwrap();
        let expected = "\
DuraVIP State:
192.0.2.1/east/west: (owned,UNSAFE) multivip ESMTP_Listener
\t[view stable for 61 seconds]
\t[configuration stable for 7 seconds]
    \tmx1 multivip
 *  \tmx2 multivip ESMTP_Listener
2001:db8::1: (unowned,safe) ESMTP_Listener
\t[view stable for 61 seconds]
\t[configuration stable for 7 seconds]
    \tmx1 ESMTP_Listener
";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
