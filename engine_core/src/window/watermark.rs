//! The watermark of a stream: before it no more rows are expected.

/// What moves a stream's watermark. Times are Unix nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How far the watermark stays behind the newest row.
    pub out_of_orderness_ns: i64,
    /// How far behind the clock the last row may lie for the watermark to follow the clock in a silence.
    pub allowed_lateness_ns: i64,
    /// How long a silence is.
    pub idle_after_ns: i64,
}

/// min(greatest event time, clock) − out_of_orderness, never falling. In a silence of a live stream (the newest row was less
/// than `allowed_lateness` behind the clock) it follows clock − idle_after − out_of_orderness, so a silent sensor still closes
/// its windows, while a replay of history never jumps to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermark {
    /// Greatest event time accepted; none without rows.
    pub max_time: Option<i64>,
    /// Clock when the last row was accepted.
    pub last_arrival: i64,
    /// What the watermark has reached.
    reached: Option<i64>,
}

impl Watermark {
    /// As it was stored.
    pub fn restore(max_time: Option<i64>, last_arrival: i64, reached: Option<i64>) -> Self {
        Self {
            max_time,
            last_arrival,
            reached,
        }
    }

    /// What it has reached, without a look at the clock.
    pub fn reached(&self) -> Option<i64> {
        self.reached
    }

    /// Notes accepted rows, the greatest of whose times is `max_time`.
    pub fn observe(&mut self, max_time: i64, now: i64, policy: &Policy) {
        self.max_time = Some(self.max_time.map_or(max_time, |seen| seen.max(max_time)));
        self.last_arrival = now;
        self.advance(now, policy);
    }

    /// The watermark at `now`; none without rows.
    pub fn advance(&mut self, now: i64, policy: &Policy) -> Option<i64> {
        let max_time = self.max_time?;
        let mut mark = max_time.min(now).saturating_sub(policy.out_of_orderness_ns);
        let was_live = max_time > self.last_arrival.saturating_sub(policy.allowed_lateness_ns);
        if was_live && now.saturating_sub(self.last_arrival) >= policy.idle_after_ns {
            mark = mark.max(
                now.saturating_sub(policy.idle_after_ns)
                    .saturating_sub(policy.out_of_orderness_ns),
            );
        }
        self.reached = Some(self.reached.map_or(mark, |reached| reached.max(mark)));
        self.reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        out_of_orderness_ns: 10,
        allowed_lateness_ns: 3_600,
        idle_after_ns: 30,
    };

    #[test]
    fn it_stays_behind_the_newest_row_and_never_falls() {
        let mut mark = Watermark::default();
        assert_eq!(mark.advance(1_000, &POLICY), None);
        mark.observe(1_000, 1_005, &POLICY);
        assert_eq!(mark.reached(), Some(990));
        mark.observe(900, 1_006, &POLICY);
        assert_eq!(mark.reached(), Some(990));
    }

    #[test]
    fn a_row_from_the_future_does_not_push_it_past_the_clock() {
        let mut mark = Watermark::default();
        mark.observe(5_000, 1_000, &POLICY);
        assert_eq!(mark.reached(), Some(990));
        assert_eq!(mark.advance(1_010, &POLICY), Some(1_000));
    }

    #[test]
    fn a_silent_live_stream_follows_the_clock() {
        let mut mark = Watermark::default();
        mark.observe(1_000, 1_000, &POLICY);
        assert_eq!(mark.advance(1_029, &POLICY), Some(990));
        assert_eq!(mark.advance(1_100, &POLICY), Some(1_060));
    }

    #[test]
    fn a_replay_of_history_does_not_jump_to_now() {
        let mut mark = Watermark::default();
        mark.observe(1_000, 1_000_000, &POLICY);
        assert_eq!(mark.advance(2_000_000, &POLICY), Some(990));
    }

    #[test]
    fn a_clock_that_steps_back_does_not_pull_it_back() {
        let mut mark = Watermark::default();
        mark.observe(1_000, 1_000, &POLICY);
        assert_eq!(mark.advance(500, &POLICY), Some(990));
    }
}
