//! `DuraVIPs` on the model of the bus and a model of a LAN, in virtual time: crashes of processes and hosts, cuts,
//! stalls, slow netlink, operators who move and drain. Whatever the schedule: no two hosts on one connected segment
//! answer for an address, and when the world comes to rest one does.
//!
//! A failing run prints its seed; `CONVOY_SEED=N cargo test -p convoy-tests --test vips` replays it, and
//! `CONVOY_TRACE=1` prints what happens in it. `CONVOY_SCHEDULES=N` runs so many.
mod host;
mod lan;
mod run;
mod seeds;
mod trouble;
