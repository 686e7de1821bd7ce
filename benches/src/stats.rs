//! Medians, percentiles and ratios of interleaved rounds.
//!
//! A shared machine drifts: what runs first may be slower by a third for reasons of its own. So two things are
//! compared by turns ([`paired`]), the ratio is taken within each round, and its median is the figure.
use anyhow::Result;
use std::time::Duration;

/// Times of one repeated action, ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Orders the times; there must be at least one.
    ///
    /// # Errors
    /// When there is none: nothing was measured, so there is nothing to report.
    pub fn new(mut times: Vec<Duration>) -> Result<Self> {
        anyhow::ensure!(!times.is_empty(), "no samples were taken");
        times.sort_unstable();
        Ok(Self(times))
    }

    /// Returns the smallest time that `percent` of all times do not exceed (nearest rank). `percent` is 0 to 100.
    pub fn percentile(&self, percent: f64) -> Duration {
        let last = self.0.len() - 1;
        let rank = (0..=last).find(|&rank| float(rank + 1) >= percent / 100.0 * float(self.0.len()));
        self.0[rank.unwrap_or(last)]
    }

    /// Returns the median.
    pub fn p50(&self) -> Duration {
        self.percentile(50.0)
    }

    /// Returns the time that one in a hundred exceeds.
    pub fn p99(&self) -> Duration {
        self.percentile(99.0)
    }

    /// Returns the longest time.
    pub fn max(&self) -> Duration {
        self.0[self.0.len() - 1]
    }

    /// Returns how many times were taken.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the samples of several runs together.
    ///
    /// # Errors
    /// When there is none.
    pub fn merged(runs: impl IntoIterator<Item = Self>) -> Result<Self> {
        Self::new(runs.into_iter().flat_map(|run| run.0).collect())
    }
}

/// Returns the middle of `values`, the mean of the two middle ones when their number is even; NaN of none.
pub fn median(values: &[f64]) -> f64 {
    let mut ordered = values.to_vec();
    ordered.sort_by(f64::total_cmp);
    let middle = ordered.len() / 2;
    match ordered.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => ordered[middle],
        _ => f64::midpoint(ordered[middle - 1], ordered[middle]),
    }
}

/// Figures of two things that took turns.
#[derive(Clone, Debug, PartialEq)]
pub struct Paired {
    /// The first thing's figure of each round.
    pub ours: Vec<f64>,
    /// The second thing's figure of each round.
    pub theirs: Vec<f64>,
}

impl Paired {
    /// Returns the median of `ours / theirs` over the rounds.
    pub fn ratio(&self) -> f64 {
        median(&self.ratios())
    }

    /// Returns the smallest and the largest ratio of a round, to show how far the machine strayed.
    pub fn ratio_range(&self) -> (f64, f64) {
        let ratios = self.ratios();
        (ratios.iter().copied().fold(f64::NAN, f64::min), ratios.iter().copied().fold(f64::NAN, f64::max))
    }

    fn ratios(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| ours / theirs).collect()
    }
}

/// Measures two things by turns, once each before it counts, then `rounds` times with the order alternating.
///
/// # Errors
/// The first error of either; half a comparison is none.
pub fn paired(
    rounds: usize,
    mut ours: impl FnMut() -> Result<f64>,
    mut theirs: impl FnMut() -> Result<f64>,
) -> Result<Paired> {
    ours()?;
    theirs()?;
    let mut figures = Paired { ours: Vec::with_capacity(rounds), theirs: Vec::with_capacity(rounds) };
    for round in 0..rounds {
        if round % 2 == 0 {
            figures.ours.push(ours()?);
            figures.theirs.push(theirs()?);
        } else {
            figures.theirs.push(theirs()?);
            figures.ours.push(ours()?);
        }
    }
    Ok(figures)
}

/// A count as a float; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of samples and bytes stay far below 2^53")]
pub fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(ms: impl IntoIterator<Item = u64>) -> Samples {
        Samples::new(ms.into_iter().map(Duration::from_millis).collect()).unwrap()
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let hundred = samples((1..=100).rev());
        let check =
            |percent, ms| assert_eq!(hundred.percentile(percent), Duration::from_millis(ms), "{percent}");
        check(0.0, 1);
        check(1.0, 1);
        check(50.0, 50);
        check(99.0, 99);
        check(99.5, 100);
        check(100.0, 100);
        assert_eq!(samples([7]).p99(), Duration::from_millis(7));
        assert_eq!(samples([3, 1, 2]).p50(), Duration::from_millis(2));
        assert_eq!(samples([3, 1, 2]).max(), Duration::from_millis(3));
    }

    #[test]
    fn no_samples_are_an_error_and_no_median() {
        assert!(Samples::new(vec![]).is_err());
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn runs_are_merged_in_order() {
        let both = Samples::merged([samples([4, 2]), samples([3, 1])]).unwrap();
        assert_eq!(both, samples([1, 2, 3, 4]));
    }

    #[test]
    fn the_median_lies_in_the_middle() {
        let check =
            |values: &[f64], expected: f64| assert!((median(values) - expected).abs() < 1e-12, "{values:?}");
        check(&[3.0, 1.0, 2.0], 2.0);
        check(&[4.0, 1.0, 2.0, 3.0], 2.5);
    }

    #[test]
    fn turns_alternate_and_the_first_of_each_does_not_count() {
        let order = std::cell::RefCell::new(String::new());
        let turn = |name: char, figure: f64| {
            order.borrow_mut().push(name);
            Ok(figure)
        };
        let figures = paired(3, || turn('a', 3.0), || turn('b', 2.0)).unwrap();
        assert_eq!(order.into_inner(), "ababbaab");
        assert_eq!((figures.ours.len(), figures.theirs.len()), (3, 3));
        assert!((figures.ratio() - 1.5).abs() < 1e-12);
    }
}
