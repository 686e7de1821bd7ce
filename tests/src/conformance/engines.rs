//! Harnesses of the engines that need no network: the model, and the bus of a process that is alone.
use super::{Faults, Harness};
use crate::bus_model::{Options, SimBus, World};
use anyhow::{Result, bail};
use convoy_core::group::{Solo, bus::Bus};

/// Processes of a [`World`].
#[derive(Debug)]
pub struct Modelled {
    world: World,
    buses: Vec<SimBus>,
}

impl Modelled {
    /// Returns the processes of the world that a seed decides.
    pub fn new(seed: u64, options: Options) -> Self {
        let world = World::new(seed, options);
        let buses = (0..options.processes).map(|seat| world.bus(seat)).collect();
        Self { world, buses }
    }

    /// Returns the world.
    pub fn world(&self) -> &World {
        &self.world
    }
}

impl Harness for Modelled {
    fn seats(&self) -> usize {
        self.buses.len()
    }

    fn faults(&self) -> Faults {
        Faults { partition: true, crash: true, lose: true }
    }

    fn bus(&mut self, seat: usize) -> &mut dyn Bus {
        &mut self.buses[seat]
    }

    fn configuration_number(&self, seat: usize) -> Option<u64> {
        self.world.configuration_number(seat)
    }

    fn partition(&mut self, parts: &[Vec<usize>]) -> Result<()> {
        let parts: Vec<&[usize]> = parts.iter().map(Vec::as_slice).collect();
        self.world.partition(&parts);
        Ok(())
    }

    fn heal(&mut self) -> Result<()> {
        self.world.heal();
        Ok(())
    }

    fn calm(&mut self) -> Result<()> {
        self.world.heal();
        self.world.calm();
        Ok(())
    }

    fn crash(&mut self, seat: usize) -> Result<()> {
        self.world.crash(seat);
        Ok(())
    }

    fn restart(&mut self, seat: usize, same: bool) -> Result<()> {
        self.world.restart(seat, same);
        Ok(())
    }

    fn lose(&mut self, seat: usize) -> Result<()> {
        self.world.lose(seat);
        Ok(())
    }

    fn advance(&mut self) -> Result<()> {
        for _ in 0..STEPS_A_ROUND {
            self.world.step();
        }
        Ok(())
    }

    fn settle_rounds_max(&self) -> usize {
        // Every step of a calm world is progress, and what waits is bounded by what was sent.
        5_000
    }
}

/// One process on the bus of one.
#[derive(Debug)]
pub struct Alone(Solo);

impl Alone {
    /// Returns the process with this number.
    pub fn new(number: u32) -> Self {
        Self(Solo::new(number))
    }
}

impl Harness for Alone {
    fn seats(&self) -> usize {
        1
    }

    fn faults(&self) -> Faults {
        Faults { crash: true, ..Faults::default() }
    }

    fn bus(&mut self, _: usize) -> &mut dyn Bus {
        &mut self.0
    }

    fn partition(&mut self, _: &[Vec<usize>]) -> Result<()> {
        bail!("there is nobody to be cut off from")
    }

    fn heal(&mut self) -> Result<()> {
        Ok(())
    }

    fn crash(&mut self, _: usize) -> Result<()> {
        self.0.leave();
        Ok(())
    }

    fn restart(&mut self, _: usize, _: bool) -> Result<()> {
        self.0 = Solo::new(1);
        Ok(())
    }

    fn lose(&mut self, _: usize) -> Result<()> {
        bail!("there is no engine to be lost")
    }

    fn advance(&mut self) -> Result<()> {
        Ok(())
    }

    fn settle_rounds_max(&self) -> usize {
        // A round reads all there is.
        3
    }
}

/// Steps between two looks of the processes. chosen: about one for each process of a small world, so that they see
/// things in the middle.
const STEPS_A_ROUND: usize = 4;
