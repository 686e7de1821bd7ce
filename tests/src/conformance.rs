//! The conformance suite of the bus: random schedules for any engine, and the contract as checks of what came of them.
//!
//! ```text
//!   seed -> Schedule -> Run -> Harness: solo | the model | real corosync, each process a worker
//!                         |
//!                       Trace -> check -> the rule that was broken, or nothing
//! ```
//!
//! Nothing here waits or looks at a clock; a harness of real processes does, in its `advance`.
//!
//! Source: the contract in `convoy_core::group::bus`; Moser, Amir, Melliar-Smith, Agarwal, "Extended virtual
//! synchrony" (1994) for its model.

mod check;
mod engines;
mod harness;
mod message;
mod run;
mod schedule;
mod trace;
pub mod worker;

pub use check::{Rule, Violation, check};
pub use engines::{Alone, Modelled};
pub use harness::{Faults, Harness};
pub use message::Tag;
pub use run::run;
pub use schedule::{Schedule, Shape, Step};
pub use trace::{Life, Record, Trace};
