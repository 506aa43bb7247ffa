//! The order of a part's rows: by entity, then time, then arrival.

use super::super::part::Runs;
use super::super::team::Team;
use crate::error::Result;

/// Rows that a thread orders by time at a time, at least: whole runs.
const PIECE_ROWS: usize = 1 << 15;

/// Orders rows, which are in order of arrival, by entity; with the rows of each.
pub(super) fn by_entity(mut rows: Vec<u32>, entities: &[u32]) -> (Vec<u32>, Runs) {
    let entity = |row: u32| entities[row as usize];
    let greatest = rows.iter().map(|&row| entity(row)).max().unwrap_or(0) as usize;
    if greatest > rows.len() * 4 + (1 << 16) {
        rows.sort_by_key(|&row| entity(row));
        let runs = Runs::of(rows.iter().map(|&row| entity(row)));
        return (rows, runs);
    }
    // A counting sort keeps the order of arrival.
    let mut next = vec![0u32; greatest + 1];
    for &row in &rows {
        next[entity(row) as usize] += 1;
    }
    let runs = Runs::counted((0..).zip(next.iter().copied()));
    let mut before = 0;
    for count in &mut next {
        before += std::mem::replace(count, before);
    }
    let mut ordered = vec![0; rows.len()];
    for &row in &rows {
        let place = &mut next[entity(row) as usize];
        ordered[*place as usize] = row;
        *place += 1;
    }
    (ordered, runs)
}

/// Orders the rows of each run by time; answers the least and the greatest.
pub(super) fn by_time(order: &mut [u32], runs: &Runs, times: &[i64], team: &mut Team<'_>) -> Result<(i64, i64)> {
    let (mut pieces, mut left, mut piece) = (Vec::new(), order, Vec::new());
    let mut rows = 0;
    for place in 0..runs.len() {
        piece.push(runs.rows_at(place).len());
        rows += piece[piece.len() - 1];
        if rows >= PIECE_ROWS || place + 1 == runs.len() {
            let (taken, others) = left.split_at_mut(rows);
            pieces.push((taken, std::mem::take(&mut piece)));
            (left, rows) = (others, 0);
        }
    }
    let time = |row: u32| times[row as usize];
    let mut bounds = (i64::MAX, i64::MIN);
    team.each(
        pieces,
        |(mut rows, lengths)| {
            let mut bounds = (i64::MAX, i64::MIN);
            for length in lengths {
                let (run, others) = rows.split_at_mut(length);
                if !run.is_sorted_by_key(|&row| time(row)) {
                    run.sort_by_key(|&row| time(row));
                }
                bounds = (bounds.0.min(time(run[0])), bounds.1.max(time(run[length - 1])));
                rows = others;
            }
            Ok(bounds)
        },
        |(least, greatest)| {
            bounds = (bounds.0.min(least), bounds.1.max(greatest));
            Ok(())
        },
    )?;
    Ok(bounds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_ordered_by_entity_then_time_then_arrival(
            rows in prop::collection::vec((prop_oneof![0u32..9, Just(3_000_000)], -4i64..4), 1..300),
            is_helped in any::<bool>(),
        ) {
            let (entities, times): (Vec<u32>, Vec<i64>) = rows.iter().copied().unzip();
            let (mut order, runs) = by_entity((0..rows.len() as u32).collect(), &entities);
            let mut team = Team { helps: &|| is_helped, rest: &mut || Ok(()) };
            let bounds = by_time(&mut order, &runs, &times, &mut team).unwrap();
            let mut expected: Vec<u32> = (0..rows.len() as u32).collect();
            expected.sort_by_key(|&row| rows[row as usize]);
            prop_assert_eq!(&order, &expected);
            prop_assert_eq!(bounds, (*times.iter().min().unwrap(), *times.iter().max().unwrap()));
            for (code, run) in runs.within(0..rows.len() as u32) {
                prop_assert!(run.map(|at| entities[order[at as usize] as usize]).all(|found| found == code));
            }
            prop_assert_eq!(runs.len(), entities.iter().collect::<std::collections::BTreeSet<_>>().len());
        }
    }
}
