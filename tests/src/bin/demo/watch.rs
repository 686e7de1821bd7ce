//! What is known of the hosts while the story goes on: each is asked by its own `convoy`, again and again.
use crate::{HOSTS, cast::lock};
use anyhow::{Context, Result};
use lab::{Entry, Lab};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Now and ever, here and everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) own_current: u64,
    pub(crate) own_total: u64,
    pub(crate) current: u64,
    pub(crate) total: u64,
}

/// What one host said last.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// State of each member, as this host sees it.
    pub(crate) members: BTreeMap<String, String>,
    pub(crate) inbound: Sums,
    pub(crate) outbound: Sums,
    pub(crate) top_in: Vec<Entry>,
    pub(crate) top_out: Vec<Entry>,
}

/// When the host that fell was missed and seen again by one of the others, in seconds after it fell or rose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noticed {
    pub(crate) suspect_s: Option<f64>,
    pub(crate) gone_s: Option<f64>,
    pub(crate) back_s: Option<f64>,
    /// Whether its counts were seen to be out of the sums.
    pub(crate) vanished: bool,
}

/// All that is shown.
#[derive(Debug)]
pub(crate) struct Board<'a> {
    lab: &'a Lab,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// By host; nothing while a host is without power.
    pub(crate) views: [Option<View>; HOSTS],
    /// Seconds since the start, and what happened.
    pub(crate) events: Vec<(f64, String)>,
    pub(crate) noticed: [Noticed; HOSTS],
    pub(crate) fallen: Option<(usize, Instant)>,
    pub(crate) risen: Option<Instant>,
}

/// Why nothing is known of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// It has not been asked yet.
    Unasked,
    /// It has no power.
    Dead,
    /// It is starting.
    Starting,
}

impl State {
    #[cfg(test)]
    pub(crate) fn of(views: [Option<View>; HOSTS], events: Vec<(f64, String)>) -> Self {
        Self { views, events, ..Self::default() }
    }

    pub(crate) fn silence(&self, host: usize) -> Silence {
        match (self.fallen, self.risen) {
            (Some((fallen, _)), None) if fallen == host => Silence::Dead,
            (Some((fallen, _)), Some(_)) if fallen == host => Silence::Starting,
            _ => Silence::Unasked,
        }
    }
}

impl<'a> Board<'a> {
    pub(crate) fn new(lab: &'a Lab) -> Self {
        Self { lab, start: Instant::now(), state: Mutex::default() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn lab(&self) -> &Lab {
        self.lab
    }

    /// Lets `look` read everything.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&lock(&self.state))
    }

    pub(crate) fn event(&self, text: &str) {
        self.event_at(self.elapsed().as_secs_f64(), text);
    }

    fn event_at(&self, at: f64, text: &str) {
        lock(&self.state).events.push((at, text.to_owned()));
    }

    pub(crate) fn falls(&self, host: usize) {
        let mut state = lock(&self.state);
        state.fallen = Some((host, Instant::now()));
        state.views[host] = None;
    }

    pub(crate) fn rises(&self, host: usize) {
        let mut state = lock(&self.state);
        if state.fallen.is_some_and(|(fallen, _)| fallen == host) {
            state.risen = Some(Instant::now());
        }
    }

    /// Asks one host until it is over.
    pub(crate) fn watch(&self, host: usize, over: &AtomicBool) -> Result<()> {
        while !over.load(Ordering::Relaxed) {
            match self.ask(host) {
                Ok(()) => {}
                // A host without power does not answer; one that just came back may not yet.
                Err(_) if self.read(|state| state.silence(host) != Silence::Unasked) => {}
                Err(error) => return Err(error).with_context(|| format!("watching mta{}", host + 1)),
            }
            // waits: between two questions, to leave the machine to the mail.
            thread::sleep(ASK_EVERY);
        }
        Ok(())
    }

    fn ask(&self, number: usize) -> Result<()> {
        let host = &self.lab.hosts()[number];
        if self.read(|state| state.silence(number) == Silence::Dead) {
            return Ok(());
        }
        let status = host.convoy_json(&["status"])?;
        let membership = host.convoy_json(&["membership"])?;
        let view = View {
            members: host_states(&membership)?,
            inbound: sums(&status, "inbound_cidr")?,
            outbound: sums(&status, "outbound_cidr")?,
            top_in: top(&host.convoy_json(&["shared", "top", "inbound_cidr", "--limit", "6"])?)?,
            top_out: top(&host.convoy_json(&["shared", "top", "outbound_cidr", "--limit", "3"])?)?,
        };
        self.notice(number, &membership)?;
        let vanished = self.notice_vanished(&view);
        let mut state = lock(&self.state);
        state.noticed[number].vanished |= vanished;
        // It may have fallen since it answered.
        if state.silence(number) != Silence::Dead {
            state.views[number] = Some(view);
        }
        Ok(())
    }

    /// Notes when this host missed the one that fell, and when it saw it again.
    fn notice(&self, number: usize, membership: &Value) -> Result<()> {
        let mut told = Vec::new();
        {
            let mut state = lock(&self.state);
            let Some((fallen, fell)) = state.fallen else { return Ok(()) };
            if fallen == number {
                return Ok(());
            }
            let risen = state.risen;
            let name = format!("mta{}", fallen + 1);
            let members = membership["members"].as_array().context("membership without members")?;
            let Some(member) = members.iter().find(|member| member["name"] == *name) else { return Ok(()) };
            let since = Duration::from_secs_f64(member["since_s"].as_f64().unwrap_or(0.0).max(0.0));
            let at = Instant::now().checked_sub(since).unwrap_or(fell);
            let after = |event: Instant| at.saturating_duration_since(event).as_secs_f64();
            let noticed = &mut state.noticed[number];
            let me = number + 1;
            match (member["state"].as_str(), risen) {
                (Some("suspect"), None) if noticed.suspect_s.is_none() => {
                    noticed.suspect_s = Some(after(fell));
                    told.push(format!("mta{me} suspects {name}, {:.2} s after", after(fell)));
                }
                (Some("gone"), None) if noticed.gone_s.is_none() => {
                    noticed.gone_s = Some(after(fell));
                    told.push(format!("mta{me} takes {name} out of its sums, {:.2} s after", after(fell)));
                }
                (Some("alive"), Some(rose))
                    if noticed.back_s.is_none() && at > rose && member["complete"] == true =>
                {
                    // That its counts are complete has no time of its own: at the latest now.
                    let now_s = rose.elapsed().as_secs_f64();
                    noticed.back_s = Some(now_s);
                    told.push(format!("mta{me} counts {name} again, {now_s:.2} s after"));
                }
                _ => {}
            }
        }
        for text in told {
            self.event(&text);
        }
        Ok(())
    }

    /// Whether this view's sums are without the host that fell: not above what the others count by now.
    fn notice_vanished(&self, view: &View) -> bool {
        let Some((fallen, _)) = self.read(|state| state.fallen.filter(|_| state.risen.is_none())) else {
            return false;
        };
        let others = (0..HOSTS).filter(|host| *host != fallen);
        let own = others.map(|host| -> Result<u64> {
            let status = self.lab.hosts()[host].convoy_json(&["status"])?;
            Ok(sums(&status, "inbound_cidr")?.own_total)
        });
        own.sum::<Result<u64>>().is_ok_and(|own| view.inbound.total <= own)
    }
}

/// Returns the state of each member in an answer to `membership`.
fn host_states(membership: &Value) -> Result<BTreeMap<String, String>> {
    let members = membership["members"].as_array().context("membership without members")?;
    let text =
        |value: &Value| value.as_str().map(str::to_owned).context("membership without names or states");
    members.iter().map(|member| Ok((text(&member["name"])?, text(&member["state"])?))).collect()
}

/// Returns the sums of one object in an answer to `status`.
pub(crate) fn sums(status: &Value, object: &str) -> Result<Sums> {
    let objects = status["objects"].as_array().context("status without objects")?;
    let row = objects.iter().find(|row| row["object"] == object).with_context(|| format!("no {object}"))?;
    let number = |key: &str| row[key].as_u64().with_context(|| format!("{object} without {key}"));
    Ok(Sums {
        own_current: number("own_current")?,
        own_total: number("own_total")?,
        current: number("current")?,
        total: number("total")?,
    })
}

fn top(answer: &Value) -> Result<Vec<Entry>> {
    serde_json::from_value(answer["entries"].clone()).context("entries")
}

/// chosen: six to eight questions a second to each host, together a few percent of a core.
const ASK_EVERY: Duration = Duration::from_millis(250);
