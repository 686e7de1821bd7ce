//! Whole hosts in the lab: real daemons, real connections, real faults, and ss(8) as witness.

mod faults;
mod reload;
mod site;
mod sums;
