//! What happens to hosts and the ways between them, by chance.
use super::{host, run::Run};
use convoy_core::{time::Span, vip::Input};

impl Run {
    pub(super) fn maybe_happen(&mut self) {
        if !self.prng.per_mille(8) {
            return;
        }
        self.outcome.faults += 1;
        let now = self.now;
        let n = self.prng.index(self.hosts.len());
        let what = match self.prng.below(100) {
            // Of some runs all hosts live and hear each other: no new view mends what stalls have left.
            what if self.seed % 6 == 5 && matches!(what, 0..=69 | 80..=82 | 85) => 70 + what % 10,
            what => what,
        };
        match what {
            0..=41 => self.rewire(n, what),
            42..=49 if self.hosts[n].up => {
                self.world.crash(n);
                self.hosts[n].up = false;
                self.note(&format!("the process on n{n} dies"));
            }
            50..=56 if self.hosts[n].kernel.up => {
                if self.hosts[n].up {
                    self.dead[n] = Some(now + Span::from_ms(self.prng.scale(1..=300)));
                }
                self.hosts[n].up = false;
                self.hosts[n].kernel.up = false;
                self.note(&format!("n{n} dies"));
            }
            57..=69 if !self.hosts[n].up => {
                self.bury(n);
                let same = self.prng.per_mille(500);
                self.world.restart(n, same);
                self.hosts[n].restart(&self.site, &self.world, now);
                self.note(&format!("n{n} starts again"));
            }
            70..=79 if self.hosts[n].up => {
                let ms = self.prng.scale(5..=1_500);
                self.stall(n, ms);
            }
            80..=82 | 85 if self.hosts[n].up => self.fail_bus(n, what),
            83..=84 => {
                self.hosts[n].lag = self.prng.scale(1..=60);
                self.note(&format!("netlink of n{n} takes up to {} ms", self.hosts[n].lag));
            }
            85..=87 => {
                let ms = self.prng.scale(5..=400);
                self.deaf[n] = now + Span::from_ms(ms);
                self.note(&format!("n{n} hears nothing on the segment for {ms} ms"));
            }
            88..=99 if self.hosts[n].runs(now) => self.operate(n, what),
            _ => {}
        }
    }

    /// An operator does something on a host.
    fn operate(&mut self, n: usize, what: u64) {
        let (now, all) = (self.now, self.hosts.len());
        if what < 94 {
            let (address, to) = (self.prng.index(self.site.addresses), self.prng.index(all));
            self.outcome.moves += 1;
            self.note(&format!("n{n} moves {address} to n{to}"));
            self.hosts[n].holder.handle(now, Input::Move(&[host::address(address)], &host::name(to)));
        } else {
            let (other, on) = (self.prng.index(all), self.prng.per_mille(400));
            self.note(&format!("n{n} drains n{other}: {on}"));
            self.hosts[n].holder.handle(now, Input::Drain(&host::name(other), on));
        }
    }

    fn stall(&mut self, n: usize, ms: u64) {
        self.note(&format!("n{n} stalls for {ms} ms"));
        self.hosts[n].stalled_until = self.now + Span::from_ms(ms);
    }

    /// Ways between hosts fail, of the segment and of the bus, or are mended.
    fn rewire(&mut self, n: usize, what: u64) {
        let all = (0..self.hosts.len()).collect::<Vec<_>>();
        match what {
            0..=14 => {
                let cut = self.prng.index(all.len() + 1);
                self.world.partition(&[&all[..cut], &all[cut..]]);
                self.lan.partition(&[&all[..cut], &all[cut..]]);
                self.note(&format!("partition at {cut}"));
            }
            15..=17 => {
                let to = self.prng.index(all.len());
                self.lan.cut(n, to);
                self.note(&format!("n{to} does not hear n{n}"));
                if self.prng.per_mille(300) {
                    self.lan.cut(to, n);
                    self.note(&format!("n{n} does not hear n{to}"));
                }
            }
            _ => {
                self.world.heal();
                self.lan.heal();
                self.note("heal");
            }
        }
    }

    /// The bus fails between hosts whose segment is whole.
    fn fail_bus(&mut self, n: usize, what: u64) {
        if what <= 81 {
            self.world.lose(n);
            self.note(&format!("n{n} loses the bus"));
            return;
        }
        // Who is left out may learn of it late.
        let rest = (0..self.hosts.len()).filter(|other| *other != n).collect::<Vec<_>>();
        self.world.partition(&[&[n], &rest]);
        if what == 85 {
            // Why it does: it does not hear one of them, nor that one's questions.
            let from = rest[self.prng.index(rest.len())];
            self.lan.cut(from, n);
            self.note(&format!("n{n} does not hear n{from}"));
        }
        let ms = self.prng.scale(1..=2_000);
        self.hosts[n].deaf_bus_until = self.now + Span::from_ms(ms);
        self.note(&format!("the bus leaves n{n} out, which learns of it after {ms} ms"));
    }
}
