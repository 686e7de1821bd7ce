//! Managed addresses on real kernels and real corosyncs, with a witness on the segment: moves, deaths, stalls, cuts.
mod commands;
mod connections;
mod faults;
mod moves;
mod one_way;
mod site;
mod stalls;
mod starts;
mod told;
mod two;
mod units;
