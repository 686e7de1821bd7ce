//! The contract of the bus: a thousand random schedules of the model and of the bus of one, and proof that the suite
//! sees what is broken.
//!
//! A run is a function of its seed; a failing one prints it and the command that replays it.
//! `CONVOY_BUS_SEED=n` replays one seed and prints its trace, `CONVOY_BUS_SEEDS=from..to` runs more of them.
mod seeds;
mod spoiled;
