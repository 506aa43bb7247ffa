//! What is packed is unpacked, and what is damaged is found out.

use proptest::prelude::*;

use super::*;
use crate::column::RowBatch;
use crate::column::batch::{BatchColumn, Bitmap, ColumnData, TextData};

fn batch_of(rows: usize, seed: u64, nulls: bool) -> RowBatch {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let unit = [1, 1_000, 1_000_000, 1_000_000_000][(next() % 4) as usize];
    let start = next() as i64 / 4;
    let time = (0..rows).map(|_| start + (next() % 5_000) as i64 * unit).collect();
    let entity = (0..rows).map(|_| (next() % 300) as u32).collect();
    let validity = nulls.then(|| {
        let mut bits = Bitmap::default();
        (0..rows).for_each(|row| bits.push(row / 1024 % 3 != 1 && next() % 3 > 0));
        bits
    });
    let f64s = (0..rows).map(|_| {
        if next() % 50 == 0 {
            f64::NAN
        } else {
            next() as f64 / 7.0
        }
    });
    let data = vec![
        ColumnData::F64(f64s.collect()),
        ColumnData::I64((0..rows).map(|_| next() as i64 >> (next() % 64)).collect()),
        ColumnData::Bool({
            let mut bits = Bitmap::default();
            (0..rows).for_each(|_| bits.push(next() % 2 == 0));
            bits
        }),
        ColumnData::Code((0..rows).map(|_| (next() % 5) as u32).collect()),
        ColumnData::Text({
            let mut texts = TextData::default();
            (0..rows).for_each(|_| texts.push(&"é".repeat((next() % 4) as usize)));
            texts
        }),
        ColumnData::F64(vec![f64::NAN; rows]),
        ColumnData::I64(vec![i64::MIN; rows]),
    ];
    let columns = data
        .into_iter()
        .enumerate()
        .map(|(i, data)| BatchColumn {
            id: 2 + i as ColumnId,
            validity: if matches!(data, ColumnData::Code(_)) {
                None
            } else {
                validity.clone()
            },
            data,
        })
        .collect();
    RowBatch { time, entity, columns }
}

fn check(batch: &RowBatch) {
    let packed = PackedBatch::open(pack(batch)).unwrap();
    packed.verify().unwrap();
    assert_eq!(packed.rows(), batch.rows());
    assert_eq!(packed.min_time(), *batch.time.iter().min().unwrap());
    assert_eq!(packed.max_time(), *batch.time.iter().max().unwrap());
    let (mut i64s, mut codes) = ([0; BLOCK_ROWS], [0; BLOCK_ROWS]);
    let (mut f64s, mut bools) = ([0.0; BLOCK_ROWS], [false; BLOCK_ROWS]);
    for block in 0..packed.blocks() {
        let rows = block * BLOCK_ROWS..block * BLOCK_ROWS + packed.block_rows(block);
        packed.decode_i64(0, block, &mut i64s).unwrap();
        assert_eq!(i64s[..rows.len()], batch.time[rows.clone()]);
        packed.decode_codes(1, block, &mut codes).unwrap();
        assert_eq!(codes[..rows.len()], batch.entity[rows.clone()]);
        for column in &batch.columns {
            let at = packed.find(column.id).unwrap();
            let valid = |row: usize| column.validity.as_ref().is_none_or(|bits| bits.get(row));
            let nulls = rows.clone().filter(|&row| !valid(row)).count();
            match &column.data {
                ColumnData::F64(values) => {
                    let validity = packed.decode_f64(at, block, &mut f64s).unwrap();
                    let mut nans = 0;
                    for (i, row) in rows.clone().enumerate() {
                        assert_eq!(validity.get(i), valid(row));
                        if valid(row) {
                            assert_eq!(f64s[i].to_bits(), values[row].to_bits());
                            nans += u32::from(values[row].is_nan());
                        }
                    }
                    assert_eq!(packed.stats(at, block).nans, nans);
                }
                ColumnData::I64(values) => {
                    let validity = packed.decode_i64(at, block, &mut i64s).unwrap();
                    for (i, row) in rows.clone().enumerate() {
                        assert_eq!(validity.get(i), valid(row));
                        assert!(!valid(row) || i64s[i] == values[row]);
                    }
                }
                ColumnData::Bool(values) => {
                    let validity = packed.decode_bool(at, block, &mut bools).unwrap();
                    for (i, row) in rows.clone().enumerate() {
                        assert_eq!(validity.get(i), valid(row));
                        assert!(!valid(row) || bools[i] == values.get(row));
                    }
                }
                ColumnData::Code(values) => {
                    packed.decode_codes(at, block, &mut codes).unwrap();
                    assert_eq!(codes[..rows.len()], values[rows.clone()]);
                    continue;
                }
                ColumnData::Text(values) => {
                    let (texts, validity) = packed.decode_text(at, block).unwrap();
                    for (i, row) in rows.clone().enumerate() {
                        assert_eq!(validity.get(i), valid(row));
                        assert!(!valid(row) || texts.get(i) == values.get(row));
                    }
                }
            }
            assert_eq!(packed.stats(at, block).nulls as usize, nulls);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_packed_is_unpacked(rows in 1usize..3_000, seed: u64, nulls: bool) {
        check(&batch_of(rows, seed, nulls));
    }

    #[test]
    fn a_flipped_bit_never_passes(rows in 1usize..1_500, seed: u64, at: prop::sample::Index, bit in 0u32..8) {
        let good = pack(&batch_of(rows, seed, true));
        let mut bad = good.clone();
        let at = at.index(bad.len());
        bad[at] ^= 1 << bit;
        // Padding between blocks is covered by nothing and means nothing.
        if let Ok(batch) = PackedBatch::open(bad)
            && batch.verify().is_ok()
        {
            let good = PackedBatch::open(good).unwrap();
            let inside = (0..good.columns()).any(|column| (0..good.blocks()).any(|block| {
                let entry = good.entry_at(column, block);
                let start = u32_at(&good.bytes, entry) as usize;
                (start..start + u32_at(&good.bytes, entry + 4) as usize).contains(&at)
            }));
            prop_assert!(!inside, "a flip at {} went unnoticed", at);
        }
    }
}

#[test]
fn whole_blocks_and_one_row_round_trip() {
    check(&batch_of(1, 1, false));
    check(&batch_of(1, 2, true));
    check(&batch_of(1024, 3, true));
    check(&batch_of(2048, 4, false));
}

#[test]
fn extreme_times_round_trip() {
    let batch = RowBatch {
        time: vec![i64::MIN, i64::MAX, 0],
        entity: vec![0, u32::MAX, 1],
        columns: vec![],
    };
    check(&batch);
}
