//! Changes of configuration: when one begins, for whom, and what those who go on together have.
use super::{
    Defect, Happened, Inner,
    engine::{Configured, Group, Station},
};
use std::collections::BTreeSet;

impl Inner {
    /// Begins a change among some that are connected, if there is a reason, and sometimes without one.
    pub(super) fn change(&mut self) -> bool {
        let on_bus = self.seats(|process| process.station.is_some());
        let Some(one) = self.one_of(&on_bus) else { return false };
        // Everyone's part is looked at: in a calm world no step may be lost to a part where all is well.
        let first = self.part[one];
        let mut parts: Vec<usize> = on_bus.iter().map(|&seat| self.part[seat]).collect();
        parts.sort_unstable_by_key(|&part| (part != first, part));
        parts.dedup();
        for part in parts {
            let all: Vec<usize> = on_bus.iter().copied().filter(|&seat| self.part[seat] == part).collect();
            let quiet = self.is_settled(&all);
            if quiet && (self.calm || !self.prng.per_mille(self.options.alarms_per_mille)) {
                continue;
            }
            let some = self.choose(&all);
            if self.plan(&some) {
                if quiet {
                    self.coverage.count(Happened::Alarm);
                }
                return true;
            }
        }
        false
    }

    /// Tells whether these are in one configuration, or on the way to one, that has exactly them in it.
    fn is_settled(&self, seats: &[usize]) -> bool {
        let mut aims = seats.iter().filter_map(|&seat| self.station(seat)).map(|s| s.plan.or(s.installed));
        let Some(Some(aim)) = aims.next() else { return false };
        let lives: BTreeSet<_> = self.lives_of(seats);
        let aimed = &self.configured[aim];
        aims.all(|other| other == Some(aim)) && !aimed.closed && aimed.lives == lives
    }

    /// Chooses who finds each other: all, some, or one alone.
    fn choose(&mut self, all: &[usize]) -> Vec<usize> {
        if self.calm || self.prng.per_mille(600) {
            return all.to_vec();
        }
        let newcomers: Vec<usize> = all
            .iter()
            .copied()
            .filter(|&seat| self.station(seat).is_some_and(|s| s.installed.is_none() && s.plan.is_none()))
            .collect();
        if let Some(newcomer) = self.one_of(&newcomers) {
            return vec![newcomer];
        }
        let some: Vec<usize> = all.iter().copied().filter(|_| self.prng.per_mille(600)).collect();
        if some.is_empty() { all.to_vec() } else { some }
    }

    /// Plans one configuration of these. Returns whether that is a change for any of them.
    fn plan(&mut self, seats: &[usize]) -> bool {
        let lives = self.lives_of(seats);
        let Some(&first) = seats.first() else { return false };
        if self.is_settled(seats) {
            return false;
        }
        let from = self.station(first).and_then(|station| station.installed);
        let is_there = |seat: &usize| self.station(*seat).is_some_and(|station| station.installed == from);
        let stays = from.filter(|&at| self.configured[at].lives == lives && seats.iter().all(is_there));
        if let Some(at) = stays {
            // Nobody has gone on: all of them stay, and none ever hears of a change.
            self.coverage.count(Happened::CalledOff);
            self.configured[at].closed = false;
            for &seat in seats {
                self.aim(seat, None);
            }
            return true;
        }
        let groups = self.groups(seats);
        if groups.iter().filter(|group| group.from.is_some()).count() > 1 {
            self.coverage.count(Happened::Merged);
        }
        for group in &groups {
            if let Some(from) = group.from {
                self.configured[from].closed = true;
            }
        }
        let ids = seats.iter().filter_map(|&seat| self.station(seat)).map(|station| station.id).collect();
        self.configured.push(Configured { lives, ids, log: Vec::new(), closed: false, groups });
        let plan = self.configured.len() - 1;
        for &seat in seats {
            self.aim(seat, Some(plan));
        }
        true
    }

    /// Gives a member something else to install, or nothing.
    fn aim(&mut self, seat: usize, plan: Option<usize>) {
        let Some(station) = &mut self.processes[seat].station else { return };
        let before = std::mem::replace(&mut station.plan, plan);
        let Some(before) = before else { return };
        self.coverage.count(Happened::Cascade);
        let mut others = self.processes.iter().filter_map(|process| process.station.as_ref());
        if others.any(|station| station.installed == Some(before)) {
            self.coverage.count(Happened::InstalledBySome);
        }
    }

    /// Sorts these by the configuration they come from, and decides what each group has of it.
    fn groups(&mut self, seats: &[usize]) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for &seat in seats {
            let Some(station) = &self.processes[seat].station else { continue };
            let at = groups.iter().position(|group| group.from.is_some() && group.from == station.installed);
            let at = at.unwrap_or_else(|| {
                groups.push(Group {
                    from: station.installed,
                    lives: BTreeSet::new(),
                    ids: BTreeSet::new(),
                    hole: 0,
                });
                groups.len() - 1
            });
            let group = &mut groups[at];
            group.lives.insert(station.life);
            group.ids.insert(station.id);
            group.hole = group.hole.max(station.read);
        }
        for group in &mut groups {
            let Some(from) = group.from else { continue };
            if self.options.defect == Some(Defect::OldNumber) {
                let names = seats.iter().filter_map(|&seat| self.processes[seat].station.as_ref());
                let names = names.map(|station| station.id);
                group.ids.extend(names.filter(|id| self.configured[from].ids.contains(id)));
            }
            let Configured { lives, log, .. } = &self.configured[from];
            group.hole = if *lives == group.lives {
                log.len()
            } else {
                group.hole + self.prng.index(log.len() - group.hole + 1)
            };
        }
        groups
    }

    fn station(&self, seat: usize) -> Option<&Station> {
        self.processes[seat].station.as_ref()
    }

    fn lives_of(&self, seats: &[usize]) -> BTreeSet<u64> {
        seats.iter().filter_map(|&seat| self.station(seat)).map(|station| station.life).collect()
    }
}
