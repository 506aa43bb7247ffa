//! Levels of nodes in the making: rows are cut by windows of a width, entity by entity.

use super::Level;
use crate::store::part::runs::Runs;

/// A level in the making. The widest come from the finest, whose nodes theirs are made of.
#[derive(Debug, Default)]
pub(super) struct Grid {
    pub(super) level: Level,
    /// First node of the finest level in each node, once all levels are there.
    pub(super) finest: Vec<u32>,
}

impl Level {
    /// Adds the nodes of an entity's rows, or of more of them: `is_new` says that they are its first.
    pub(super) fn cut(&mut self, width: i64, first: u32, times: &[i64], is_new: bool) {
        let mut at = 0;
        while at < times.len() {
            let window = times[at].div_euclid(width);
            // Behind the last window that ends within time there is but one.
            let end = window.checked_add(1).and_then(|next| next.checked_mul(width));
            let n = end.map_or(times.len() - at, |end| times[at..].partition_point(|&time| time < end));
            let goes_on = !(is_new && at == 0) && self.windows.last() == Some(&window);
            if !goes_on {
                self.starts.push(first + at as u32);
                self.windows.push(window);
            }
            at += n;
        }
    }
}

impl Grid {
    /// The level of a multiple of this one's width.
    pub(super) fn widened(&self, width: i64, runs: &Runs) -> Self {
        let (factor, mut wider) = (width / self.level.width, Self::default());
        let mut run = 0;
        for (node, &window) in self.level.windows.iter().enumerate() {
            let (start, window) = (self.level.starts[node], window.div_euclid(factor));
            let is_new = runs.starts.get(run) == Some(&start);
            run += usize::from(is_new);
            if is_new || wider.level.windows.last() != Some(&window) {
                wider.level.starts.push(start);
                wider.level.windows.push(window);
            }
        }
        wider.level.width = width;
        wider.level.starts.extend(self.level.starts.last());
        wider
    }
}
