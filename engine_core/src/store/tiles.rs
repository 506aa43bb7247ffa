//! Tiles: ranges of event time, aligned to the Unix epoch, in which the rows of a part lie. Widths are multiples of each other, so
//! that two tiles are apart or one lies in the other; tiles of a stream are always apart.

use std::collections::BTreeMap;

use crate::time::SECOND_NS;

const MINUTE: i64 = 60 * SECOND_NS;
const DAY: i64 = 24 * 60 * MINUTE;

/// Widths of tiles, nanoseconds.
pub(super) const WIDTHS: [i64; 9] = [
    MINUTE,
    10 * MINUTE,
    60 * MINUTE,
    360 * MINUTE,
    DAY,
    7 * DAY,
    28 * DAY,
    364 * DAY,
    3_640 * DAY,
];

/// Rows of a tile at least, if its width allows.
const LEAST_ROWS: f64 = (1 << 20) as f64;
/// Rows of a tile that are better: of many entities each has more in one part, which is what queries by entity read and what
/// aggregates need.
const GOOD_ROWS: f64 = (4 << 20) as f64;
/// Rows of a tile at most: more make several parts.
const MOST_ROWS: f64 = (16 << 20) as f64;

/// A tile: its start and its width. At the ends of time it is cut.
pub(super) type Tile = (i64, i64);

/// The tile of a width that holds an instant.
pub(super) fn tile_of(time: i64, width: i64) -> Tile {
    (time.saturating_sub(time.rem_euclid(width)), width)
}

/// Whether a tile holds an instant.
pub(super) fn holds(tile: Tile, time: i64) -> bool {
    time >= tile.0 && i128::from(time) < i128::from(tile.0) + i128::from(tile.1)
}

/// Width for a stream of which `rows` rows lie between two instants: the least one whose tiles hold four million rows, unless that is
/// more than a part has and the one below holds a million.
pub(super) fn width_for(rows: u64, first: i64, last: i64) -> i64 {
    // Rows of less than a minute say nothing of a rate.
    let span = last.abs_diff(first).max(MINUTE as u64) as f64;
    let rate = rows as f64 / span;
    let least = |rows: f64| WIDTHS.iter().find(|&&width| rate * width as f64 >= rows);
    let good = least(GOOD_ROWS).filter(|&&width| rate * width as f64 <= MOST_ROWS);
    *good.or_else(|| least(LEAST_ROWS)).unwrap_or(&WIDTHS[WIDTHS.len() - 1])
}

/// The tiles of a stream, by their start.
#[derive(Clone, Debug, Default)]
pub(super) struct Tiles(BTreeMap<i64, i64>);

impl Tiles {
    /// Of those there are.
    pub(super) fn new(tiles: impl Iterator<Item = Tile>) -> Self {
        Self(tiles.collect())
    }

    /// The tile that holds an instant, made now if there is none: of the given width, or the greatest below at which it touches
    /// no other.
    pub(super) fn tile(&mut self, time: i64, width: i64) -> Tile {
        if let Some((&start, &width)) = self.0.range(..=time).next_back()
            && holds((start, width), time)
        {
            return (start, width);
        }
        let widths = WIDTHS.iter().rev().filter(|&&other| other <= width);
        let apart = widths
            .map(|&width| tile_of(time, width))
            .find(|&tile| self.is_apart(tile));
        // The narrowest lies inside whichever it touches, and that would hold the instant.
        let tile = apart.unwrap_or_else(|| tile_of(time, WIDTHS[0]));
        self.0.insert(tile.0, tile.1);
        tile
    }

    fn is_apart(&self, (start, width): Tile) -> bool {
        let last = (i128::from(start) + i128::from(width) - 1).min(i64::MAX.into()) as i64;
        let inside = self.0.range(start..=last).next().is_some();
        let before = self.0.range(..start).next_back();
        !inside && before.is_none_or(|(&before, &width)| !holds((before, width), start))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn widths_follow_the_rate() {
        let hour = 60 * MINUTE;
        assert_eq!(width_for(3_600_000_000, 0, hour), MINUTE, "a million rows a second");
        assert_eq!(width_for(3_600_000, 0, hour), hour, "a thousand");
        assert_eq!(width_for(1_440_000, 0, hour), 6 * hour, "four hundred");
        assert_eq!(width_for(3_650, 0, 3_650 * DAY), 3_640 * DAY, "one a day");
        assert_eq!(width_for(1, 5, 5), 3_640 * DAY);
        assert_eq!(width_for(4_000_000, 5, 5), MINUTE);
    }

    proptest! {
        #[test]
        fn tiles_hold_their_rows_and_stay_apart(times in prop::collection::vec((any::<i64>(), 0usize..9), 1..60), near: bool) {
            let mut tiles = Tiles::default();
            for (time, width) in times {
                let time = if near { time % (DAY * 40) } else { time };
                let tile = tiles.tile(time, WIDTHS[width]);
                prop_assert!(holds(tile, time));
                prop_assert_eq!(tiles.tile(time, DAY), tile);
            }
            for ((&start, &width), (&next, _)) in tiles.0.iter().zip(tiles.0.iter().skip(1)) {
                prop_assert!(i128::from(start) + i128::from(width) <= i128::from(next));
            }
        }
    }
}
