//! Floor 4: threads, their order of start and stop, and signals.
