//! Doubles that are decimals: whole numbers and the power of ten that makes the doubles of them, bit for bit (after ALP:
//! Afroozeh, Kuffo & Boncz 2023, PACMMOD 1(4)).
//!
//! way (one byte: exponent 0 to 18, plus 32 if multiplied); exceptions (`exceptions`) with all their bits; the whole numbers, an
//! integer block that takes all bytes that are left. A value is its number divided by 10^exponent or, if multiplied, its number
//! times the double nearest to 10^−exponent. Exceptions are what no whole number gives back: −0, NaN with its payload,
//! infinities, what has too many digits. At their rows stands a neighbour's number.
//!
//! Unlike the paper we divide: a quotient of integers is rounded correctly, so that every decimal of up to fifteen digits comes
//! back, where a product with an inexact power of ten misses some. What was made by multiplying (a sensor's raw count times
//! 0.1) is not such a decimal and has the other way. Whole numbers are within ±2⁵¹, where adding 1.5 · 2⁵² rounds and converts
//! at once, in both directions and on any CPU.

use super::bitpack::width_of;
use super::dispatch::dispatched;
use super::exceptions::{self, Exceptions};
use super::fields::Fields;
use super::integers;
use super::{BLOCK, Codecs};

/// Doubles from 2⁵² to 2⁵³ are the integers; in their middle is room for negative ones too.
const MAGIC: f64 = 6_755_399_441_055_744.0;
const MAGIC_BITS: i64 = MAGIC.to_bits() as i64;
const POWERS: [f64; 19] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
];
const INVERSES: [f64; 19] = [
    1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17,
    1e-18,
];
const MULTIPLIED: u8 = 32;
/// Stands for an exception until its row gets a neighbour's number.
const NO_NUMBER: i64 = i64::MIN;
const SAMPLE: usize = 32;
/// Whole numbers are below this.
const LIMIT: f64 = (1u64 << 51) as f64;
/// Digits past the point are fewer, where a product is tried.
const MULTIPLIED_DIGITS: u8 = 10;
/// Bits that an exception takes, about.
const EXCEPTION_BITS: usize = 80;

/// How whole numbers become doubles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decimal {
    exponent: u8,
    multiplied: bool,
}

/// The whole number nearest to the value; exact in the range, and something that is not given back outside.
#[inline(always)]
fn number_of(value: f64, power: f64, back: impl Fn(f64) -> f64) -> i64 {
    let shifted = value * power + MAGIC;
    let in_range = shifted.to_bits() >> 52 == MAGIC.to_bits() >> 52;
    let same = back(shifted - MAGIC).to_bits() == value.to_bits();
    if in_range & same {
        shifted.to_bits() as i64 - MAGIC_BITS
    } else {
        NO_NUMBER
    }
}

#[inline(always)]
fn double_of(number: i64) -> f64 {
    f64::from_bits(number.wrapping_add(MAGIC_BITS) as u64) - MAGIC
}

dispatched! {
    fn numbers_divided(values: &[f64], power: f64, out: &mut [i64]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = number_of(value, power, |number| number / power);
        }
    }
}

dispatched! {
    fn numbers_multiplied(values: &[f64], power: f64, inverse: f64, out: &mut [i64]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = number_of(value, power, |number| number * inverse);
        }
    }
}

dispatched! {
    fn doubles_divided(numbers: &[i64; BLOCK], power: f64, out: &mut [f64; BLOCK]) {
        for (out, &number) in out.iter_mut().zip(numbers) {
            *out = double_of(number) / power;
        }
    }
}

dispatched! {
    fn doubles_multiplied(numbers: &[i64; BLOCK], inverse: f64, out: &mut [f64; BLOCK]) {
        for (out, &number) in out.iter_mut().zip(numbers) {
            *out = double_of(number) * inverse;
        }
    }
}

dispatched! {
    fn count_exceptions(numbers: &[i64]) -> usize {
        let mut count = 0u64;
        for &number in numbers {
            count += u64::from(number == NO_NUMBER);
        }
        count as usize
    }
}

impl Decimal {
    fn power(self) -> f64 {
        POWERS[usize::from(self.exponent)]
    }

    fn inverse(self) -> f64 {
        INVERSES[usize::from(self.exponent)]
    }

    fn numbers(self, values: &[f64], out: &mut [i64]) {
        if self.multiplied {
            numbers_multiplied(values, self.power(), self.inverse(), out);
        } else {
            numbers_divided(values, self.power(), out);
        }
    }

    /// What a sum or an extreme of whole numbers is among doubles.
    fn value(self, number: f64) -> f64 {
        if self.multiplied {
            number * self.inverse()
        } else {
            number / self.power()
        }
    }

    /// Bits that a sample takes, about, and its exceptions.
    fn cost(self, sample: &[f64]) -> (usize, usize) {
        let mut numbers = [0; SAMPLE];
        self.numbers(sample, &mut numbers);
        let numbers = &numbers[..sample.len()];
        let (mut least, mut greatest, mut apart) = (i64::MAX, i64::MIN, 0);
        for &number in numbers {
            if number == NO_NUMBER {
                apart += 1;
            } else {
                (least, greatest) = (least.min(number), greatest.max(number));
            }
        }
        let range = greatest.wrapping_sub(least).max(0) as u64;
        let width = if apart == sample.len() {
            0
        } else {
            width_of(range) as usize
        };
        ((sample.len() - apart) * width + apart * EXCEPTION_BITS, apart)
    }
}

/// The cheapest way for a sample of the values; none if most of it would be exceptions.
pub(super) fn choose(values: &[f64]) -> Option<Decimal> {
    let mut sample = [0.0; SAMPLE];
    let sampled = values.len().min(SAMPLE);
    for (at, sample) in sample[..sampled].iter_mut().enumerate() {
        *sample = values[at * values.len() / sampled];
    }
    let sample = &sample[..sampled];
    let hopeless = |value: &&f64| !value.is_finite() || value.to_bits() == (-0.0f64).to_bits();
    let hopeless = sample.iter().filter(hopeless).count();
    // What is a quotient with few digits is one with many too, up to the range of whole numbers: most blocks of computed doubles
    // are told by one look.
    let widest = sample
        .iter()
        .filter(|value| value.is_finite())
        .fold(0.0f64, |all, value| all.max(value.abs()));
    let digits = POWERS.iter().take_while(|&&power| widest * power < LIMIT).count();
    let longest = Decimal {
        exponent: digits.saturating_sub(1) as u8,
        multiplied: false,
    };
    let quotients = sampled - longest.cost(sample).1;
    let (mut best, mut best_cost, mut best_apart) = (None, usize::MAX, sampled);
    for multiplied in [false, true] {
        let exponents = match multiplied {
            false if quotients * 2 < sampled => 0..0,
            false => 0..POWERS.len() as u8,
            true => 1..MULTIPLIED_DIGITS,
        };
        for exponent in exponents {
            let decimal = Decimal { exponent, multiplied };
            let (cost, apart) = decimal.cost(sample);
            if cost < best_cost {
                (best, best_cost, best_apart) = (Some(decimal), cost, apart);
            }
            // One digit more would only widen the numbers.
            if apart == hopeless {
                break;
            }
        }
        if best_apart == hopeless {
            break;
        }
    }
    best.filter(|_| best_apart * 2 <= sampled)
}

/// Appends the block, the given way.
pub(super) fn write(values: &[f64], decimal: Decimal, codecs: Codecs, out: &mut Vec<u8>) {
    let mut numbers = [0; BLOCK];
    let numbers = &mut numbers[..values.len()];
    decimal.numbers(values, numbers);
    out.push(decimal.exponent + if decimal.multiplied { MULTIPLIED } else { 0 });
    let count = count_exceptions(numbers);
    let (mut rows, mut bits) = (Vec::with_capacity(count), Vec::with_capacity(count));
    if count > 0 {
        let mut last = numbers.iter().copied().find(|&number| number != NO_NUMBER).unwrap_or(0);
        for (row, number) in numbers.iter_mut().enumerate() {
            if *number == NO_NUMBER {
                rows.push(row as i64);
                bits.push(values[row].to_bits() as i64);
                *number = last;
            }
            last = *number;
        }
    }
    exceptions::write(&rows, &bits, out);
    integers::encode_as(numbers, codecs, out);
}

/// A block's fields.
pub(super) struct Alp<'a> {
    decimal: Decimal,
    exceptions: Exceptions<'a>,
    numbers: &'a [u8],
}

impl<'a> Alp<'a> {
    pub(super) fn read(mut fields: Fields<'a>, rows: usize) -> Option<Self> {
        let way = fields.byte()?;
        let decimal = Decimal {
            exponent: way % MULTIPLIED,
            multiplied: way >= MULTIPLIED,
        };
        if way >= 2 * MULTIPLIED || usize::from(decimal.exponent) >= POWERS.len() {
            return None;
        }
        Some(Self {
            decimal,
            exceptions: Exceptions::read(&mut fields, rows)?,
            numbers: fields.rest(),
        })
    }

    pub(super) fn decode(&self, rows: usize, out: &mut [f64; BLOCK]) -> Option<()> {
        let mut numbers = [0; BLOCK];
        if !integers::decode(self.numbers, rows, &mut numbers) {
            return None;
        }
        if self.decimal.multiplied {
            doubles_multiplied(&numbers, self.decimal.inverse(), out);
        } else {
            doubles_divided(&numbers, self.decimal.power(), out);
        }
        self.exceptions
            .each(rows, |row, bits| out[row] = f64::from_bits(bits as u64))
    }

    /// Sum from the whole numbers, if there are no exceptions.
    pub(super) fn sum(&self, rows: usize) -> Option<f64> {
        if !self.exceptions.is_empty() {
            return None;
        }
        Some(self.decimal.value(integers::sum(self.numbers, rows)? as f64))
    }

    /// Sums of stretches from the whole numbers, likewise; `whole` is room for these.
    pub(super) fn stretch_sums(
        &self,
        rows: usize,
        ends: &[u32],
        whole: &mut Vec<i128>,
        sums: &mut Vec<f64>,
    ) -> Option<()> {
        if !self.exceptions.is_empty() {
            return None;
        }
        integers::stretch_sums(self.numbers, rows, ends, whole)?;
        sums.extend(whole.iter().map(|&sum| self.decimal.value(sum as f64)));
        Some(())
    }

    /// Extremes from the whole numbers, if there are no exceptions: rounding keeps their order.
    pub(super) fn extrema(&self, rows: usize) -> Option<(f64, f64)> {
        if !self.exceptions.is_empty() {
            return None;
        }
        let (least, greatest) = integers::extrema(self.numbers, rows)?;
        Some((
            self.decimal.value(double_of(least)),
            self.decimal.value(double_of(greatest)),
        ))
    }
}
