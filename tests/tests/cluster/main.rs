//! Whole hosts in the lab: real daemons, real connections, real faults, and ss(8) as witness.

mod faults;
mod heartbeats;
mod reload;
mod site;
mod sums;
