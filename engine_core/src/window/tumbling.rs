//! Equal windows side by side, aligned to the Unix epoch.

use crate::codec::dispatch::dispatched;

/// Windows `[k·width, (k+1)·width)` for every integer `k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tumbling {
    width_ns: i64,
}

/// Blocks whose rows lie in at most so many windows find them by comparing with the edges instead of dividing.
const FEW_WINDOWS: usize = 8;

/// Widest window in nanoseconds of which numbers are found by [`divide`].
const WIDEST: i64 = 1 << 61;

dispatched! {
    /// `offset + (time - base) / width` of times that are not before `base`, where quotients fit 32 bits.
    fn divide(times: &[i64], base: i64, width: i64, offset: u32, out: &mut [u32]) {
        let inverse = 1.0 / width as f64;
        for (out, &time) in out.iter_mut().zip(times) {
            let behind = time.wrapping_sub(base) as u64;
            // Of numbers below 2³² it is at most one off, and then what is left tells.
            let near = (behind as f64 * inverse) as i64;
            let left = behind.wrapping_sub(near.wrapping_mul(width) as u64) as i64;
            let number = near.wrapping_add((left >= width).into()).wrapping_sub((left < 0).into());
            *out = offset.wrapping_add(number as u32);
        }
    }
}

impl Tumbling {
    /// Windows of a nanosecond, numbered as it is.
    pub const INSTANT: Self = Self { width_ns: 1 };

    /// Windows of this length in nanoseconds; none unless it is positive.
    pub fn new(width_ns: i64) -> Option<Self> {
        (width_ns > 0).then_some(Self { width_ns })
    }

    /// Length of a window in nanoseconds.
    pub fn width_ns(self) -> i64 {
        self.width_ns
    }

    /// Number of the window an instant lies in: floor of time by width, also before the epoch.
    pub fn index(self, time: i64) -> i64 {
        time.div_euclid(self.width_ns)
    }

    /// First instant of a window. The one window that begins before time can be represented begins at `i64::MIN`.
    pub fn start(self, index: i64) -> i64 {
        index.saturating_mul(self.width_ns)
    }

    /// Windows of times, as numbers counted from window `first`. `min` and `max` bound the times and are in or after
    /// `first`, and the numbers fit 32 bits.
    pub fn offsets(self, times: &[i64], min: i64, max: i64, first: i64, out: &mut [u32]) {
        let out = &mut out[..times.len()];
        let (low, high) = (self.index(min), self.index(max));
        let offset = (low - first) as u32;
        if low == high {
            out.fill(offset);
            return;
        }
        let between = high.abs_diff(low) as usize;
        if between <= FEW_WINDOWS {
            out.fill(offset);
            for k in 1..=between {
                // Windows after the first of a block begin within reach of its times, so nothing saturates.
                let edge = self.start(low + k as i64);
                for (out, &time) in out.iter_mut().zip(times) {
                    *out += u32::from(time >= edge);
                }
            }
            return;
        }
        if let Some(base) = low.checked_mul(self.width_ns).filter(|_| self.width_ns <= WIDEST) {
            divide(times, base, self.width_ns, offset, out);
            return;
        }
        // Neighbouring rows mostly share a window: remember the last one's bounds and divide only on leaving it.
        let (mut start, mut end, mut number) = (self.start(low), self.start(low + 1), offset);
        for (out, &time) in out.iter_mut().zip(times) {
            if time < start || time >= end {
                let index = self.index(time);
                // The end of the last window lies past time: then its last nanosecond is divided for, nothing else changes.
                (start, end) = (self.start(index), self.start(index.saturating_add(1)));
                number = (index - first) as u32;
            }
            *out = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_on_the_edge_opens_the_next_window() {
        let windows = Tumbling::new(10).unwrap();
        assert_eq!(
            [-11, -10, -1, 0, 9, 10].map(|time| windows.index(time)),
            [-2, -1, -1, 0, 0, 1]
        );
        assert_eq!(windows.start(-2), -20);
    }

    #[test]
    fn a_width_is_positive() {
        assert_eq!(Tumbling::new(0), None);
        assert_eq!(Tumbling::new(-1), None);
        assert!(Tumbling::new(i64::MAX).is_some());
    }

    #[test]
    fn the_first_and_last_nanosecond_have_windows() {
        let windows = Tumbling::new(7).unwrap();
        assert_eq!(windows.start(windows.index(i64::MIN)), i64::MIN);
        let last = windows.start(windows.index(i64::MAX));
        assert!(i64::MAX - last < 7);
        assert_eq!(Tumbling::new(1).unwrap().index(i64::MAX), i64::MAX);
    }

    #[test]
    fn the_window_that_begins_before_time_ends_on_time() {
        let windows = Tumbling::new(10).unwrap();
        let times: Vec<i64> = (0..200).map(|step| i64::MIN + step).collect();
        let first = windows.index(i64::MIN);
        let mut out = vec![0; times.len()];
        windows.offsets(&times, times[0], times[199], first, &mut out);
        assert_eq!(out[..11], [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    }

    proptest! {
        #[test]
        fn a_window_holds_its_times(time: i64, width in 1..i64::MAX) {
            let windows = Tumbling::new(width).unwrap();
            let start = i128::from(windows.index(time)) * i128::from(width);
            prop_assert!(start <= i128::from(time) && i128::from(time) < start + i128::from(width));
            prop_assert_eq!(i128::from(windows.start(windows.index(time))), start.max(i128::from(i64::MIN)));
        }

        #[test]
        fn whole_blocks_find_the_windows_of_single_times(
            base in prop_oneof![Just(i64::MIN), Just(i64::MAX - 5_000), -10_000i64..10_000, any::<i64>()],
            steps in prop::collection::vec(0i64..5_000, 1..200),
            width in prop_oneof![1i64..20, 100i64..10_000],
        ) {
            let windows = Tumbling::new(width).unwrap();
            let times: Vec<i64> = steps.iter().map(|step| base.saturating_add(*step)).collect();
            let (min, max) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
            let first = windows.index(min).saturating_sub(3);
            let mut out = vec![0; times.len()];
            windows.offsets(&times, min, max, first, &mut out);
            for (time, out) in times.iter().zip(out) {
                prop_assert_eq!(windows.index(*time), first + i64::from(out));
            }
        }
    }
}
