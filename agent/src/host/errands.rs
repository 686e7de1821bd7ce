//! Commands of members, carried out here: each on a thread of its own, so that a slow one holds up nothing.
//!
//! The node bounds how many are under way (`EXECUTING_MAX`); each asks the other threads as a control client does.
use super::cluster::Done;
use crate::sys::wake::Wake;
use convoy_core::group::questions::Errand;
use crossbeam_channel::{Receiver, Sender};
use std::{io, sync::Arc, thread};

/// Carries out a command; returns its exit code and its text.
pub type CarryOut = dyn Fn(&Errand) -> (u8, String) + Send + Sync;

/// Takes errands until nobody sends any more, and tells the thread behind `wake` of each that is done.
pub fn serve(
    errands: Receiver<Errand>,
    done: Sender<Done>,
    wake: Wake,
    carry_out: Arc<CarryOut>,
) -> io::Result<()> {
    thread::Builder::new().name("errands".into()).spawn(move || {
        for errand in errands {
            let (done, wake, carry_out) = (done.clone(), wake.clone(), carry_out.clone());
            let run = move || {
                let (code, text) = carry_out(&errand);
                if done.send(Done { errand: (errand.asker, errand.id), code, text }).is_ok() {
                    wake.wake();
                }
            };
            if let Err(error) = thread::Builder::new().name("errand".into()).spawn(run) {
                tracing::error!(%error, "cannot carry out a member's command; raise TasksMax if this repeats");
            }
        }
    })?;
    Ok(())
}
