//! What the benchmarks share: medians, ratios and the tables they print.
