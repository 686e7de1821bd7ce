//! `convoy-demo`: three mail hosts with real Postfix and one cluster-wide tree, watched for half a minute.
//!
//! The story: mail from several networks goes to all three hosts and partly on to a sink; every host shows the same
//! tree; one host loses power and its connections leave the sums; it comes back and so do they. Then everything is
//! held still and compared with what the kernel's socket tables say. Exit code 0: every comparison held; 1: one
//! did not, or something failed; 2: wrong usage; 3: this machine cannot run it.

mod cast;
mod frame;
mod ink;
mod verdict;
mod watch;

use anyhow::{Context, Result};
use cast::{Crowd, Stage};
use frame::Screen;
use ink::{Ink, say};
use lab::{Binaries, Kept, Lab, LabOptions};
use std::{
    env,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use watch::Board;

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    deed: Deed,
    seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// The whole story, then everything is removed.
    Show,
    /// The whole story, then everything stays.
    ShowAndKeep,
    /// What stayed is removed.
    TakeDown,
    /// How to use it.
    Help,
}

fn main() -> ExitCode {
    let wanted = match parse(env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(error) => {
            say(&format!("demo: {error}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let done = match wanted.deed {
        Deed::Help => {
            say(USAGE);
            Ok(true)
        }
        Deed::TakeDown => take_down(),
        Deed::Show | Deed::ShowAndKeep => {
            if let Some(reason) = lab::lacking(&["postfix", "smtp-source", "smtp-sink"]) {
                say(&format!("demo: {reason}\n"));
                return ExitCode::from(3);
            }
            show(wanted)
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // The signal ends us as soon as the lab is down; what broke by its end is no news.
        Err(_) if lab::interrupted() => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("\ndemo: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted { deed: Deed::Show, seconds: SECONDS_DEFAULT };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--keep" => wanted.deed = Deed::ShowAndKeep,
            "--down" => wanted.deed = Deed::TakeDown,
            "-h" | "--help" => wanted.deed = Deed::Help,
            "--seconds" => {
                let number = args.next().unwrap_or_default();
                wanted.seconds = match number.parse() {
                    Ok(seconds) if (SECONDS_MIN..=SECONDS_MAX).contains(&seconds) => seconds,
                    _ => {
                        return Err(format!(
                            "--seconds takes {SECONDS_MIN} to {SECONDS_MAX}, not \"{number}\""
                        ));
                    }
                };
            }
            _ => return Err(format!("unknown option {arg}")),
        }
    }
    Ok(wanted)
}

fn take_down() -> Result<bool> {
    let kept = Kept::all()?;
    if kept.is_empty() {
        say("demo: no lab was kept\n");
    }
    let mut whole = true;
    for lab in kept {
        match lab.down() {
            Ok(()) => say(&format!("demo: lab {} is down\n", lab.prefix())),
            Err(error) => {
                say(&format!("demo: {error:#}\n"));
                whole = false;
            }
        }
    }
    Ok(whole)
}

/// Shows everything; tells whether every comparison held.
fn show(wanted: Wanted) -> Result<bool> {
    let ink = Ink::of_stdout();
    Binaries::find()?;
    say(&format!("\n {}\n\n", ink.bold("Convoy: three mail hosts, one cluster-wide CIDR tree")));
    let lab =
        timed("lab", "three hosts, a client and a sink on a bridge", || Lab::up(&LabOptions::default()))?;
    let stage = Stage::set(&lab)?;
    let board = Board::new(&lab);
    let crowd = Mutex::new(Crowd::gather(&lab)?);
    act(&stage, &board, &crowd, wanted.seconds, ink)?;
    let held = verdict::give(&stage, &board, ink)?;
    drop(stage);
    if wanted.deed == Deed::ShowAndKeep {
        crowd.into_inner().unwrap_or_else(PoisonError::into_inner).settle_in()?;
        say(&instructions(&lab));
        lab.keep()?;
    } else {
        timed("end", "all of it is removed: processes, namespaces, mounts, files", || lab.down())?;
    }
    Ok(held)
}

/// The live part: the timeline, while the crowd sends and the watchers look.
fn act(stage: &Stage<'_>, board: &Board<'_>, crowd: &Mutex<Crowd<'_>>, seconds: u64, ink: Ink) -> Result<()> {
    let over = &AtomicBool::new(false);
    thread::scope(|scope| {
        let mut helpers: Vec<_> =
            (0..HOSTS).map(|host| scope.spawn(move || board.watch(host, over))).collect();
        helpers.push(scope.spawn(|| cast::keep_sending(crowd, over)));
        let told = tell(stage, board, crowd, Duration::from_secs(seconds), ink);
        over.store(true, Ordering::Relaxed);
        let ended = helpers.into_iter().try_for_each(|helper| match helper.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        told.and(ended)
    })
}

fn tell(
    stage: &Stage<'_>,
    board: &Board<'_>,
    crowd: &Mutex<Crowd<'_>>,
    length: Duration,
    ink: Ink,
) -> Result<()> {
    let (fall, rise) = (length.mul_f64(FALL_AT), length.mul_f64(RISE_AT));
    let mut screen = Screen::new(ink);
    board.event("mail begins: 14 addresses in 6 networks to every host, a third of it on to the sink");
    let (mut fallen, mut risen) = (false, false);
    while board.elapsed() < length {
        if !fallen && board.elapsed() >= fall {
            fallen = true;
            cast::lock(crowd).leave(VICTIM);
            board.falls(VICTIM);
            stage.lose_power(VICTIM)?;
            board.event("mta3 loses power: its links are dead, its processes gone");
        }
        if !risen && board.elapsed() >= rise {
            risen = true;
            board.event("mta3 is switched on again");
            board.rises(VICTIM);
            thread::scope(|scope| {
                let back = scope.spawn(|| stage.give_power(VICTIM));
                while !back.is_finished() {
                    screen.draw(board, length);
                    pause();
                }
                back.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })?;
            board.event("its Postfix and its convoyd run; its clients come back");
            cast::lock(crowd).come_back(VICTIM);
        }
        screen.draw(board, length);
        pause();
    }
    screen.finish(board, length);
    Ok(())
}

fn pause() {
    // waits: until the next frame of what is shown to people.
    thread::sleep(FRAME_EVERY);
}

/// Does something and says how long it took.
fn timed<T>(name: &str, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let done = work().context(name.to_owned())?;
    let ms = start.elapsed().as_millis();
    say(&format!("   {name:<9} {what:<60} {ms:>6} ms\n"));
    Ok(done)
}

fn instructions(lab: &Lab) -> String {
    let host = lab.host(1);
    let run = host.run_dir();
    let client =
        Binaries::find().map_or_else(|_| "convoy".to_owned(), |found| found.convoy.display().to_string());
    format!(
        "\n The lab stays up and mail goes on. Look around (mta2 and mta3 likewise):\n\n\
         \x20  {client} --run-dir {run} status\n\
         \x20  {client} --run-dir {run} membership\n\
         \x20  {client} --run-dir {run} shared show inbound_cidr\n\
         \x20  {client} --run-dir {run} shared query inbound_cidr 198.51.100.0/24 --from mta2\n\
         \x20  {client} --run-dir {run} shared top outbound_cidr --bits 32\n\
         \x20  bpftool map dump pinned {bpffs}/inbound_hosts\n\
         \x20  ip netns exec {netns} ss -tn state established\n\
         \x20  less {dir}/convoyd.log {dir}/postfix/mail.log\n\n\
         \x20Take it down with:  script/demo --down\n\n",
        run = run.display(),
        bpffs = host.bpffs_dir().display(),
        netns = host.netns(),
        dir = host.dir().display(),
    )
}

const USAGE: &str = "\
Shows three mail hosts with one cluster-wide tree.

  demo [--keep] [--seconds N]   the story, N seconds of it (default 30); --keep leaves the hosts up
  demo --down                   takes down what --keep left up
";
const HOSTS: usize = 3;
/// The host that loses power, counted from 0.
const VICTIM: usize = 2;
const SECONDS_DEFAULT: u64 = 30;
/// chosen: below it the host is not seen to vanish and come back.
const SECONDS_MIN: u64 = 10;
const SECONDS_MAX: u64 = 3_600;
/// When the host falls and when it rises, as parts of the whole.
const FALL_AT: f64 = 0.4;
const RISE_AT: f64 = 0.66;
/// chosen: smooth for the eye, cheap for the machine.
const FRAME_EVERY: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_deeds() {
        let check = |words: &str, want: Option<(Deed, u64)>| {
            let got = parse(words.split_whitespace().map(str::to_owned));
            assert_eq!(got.map(|wanted| (wanted.deed, wanted.seconds)).ok(), want, "{words}");
        };
        check("", Some((Deed::Show, 30)));
        check("--keep --seconds 12", Some((Deed::ShowAndKeep, 12)));
        check("--down", Some((Deed::TakeDown, 30)));
        check("--seconds", None);
        check("--seconds 1", None);
        check("--nonsense", None);
    }
}
