//! The simulator: whole clusters of the pure core in virtual time, over bad networks, from one seed.
//!
//! A run is a function of its seed. A failing run prints the seed, the settings, the last events and the command
//! that replays it. `CONVOY_SIM_SEED=n` replays one seed, `CONVOY_SIM_SEEDS=from..to` runs more of them.

use lab::prng;

mod checks;
mod clock;
mod faults;
mod garbage;
mod net;
mod scenarios;
mod site;
mod tests;
mod workload;
mod world;
