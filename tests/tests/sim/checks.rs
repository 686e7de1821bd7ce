//! What must hold after every step, and what must hold once all is well.
use crate::world::World;
use convoy_common::{
    addr::{Family, Host},
    count::Count,
    prefix::Prefix,
};
use convoy_core::{counters::Replica, group::State, wire::Object};
use std::collections::BTreeSet;

/// Checks the node that has just handled one fact: its sums, its views, its demands.
pub(crate) fn after_step(world: &mut World, n: usize, hosts: usize, outputs: usize) {
    let peers = world.sites.len() - 1;
    assert!(outputs <= OUTPUTS_MAX + peers * (OUTPUTS_MAX + hosts), "{outputs} outputs for one input");
    let site = &world.sites[n];
    let Some(node) = &site.node else { return };
    let now = site.clock.shows(world.agenda.now());
    let deadline = node.next_deadline();
    assert!(
        deadline.is_none_or(|deadline| deadline > now),
        "{} wants to run at {deadline:?}, now is {now:?}",
        site.name
    );
    for object in Object::ALL {
        let replica = node.replica(object);
        let mut sum = replica.own().sum();
        for other in &world.sites {
            let Some(view) = replica.view(&other.name) else { continue };
            let state = site.states.get(&other.name).copied();
            assert!(
                matches!(state, Some(State::Alive | State::Suspect)),
                "{} has a view of {}, which is {state:?}",
                site.name,
                other.name
            );
            sum = add(sum, view.sum());
        }
        assert_eq!(replica.global().sum(), sum, "{}: global of {object} is the sum of its parts", site.name);
    }
    if world.steps.is_multiple_of(FULL_CHECK_EVERY) {
        for object in Object::ALL {
            check_cells(world, n, object);
        }
    }
}

/// Checks every cell of a node's `global` against its parts.
fn check_cells(world: &World, n: usize, object: Object) {
    let site = &world.sites[n];
    let Some(node) = &site.node else { return };
    let replica = node.replica(object);
    let mut seen = 0;
    for (host, cell) in replica.global().hosts() {
        assert!(u64::from(cell.current) <= cell.total && cell.total > 0, "{host}: {cell:?}");
        let parts = parts(world, replica).filter_map(|tree| tree.get(host));
        let sum = parts.fold(Count::default(), |sum, part| add(sum, part.count()));
        assert_eq!(cell.count(), sum, "{}: {host} in global of {object}", site.name);
        seen += 1;
    }
    let all =
        parts(world, replica).flat_map(|tree| tree.hosts().map(|(host, _)| host)).collect::<BTreeSet<_>>();
    assert_eq!(seen, all.len(), "{}: every host is in global of {object}", site.name);
}

fn parts<'a>(
    world: &'a World,
    replica: &'a Replica,
) -> impl Iterator<Item = &'a convoy_core::counters::CidrTree> {
    let views = world.sites.iter().filter_map(|site| replica.view(&site.name));
    std::iter::once(replica.own()).chain(views)
}

/// Tells whether every node agrees with the truth, or where the first does not.
pub(crate) fn converged(world: &mut World) -> Result<(), String> {
    for site in &world.sites {
        let Some(node) = &site.node else { continue };
        let now = site.clock.shows(world.agenda.now());
        for member in node.members(None, now).into_iter().filter(|member| !member.own) {
            let alive = member.state == State::Alive && member.complete;
            if !alive || member.trouble.is_some() {
                return Err(format!("{} sees {member:?}", site.name));
            }
        }
    }
    for n in 0..world.sites.len() {
        for object in Object::ALL {
            agrees(world, n, object)?;
        }
    }
    Ok(())
}

/// Compares a node's own counts and `global` with what the kernels count, by host and by random prefixes.
fn agrees(world: &mut World, n: usize, object: Object) -> Result<(), String> {
    let mut expected = Vec::new();
    for site in &world.sites {
        // What is not replicated is counted on its own node alone.
        let tells = site.node.as_ref().is_some_and(|node| node.replicates(object));
        let is_peer = world.sites[n].settings.peers.contains_key(&site.name);
        if site.name == world.sites[n].name || (tells && is_peer) {
            expected.extend(site.truth[&object].iter().map(|(host, count)| (*host, *count)));
        }
    }
    let site = &world.sites[n];
    let Some(node) = &site.node else { return Ok(()) };
    let replica = node.replica(object);
    let own = replica.own().hosts().map(|(host, cell)| (host, cell.count()));
    let truth = site.truth[&object].iter().map(|(host, count)| (*host, *count)).collect::<Vec<_>>();
    let mut own = own.collect::<Vec<_>>();
    own.sort_by_key(|(host, _)| *host);
    if own != truth {
        return Err(format!("{}: own counts of {object} are not the kernel's", site.name));
    }
    let sum = expected.iter().fold(Count::default(), |sum, (_, count)| add(sum, *count));
    if replica.global().sum() != sum {
        return Err(format!(
            "{}: global of {object} is {:?}, the truth {sum:?}",
            site.name,
            replica.global().sum()
        ));
    }
    let mut by_host = std::collections::BTreeMap::<Host, Count>::new();
    for (host, count) in expected {
        let sum = by_host.entry(host).or_default();
        *sum = add(*sum, count);
    }
    for (host, count) in &by_host {
        let cell = replica.global().get(*host).map(convoy_core::counters::Cell::count);
        if cell != Some(*count) {
            return Err(format!(
                "{}: global of {object} has {cell:?} for {host}, the truth {count:?}",
                site.name
            ));
        }
    }
    for _ in 0..PREFIXES_CHECKED {
        let host = world.workload.hosts[world.prng.index(world.workload.hosts.len())];
        let family = host.family();
        let bits = u8::try_from(world.prng.within(0..=u64::from(family.bits()))).expect("at most 128");
        let prefix = Prefix::new(host, bits).unwrap_or(Prefix::all(Family::V4));
        let below = by_host.iter().filter(|(host, _)| prefix.contains(**host));
        let sum = below.fold(Count::default(), |sum, (_, count)| add(sum, *count));
        if replica.global().sum_below(prefix) != sum {
            return Err(format!("{}: the sum below {prefix} of {object} is not {sum:?}", site.name));
        }
    }
    Ok(())
}

pub(crate) fn add(a: Count, b: Count) -> Count {
    Count { current: a.current + b.current, total: a.total + b.total }
}

/// Outputs that one input may cause besides one delta a changed host and peer: closes, redials, events, and the
/// frames of a window.
const OUTPUTS_MAX: usize = 80;
const FULL_CHECK_EVERY: u64 = 4_096;
const PREFIXES_CHECKED: usize = 8;
