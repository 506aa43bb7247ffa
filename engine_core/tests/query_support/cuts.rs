//! Windows as an interpreter of queries cuts them, row by row.

use marigram_core::wire::v1;

use super::{Cell, hopping, session_within, sliding, tumbling};

/// How time is cut, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Whole,
    /// Width and step; equal where windows do not overlap.
    Equal(i64, i64),
    /// Longest gap and longest session.
    Session(i64, Option<i64>),
    /// Width.
    Sliding(i64),
}

impl Cut {
    pub(crate) fn message(self) -> Option<v1::Window> {
        match self {
            Self::Whole => None,
            Self::Equal(width, step) if width == step => tumbling(width),
            Self::Equal(width, step) => hopping(width, step),
            Self::Session(gap, longest) => session_within(gap, longest),
            Self::Sliding(width) => sliding(width),
        }
    }

    /// Columns of an answer that are of windows.
    pub(crate) fn columns(self) -> usize {
        match self {
            Self::Whole => 0,
            Self::Equal(..) => 1,
            Self::Session(..) | Self::Sliding(_) => 2,
        }
    }

    /// What an answer shows of the windows that a time lies in. `beside` are the times of the rows that say where windows are: of the
    /// entity for sessions, of the group for sliding windows.
    pub(crate) fn windows(self, time: i64, mut beside: Vec<i64>) -> Vec<Vec<Cell>> {
        beside.sort_unstable();
        match self {
            Self::Whole => vec![Vec::new()],
            Self::Equal(width, step) => {
                let (time, width, step) = (i128::from(time), i128::from(width), i128::from(step));
                let last = time.div_euclid(step);
                let starts = (0..).map(|back| (last - back) * step);
                let starts = starts.take_while(|start| start + width > time);
                starts.map(|start| vec![shown(start)]).collect()
            }
            Self::Session(gap, longest) => {
                let apart = |from: i64, to: i64| i128::from(to) - i128::from(from);
                let (mut start, mut last) = (beside[0], beside[0]);
                for next in beside {
                    let is_long = longest.is_some_and(|longest| apart(start, next) > longest.into());
                    if apart(last, next) > gap.into() || is_long {
                        if time <= last {
                            break;
                        }
                        start = next;
                    }
                    last = next;
                }
                vec![vec![Cell::Time(start), Cell::Time(last)]]
            }
            Self::Sliding(width) => {
                beside.dedup();
                let ends = beside.into_iter();
                let reaches = |end: &i64| *end >= time && i128::from(*end) - i128::from(time) < i128::from(width);
                let window = |end: i64| vec![shown(i128::from(end) - i128::from(width)), Cell::Time(end)];
                ends.filter(reaches).map(window).collect()
            }
        }
    }
}

fn shown(start: i128) -> Cell {
    Cell::Time(start.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}
