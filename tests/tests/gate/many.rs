//! Thousands of addresses, and one too many.
use crate::site::{Site, VIPS, addresses, open};
use anyhow::{Result, ensure};
use convoy_agent::host::gate::{Error, Settings, Standing};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Half of them IPv4.
const MANY: u16 = 10_000;

#[test]
fn ten_thousand_addresses_are_opened_at_once() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let mut many: Vec<IpAddr> = (0..MANY / 2)
        .flat_map(|n| {
            let [high, low] = n.to_be_bytes();
            let v6 = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 2, 0, n);
            [IpAddr::from(Ipv4Addr::new(10, 78, high, low)), v6.into()]
        })
        .collect();
    many.extend(addresses(VIPS));
    let settings = Settings { addresses_max: u32::try_from(many.len())?, ..site.settings() };
    let gate = site.inside(|| {
        let mut gate = open(&settings)?;
        gate.attach("eth0")?;
        Ok(gate)
    })?;
    gate.set(&many, Standing::Silent)?;
    gate.lease().renew(u64::MAX);
    site.check_answered(&addresses(VIPS), false)?;
    gate.set(&many, Standing::Held)?;
    site.check_answered(&addresses(VIPS), true)?;
    ensure!(many.iter().all(|address| gate.standing(*address) == Some(Standing::Held)));
    let full = gate.set(&addresses(["10.79.0.1"]), Standing::Held).unwrap_err();
    ensure!(matches!(full, Error::Full { addresses: 1, managed: 10_002, max: 10_002 }), "{full:?}");
    gate.forget(&many)?;
    ensure!(gate.addresses().is_empty() && gate.standing(many[0]).is_none());
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_as_a_whole_and_room_is_used_again() -> Result<()> {
    lab::require!();
    let site = Site::up()?;
    let settings = Settings { addresses_max: 2, ..site.settings() };
    let mut gate = site.inside(|| open(&settings))?;
    site.inside(|| Ok(gate.attach("eth0")?))?;
    let vips = addresses(VIPS);
    let third = addresses(["10.77.0.102"]);
    gate.set(&vips[..1], Standing::Held)?;
    let full = gate.set(&[vips.clone(), third.clone()].concat(), Standing::Silent);
    ensure!(matches!(full, Err(Error::Full { addresses: 2, managed: 1, max: 2 })), "{full:?}");
    ensure!(gate.standing(vips[0]) == Some(Standing::Held), "something was changed all the same");
    gate.lease().renew(u64::MAX);
    for _ in 0..5 {
        // Named twice, forgotten twice: once is enough.
        gate.set(&[third[0], third[0]], Standing::Held)?;
        ensure!(gate.addresses() == [vips[0], third[0]]);
        gate.forget(&[vips[0], third[0], third[0]])?;
        gate.set(&vips, Standing::Silent)?;
        site.check_answered(&vips, false)?;
        gate.forget(&vips[1..])?;
        site.check_answered(&vips[1..], true)?;
        gate.set(&vips[..1], Standing::Held)?;
        site.check_answered(&vips, true)?;
    }
    Ok(())
}
