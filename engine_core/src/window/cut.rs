//! Time cut into windows side by side, of one length or not.

use std::sync::Arc;

use super::tumbling::Tumbling;

/// Windows side by side, numbered in order.
#[derive(Clone, Debug)]
pub enum Cut {
    /// Of one length.
    Tumbling(Tumbling),
    /// Between edges.
    Edges(Edges),
}

/// Windows between edges, the first numbered 0. Times before the first edge belong to the first window, those from the last edge on
/// to the last.
#[derive(Clone, Debug)]
pub struct Edges {
    edges: Arc<[i64]>,
    least_width: i64,
    /// Windows a nanosecond, on average.
    density: f64,
}

impl Edges {
    /// Between edges, ascending.
    ///
    /// # Panics
    /// Of fewer than two.
    pub fn new(edges: Vec<i64>) -> Self {
        assert!(edges.len() >= 2, "a window has two edges");
        let widths = edges.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        let span = edges[edges.len() - 1].abs_diff(edges[0]);
        Self {
            least_width: widths.min().unwrap_or(i64::MAX),
            density: (edges.len() - 1) as f64 / span as f64,
            edges: edges.into(),
        }
    }

    /// Number of the window that a time lies in. Those of a calendar are nearly of one length: it is sought from where it would be if
    /// all were.
    fn index(&self, time: i64) -> usize {
        let inner = &self.edges[1..self.edges.len() - 1];
        let behind = time.saturating_sub(self.edges[0]);
        let guess = ((behind as f64 * self.density) as usize).min(inner.len());
        let is_behind = |index: usize| index == 0 || inner[index - 1] <= time;
        for near in [guess, guess + 1, guess.saturating_sub(1)] {
            if near <= inner.len() && is_behind(near) && inner.get(near).is_none_or(|&edge| time < edge) {
                return near;
            }
        }
        inner.partition_point(|&edge| edge <= time)
    }
}

impl Cut {
    /// Number of the window an instant lies in.
    pub fn index(&self, time: i64) -> i64 {
        match self {
            Self::Tumbling(tumbling) => tumbling.index(time),
            Self::Edges(edges) => edges.index(time) as i64,
        }
    }

    /// First instant of a window. That of one past the last is the last one's end.
    pub fn start(&self, index: i64) -> i64 {
        match self {
            Self::Tumbling(tumbling) => tumbling.start(index),
            Self::Edges(Edges { edges, .. }) => edges[(index.max(0) as usize).min(edges.len() - 1)],
        }
    }

    /// Whether a time that is not before a window lies in it.
    pub fn holds(&self, index: i64, time: i64) -> bool {
        match self {
            Self::Tumbling(tumbling) => {
                let start = index.checked_mul(tumbling.width_ns());
                let behind = start.and_then(|start| time.checked_sub(start));
                // The first window begins before time, and the last one's end lies past it.
                behind.map_or_else(|| tumbling.index(time) == index, |behind| behind < tumbling.width_ns())
            }
            Self::Edges(_) => time < self.start(index + 1) || self.index(time) == index,
        }
    }

    /// Length of the shortest window in nanoseconds.
    pub fn least_width(&self) -> i64 {
        match self {
            Self::Tumbling(tumbling) => tumbling.width_ns(),
            Self::Edges(edges) => edges.least_width,
        }
    }

    /// Windows of times, as numbers counted from window `first`. `min` and `max` bound the times and are in or after
    /// `first`, and the numbers fit 32 bits.
    pub fn offsets(&self, times: &[i64], min: i64, max: i64, first: i64, out: &mut [u32]) {
        let Self::Edges(Edges { edges, .. }) = self else {
            if let Self::Tumbling(tumbling) = self {
                tumbling.offsets(times, min, max, first, out);
            }
            return;
        };
        let last = edges.len() - 2;
        let bounds = |index: usize| {
            let start = if index == 0 { i64::MIN } else { edges[index] };
            let end = if index == last { i64::MAX } else { edges[index + 1] };
            (start, end, index == last)
        };
        let mut index = self.index(min) as usize;
        let (mut start, mut end, mut is_last) = bounds(index);
        // Neighbouring rows mostly share a window.
        for (out, &time) in out.iter_mut().zip(times) {
            if time < start || (time >= end && !is_last) {
                index = self.index(time) as usize;
                (start, end, is_last) = bounds(index);
            }
            *out = (index as i64 - first) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equal_windows_hold_their_times(
            base in prop_oneof![Just(i64::MIN), Just(i64::MAX - 60), any::<i64>()],
            (earlier, behind) in (0i64..30, 0i64..30),
            width in prop_oneof![1i64..40, 1i64..],
        ) {
            let cut = Cut::Tumbling(Tumbling::new(width).unwrap());
            let earlier = base.saturating_add(earlier);
            let later = earlier.saturating_add(behind);
            prop_assert_eq!(cut.holds(cut.index(earlier), later), cut.index(earlier) == cut.index(later));
        }

        #[test]
        fn times_find_their_windows(
            mut edges in prop::collection::btree_set(-100i64..100, 2..20),
            times in prop::collection::vec(-120i64..120, 1..200),
            ends in any::<bool>(),
        ) {
            if ends {
                edges.extend([i64::MIN, i64::MAX]);
            }
            let edges: Vec<i64> = edges.into_iter().collect();
            let cut = Cut::Edges(Edges::new(edges.clone()));
            let (min, max) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
            let mut out = vec![0; times.len()];
            cut.offsets(&times, min, max, 0, &mut out);
            for (&time, &out) in times.iter().zip(&out) {
                let index = cut.index(time);
                prop_assert_eq!(index, i64::from(out));
                let (start, end) = (cut.start(index), cut.start(index + 1));
                prop_assert!(start <= time || index == 0);
                prop_assert!(time < end || index == edges.len() as i64 - 2);
                prop_assert!(cut.holds(index, time));
                prop_assert!(index == 0 || !cut.holds(index - 1, time));
            }
        }
    }
}
