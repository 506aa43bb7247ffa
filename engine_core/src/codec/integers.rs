//! Blocks of integers, timestamps and dictionary codes: one byte for the codec, then what its file describes.
//!
//! | codec | file | for |
//! |---|---|---|
//! | 0 constant | here | the value, a zig-zag varint |
//! | 1 bytes | `whole_bytes` | short or wild blocks |
//! | 2 frame | `frame` | values near each other |
//! | 3 delta | `delta` | values near the one before |
//! | 4 linear | `linear` | clocks |
//! | 5 runs | `runs` | values that stay |
//! | 6 dictionary | `dictionary` | few distinct values |
//! | 7 dense frame | `frame`, `dense` | as 2, where parts are cold |
//! | 8 dense delta | `delta`, `dense` | as 3, where parts are cold |
//! | 9 dense linear | `linear`, `dense` | as 4, where parts are cold |
//!
//! A number is never given to another layout: what changes gets a new one. The number of rows is not stored, since the
//! directory of a chunk has it. Dictionary codes are the same bytes, as non-negative integers below 2³².

use super::dense::{self, Dense};
use super::dictionary::{self, Dictionary};
use super::dispatch::dispatched;
use super::fields::{Fields, put_signed, put_varint, varint_len, zigzag};
use super::frame::{self, Frame};
use super::linear::Lines;
use super::residual::{self, Fit, Residuals};
use super::scaled::Scaled;
use super::stretches::{stretches, sum_of};
use super::{BLOCK, Codecs};
use super::{delta, linear, runs, whole_bytes};

const CONSTANT: u8 = 0;
const BYTES: u8 = 1;
const FRAME: u8 = 2;
const DELTA: u8 = 3;
const LINEAR: u8 = 4;
const RUNS: u8 = 5;
const DICTIONARY: u8 = 6;
const DENSE_FRAME: u8 = 7;
const DENSE_DELTA: u8 = 8;
const DENSE_LINEAR: u8 = 9;

/// What a slower codec must save to be chosen, in 64ths of a bit a value: about what its decoding costs more than a frame's.
const fn handicap(codec: u8) -> usize {
    match codec {
        LINEAR => 4,
        DELTA | RUNS => 8,
        DICTIONARY => 16,
        BYTES => 32,
        _ => 0,
    }
}

/// What a faster codec may take more than whole bytes.
const SLACK: usize = 32;
/// A dense codec must save one part in so many to be chosen: it decodes at a quarter of a frame's speed.
const DENSE_SAVES: usize = 32;

dispatched! {
    /// Least and greatest.
    pub(super) fn bounds(values: &[i64]) -> (i64, i64) {
        let (mut least, mut greatest) = (i64::MAX, i64::MIN);
        for &value in values {
            least = least.min(value);
            greatest = greatest.max(value);
        }
        (least, greatest)
    }
}

/// Appends the block in the codec that takes least room; between nearly equals, the faster. Never more than 48 bytes above
/// what the widest value takes in whole bytes, for each.
///
/// # Panics
/// If there is no value or more than [`BLOCK`].
pub fn encode(values: &[i64], out: &mut Vec<u8>) {
    encode_as(values, Codecs::Hot, out);
}

/// [`encode`] in these codecs.
///
/// # Panics
/// As [`encode`].
pub fn encode_as(values: &[i64], codecs: Codecs, out: &mut Vec<u8>) {
    encode_any(values, true, codecs, out);
}

/// [`encode`] without the codecs that nest blocks in theirs.
pub(super) fn encode_leaf(values: &[i64], out: &mut Vec<u8>) {
    encode_any(values, false, Codecs::Hot, out);
}

/// [`encode_leaf`] behind its length, as [`Fields::nested`] takes it.
pub(super) fn encode_nested(values: &[i64], out: &mut Vec<u8>) {
    let mut block = Vec::new();
    encode_leaf(values, &mut block);
    put_varint(block.len() as u64, out);
    out.extend_from_slice(&block);
}

fn encode_any(values: &[i64], nests: bool, codecs: Codecs, out: &mut Vec<u8>) {
    let rows = values.len();
    assert!((1..=BLOCK).contains(&rows), "a block has 1 to 1,024 values");
    let (least, greatest) = bounds(values);
    if least == greatest {
        out.push(CONSTANT);
        put_signed(least, out);
        return;
    }
    let range = greatest.wrapping_sub(least) as u64;
    let start = out.len();
    let plain = whole_bytes::len(rows, least, range);
    let scaled = Scaled::new(values, least);
    let costs = |bytes: usize, codec: u8| bytes + rows * handicap(codec) / 512;
    let framed = residual::fit(scaled.quotients());
    let mut steps = delta::steps(&scaled);
    let stepped = residual::fit(&steps[1..rows]);
    let head = varint_len(zigzag(least)) + varint_len(scaled.scale);
    let (mut codec, mut cost) = (BYTES, costs(plain, BYTES));
    let mut offer = |offered: u8, bytes: usize| {
        let offered_cost = costs(bytes, offered);
        if offered_cost < cost {
            (codec, cost) = (offered, offered_cost);
        }
        cost
    };
    offer(FRAME, head + framed.bytes);
    let best = offer(DELTA, head + varint_len(zigzag(stepped.low)) + stepped.bytes);
    // A line needs something that climbs, if only between jumps.
    let climbs = stepped.low > 0 || (stepped.low.unsigned_abs() >> stepped.width.saturating_sub(2)) == 0;
    let lines = ((best > 32 || stepped.width == 0) && climbs)
        .then(|| linear::fit(&scaled, &steps, stepped))
        .flatten();
    let mut best = lines.as_ref().map_or(best, |lines| offer(LINEAR, head + lines.bytes));
    let mut nested = Vec::new();
    let mut dictionary = None;
    if nests {
        let count = runs::count(values);
        // A run takes a byte and a half at the very least, or nearly nothing if all are alike.
        if count * 4 <= rows && best > 24 {
            runs::write(values, &mut nested);
            best = offer(RUNS, nested.len());
        }
        if best > rows / 2 && framed.width > 4 {
            // Places that take as many bits as the best so far gain nothing.
            let bits = (best * 8 / rows).clamp(1, 9) - 1;
            dictionary = Dictionary::of(values, (best / 4).min(1 << bits));
            if let Some(dictionary) = &dictionary {
                offer(DICTIONARY, dictionary.bytes(rows));
            }
        }
    }
    let dense = (codecs == Codecs::Cold).then(|| dense(&scaled, &mut steps, lines.as_ref(), framed, stepped));
    out.push(codec);
    match codec {
        FRAME => frame::write(&scaled, &framed, out),
        DELTA => delta::write(&scaled, &mut steps, &stepped, out),
        LINEAR => {
            let lines = lines.expect("offered");
            linear::write(&scaled, &lines, &lines.fit, out);
        }
        RUNS => out.extend_from_slice(&nested),
        DICTIONARY => dictionary.expect("offered").write(rows, out),
        _ => whole_bytes::write(values, least, range, out),
    }
    // Sizes are estimates where exceptions and nested blocks come in.
    if codec != BYTES && out.len() > start + plain + SLACK {
        out.truncate(start);
        out.push(BYTES);
        whole_bytes::write(values, least, range, out);
    }
    let most = (out.len() - start) / DENSE_SAVES * (DENSE_SAVES - 1);
    if let Some(dense) = dense.flatten()
        && dense.len() < most
    {
        out.truncate(start);
        out.extend_from_slice(&dense);
    }
}

/// The block in the dense codec that is likely to take least; none if none is likely to take less than its like.
fn dense(
    scaled: &Scaled,
    steps: &mut [i64; BLOCK],
    lines: Option<&Lines>,
    framed: Fit,
    stepped: Fit,
) -> Option<Vec<u8>> {
    let frame = dense::plan(scaled.quotients(), framed).map(|plan| (DENSE_FRAME, plan));
    let delta = dense::plan(&steps[1..scaled.rows], stepped).map(|plan| (DENSE_DELTA, plan));
    let linear = lines.and_then(|lines| dense::plan(&lines.residuals[..scaled.rows], lines.fit));
    let linear = linear.map(|plan| (DENSE_LINEAR, plan));
    let plans = [frame, delta, linear].into_iter().flatten();
    let (codec, plan) = plans.min_by_key(|(_, plan)| plan.bytes)?;
    let mut out = vec![codec];
    match (codec, lines) {
        (DENSE_FRAME, _) => frame::write(scaled, &plan, &mut out),
        (DENSE_LINEAR, Some(lines)) => linear::write(scaled, lines, &plan, &mut out),
        _ => delta::write(scaled, steps, &plan, &mut out),
    }
    Some(out)
}

/// Decodes a block of so many rows; false, with `out` unspecified, if the bytes are not one. Rows past the block's are unspecified.
#[must_use]
pub fn decode(bytes: &[u8], rows: usize, out: &mut [i64; BLOCK]) -> bool {
    decode_any(bytes, rows, true, out).is_some()
}

/// [`decode`] of what [`encode_leaf`] wrote.
pub(super) fn decode_leaf(bytes: &[u8], rows: usize, out: &mut [i64; BLOCK]) -> Option<()> {
    decode_any(bytes, rows, false, out)
}

/// Codec and fields of a block of so many rows.
fn open(bytes: &[u8], rows: usize) -> Option<(u8, Fields<'_>)> {
    let mut fields = Fields::new(bytes);
    let codec = fields.byte()?;
    (1..=BLOCK).contains(&rows).then_some((codec, fields))
}

fn constant(mut fields: Fields<'_>) -> Option<i64> {
    fields.signed().filter(|_| fields.is_empty())
}

fn decode_any(bytes: &[u8], rows: usize, nests: bool, out: &mut [i64; BLOCK]) -> Option<()> {
    let (codec, fields) = open(bytes, rows)?;
    match codec {
        CONSTANT => out.fill(constant(fields)?),
        BYTES => whole_bytes::decode(fields, rows, out)?,
        FRAME => Frame::<Residuals<'_>>::read(fields, rows)?.decode(out),
        DELTA => delta::decode::<Residuals<'_>>(fields, rows, out)?,
        LINEAR => linear::decode::<Residuals<'_>>(fields, rows, out)?,
        DENSE_FRAME => Frame::<Dense<'_>>::read(fields, rows)?.decode(out),
        DENSE_DELTA => delta::decode::<Dense<'_>>(fields, rows, out)?,
        DENSE_LINEAR => linear::decode::<Dense<'_>>(fields, rows, out)?,
        RUNS if nests => runs::decode(fields, rows, out)?,
        DICTIONARY if nests => dictionary::decode(fields, rows, out)?,
        _ => return None,
    }
    Some(())
}

/// Single values of a block, had without decoding the others.
#[derive(Debug)]
pub struct Points<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    Constant(i64),
    Linear(linear::Points<'a>),
}

impl<'a> Points<'a> {
    /// Of a constant or a clock; none if the block is another, which must be decoded, or is not one.
    pub fn read(bytes: &'a [u8], rows: usize) -> Option<Self> {
        let (codec, fields) = open(bytes, rows)?;
        match codec {
            CONSTANT => constant(fields).map(Kind::Constant),
            LINEAR => linear::Points::read(fields, rows).map(Kind::Linear),
            _ => None,
        }
        .map(Self)
    }

    /// Value of a row of the block.
    pub fn get(&self, row: usize) -> i64 {
        match &self.0 {
            Kind::Constant(value) => *value,
            Kind::Linear(points) => points.get(row),
        }
    }
}

/// Exact sum of a block without nulls: from its codes if it is constant, a frame, steps or runs, else by decoding it. None if the bytes
/// are no such block.
pub fn sum(bytes: &[u8], rows: usize) -> Option<i128> {
    let (codec, fields) = open(bytes, rows)?;
    let encoded = match codec {
        CONSTANT => return Some(i128::from(constant(fields)?) * rows as i128),
        FRAME => Frame::<Residuals<'_>>::read(fields, rows)?.sum(rows),
        DELTA => delta::sum(fields, rows),
        RUNS => return runs::sum(fields, rows),
        _ => None,
    };
    encoded.or_else(|| {
        let mut values = [0; BLOCK];
        decode_any(bytes, rows, true, &mut values)?;
        Some(sum_of(&values[..rows]))
    })
}

/// Exact sums of the stretches of a block without nulls, in place of what `sums` held: the first begins with the first row, each other
/// where the one before ends. `ends` ascend to the number of rows at most. As [`sum`], from the codes where they can tell.
pub fn stretch_sums(bytes: &[u8], rows: usize, ends: &[u32], sums: &mut Vec<i128>) -> Option<()> {
    let (codec, fields) = open(bytes, rows)?;
    sums.clear();
    let encoded = match codec {
        CONSTANT => {
            let value = i128::from(constant(fields)?);
            sums.extend(stretches(ends).map(|stretch| value * stretch.len() as i128));
            return Some(());
        }
        FRAME => Frame::<Residuals<'_>>::read(fields, rows)?.stretch_sums(ends, sums),
        DELTA => delta::stretch_sums(fields, rows, ends, sums),
        _ => None,
    };
    encoded.or_else(|| {
        let mut values = [0; BLOCK];
        decode_any(bytes, rows, true, &mut values)?;
        sums.clear();
        sums.extend(stretches(ends).map(|stretch| sum_of(&values[stretch])));
        Some(())
    })
}

/// Least and greatest value of a block without nulls. None if the bytes are no such block.
pub fn extrema(bytes: &[u8], rows: usize) -> Option<(i64, i64)> {
    let (codec, fields) = open(bytes, rows)?;
    if codec == CONSTANT {
        return constant(fields).map(|value| (value, value));
    }
    let mut values = [0; BLOCK];
    decode_any(bytes, rows, true, &mut values)?;
    Some(bounds(&values[..rows]))
}

/// [`encode`] for dictionary codes.
///
/// # Panics
/// As [`encode`].
pub fn encode_codes(codes: &[u32], out: &mut Vec<u8>) {
    encode_codes_as(codes, Codecs::Hot, out);
}

/// [`encode_codes`] in these codecs.
///
/// # Panics
/// As [`encode`].
pub fn encode_codes_as(codes: &[u32], codecs: Codecs, out: &mut Vec<u8>) {
    assert!((1..=BLOCK).contains(&codes.len()), "a block has 1 to 1,024 values");
    let mut values = [0; BLOCK];
    for (value, &code) in values.iter_mut().zip(codes) {
        *value = code.into();
    }
    encode_as(&values[..codes.len()], codecs, out);
}

/// [`decode`] for dictionary codes.
#[must_use]
pub fn decode_codes(bytes: &[u8], rows: usize, out: &mut [u32; BLOCK]) -> bool {
    decode_codes_any(bytes, rows, out).is_some()
}

fn decode_codes_any(bytes: &[u8], rows: usize, out: &mut [u32; BLOCK]) -> Option<()> {
    let (codec, fields) = open(bytes, rows)?;
    if codec == CONSTANT {
        out.fill(u32::try_from(constant(fields)?).ok()?);
        return Some(());
    }
    if codec == FRAME && Frame::<Residuals<'_>>::read(fields, rows)?.decode_narrow(out) {
        return Some(());
    }
    let mut values = [0; BLOCK];
    decode_any(bytes, rows, true, &mut values)?;
    let mut bits = 0;
    for (out, &value) in out.iter_mut().zip(&values[..rows]) {
        bits |= value;
        *out = value as u32;
    }
    u32::try_from(bits).is_ok().then_some(())
}
