//! What an engine must offer to be put through the schedules.
use anyhow::Result;
use convoy_core::group::bus::Bus;

/// Which faults a harness can make. What it cannot make is left out of its schedules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Partitions, and their healing.
    pub partition: bool,
    /// The death of a process, and a new one in its place.
    pub crash: bool,
    /// The death of the engine under a process that lives on.
    pub lose: bool,
}

/// Some processes, each with its bus. They are counted from 0, and none has joined at first.
pub trait Harness {
    /// Returns how many processes there are.
    fn seats(&self) -> usize;

    /// Returns the faults that can be made.
    fn faults(&self) -> Faults;

    /// Returns the bus of a process. Of one that has crashed it is not asked before its restart.
    fn bus(&mut self, seat: usize) -> &mut dyn Bus;

    /// Returns the number of the configuration that the process was told of last, if that is known: the same number
    /// for two processes if and only if it is the same configuration.
    fn configuration_number(&self, seat: usize) -> Option<u64> {
        let _ = seat;
        None
    }

    /// Cuts every way between these parts, each a list of processes, and heals every way inside them. Who is in none
    /// is alone.
    fn partition(&mut self, parts: &[Vec<usize>]) -> Result<()>;

    /// Heals every way.
    fn heal(&mut self) -> Result<()>;

    /// Heals every way, and sees to it that nothing happens any more that nobody asked for.
    fn calm(&mut self) -> Result<()> {
        self.heal()
    }

    /// Kills a process, without a word to its bus. Whether its engine dies along is the harness's choice.
    fn crash(&mut self, seat: usize) -> Result<()>;

    /// Puts a new process in the place of one that has crashed; it has not joined. With the same number on the bus as
    /// the old one if `same`, where that can be chosen.
    fn restart(&mut self, seat: usize, same: bool) -> Result<()>;

    /// Kills the engine under a process. It comes back by itself, and so does the process's membership.
    fn lose(&mut self, seat: usize) -> Result<()>;

    /// Lets things happen for a while: some steps of a model, some milliseconds of the world.
    ///
    /// # Errors
    /// Says what is wrong when the harness itself is broken: a worker has died that nobody killed.
    fn advance(&mut self) -> Result<()>;

    /// Returns how many times [`advance`](Self::advance) is enough for everything to settle once all is healed.
    fn settle_rounds_max(&self) -> usize;
}
