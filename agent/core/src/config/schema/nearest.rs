//! The name that was probably meant.
use alloc::vec::Vec;

/// Returns the candidate most like `name`, if one is close enough to be a slip of the hand; without regard to case.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_within(name, (name.len() / 3).clamp(1, 3), candidates)
}

/// Returns the candidate most like `name` with at most `allowed` slips; without regard to case.
pub(super) fn nearest_within<'a>(
    name: &str,
    allowed: usize,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    candidates
        .into_iter()
        .filter(|candidate| !candidate.is_empty() && candidate.len().abs_diff(name.len()) <= allowed)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns how many letters must be changed, added, dropped or swapped with their neighbour.
/// Source: optimal string alignment, a restriction of the Damerau-Levenshtein distance.
fn distance(left: &str, right: &str) -> usize {
    let fold = |text: &str| text.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
    let (left, right) = (fold(left), fold(right));
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = Vec::with_capacity(right.len() + 1);
        row.push(i + 1);
        for (j, b) in right.iter().enumerate() {
            let mut best = (above[j] + usize::from(a != b)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                let swapped: &Vec<usize> = &before;
                best = best.min(swapped[j - 1] + 1);
            }
            row.push(best);
        }
        before = core::mem::replace(&mut above, row);
    }
    above[right.len()]
}

/// chosen: no option is half as long; keeps the work small whatever the file holds.
const NAME_BYTES_MAX: usize = 64;
