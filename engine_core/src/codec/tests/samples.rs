//! Columns as they come, made from a seed, and nasty ones.

use proptest::prelude::*;

/// A generator that needs no crate (Marsaglia's xorshift, 2003, Journal of Statistical Software 8(14)).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Between the bounds, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low + 1) as u64) as i64
    }

    /// Between 0 and 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal, of mean 0 and deviation 1.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

pub(super) const SECOND: i64 = 1_000_000_000;
pub(super) const MILLISECOND: i64 = 1_000_000;
const START: i64 = 1_790_000_000 * SECOND;

/// One reading each `step`, off by up to `jitter` units of `unit` either way.
pub(super) fn clock(rows: usize, step: i64, jitter: i64, unit: i64, random: &mut Random) -> Vec<i64> {
    (0..rows as i64)
        .map(|row| START + row * step + random.between(-jitter, jitter) * unit)
        .collect()
}

/// A random walk of whole numbers within 0 and 100, as the CPU load of TSBS.
pub(super) fn tsbs(rows: usize, random: &mut Random) -> Vec<i64> {
    let mut load = random.unit() * 100.0;
    (0..rows)
        .map(|_| {
            load = (load + random.normal()).clamp(0.0, 100.0);
            load as i64
        })
        .collect()
}

/// Integers of all shapes that have broken codecs before.
pub(super) fn integers(shape: u8, rows: usize, seed: u64) -> Vec<i64> {
    let mut random = Random::new(seed);
    let edges = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    let level = random.next() as i64;
    let bits = random.next() % 64;
    match shape {
        0 => (0..rows).map(|_| edges[random.next() as usize % edges.len()]).collect(),
        1 => vec![level; rows],
        2 => (0..rows as i64)
            .map(|row| level.wrapping_add(row % 37 * 1_000))
            .collect(),
        3 => clock(rows, SECOND, 3, MILLISECOND, &mut random),
        4 => clock(rows, SECOND / 3, 1_000_000, 1, &mut random),
        5 => (0..rows).map(|_| random.next() as i64).collect(),
        6 => (0..rows)
            .map(|_| level.wrapping_add((random.next() >> bits) as i64))
            .collect(),
        7 => {
            let mut value = level;
            (0..rows)
                .map(|_| {
                    if random.next().is_multiple_of(50) {
                        value = random.next() as i64;
                    }
                    value
                })
                .collect()
        }
        8 => tsbs(rows, &mut random),
        9 => {
            let mut times = clock(rows, 10 * SECOND, 0, 1, &mut random);
            times[rows / 2..].iter_mut().for_each(|time| *time += 3_601 * SECOND);
            times
        }
        10 => (0..rows as i64)
            .map(|row| i64::MIN.wrapping_add(row.wrapping_mul(i64::MAX / 700)))
            .collect(),
        11 => (0..rows)
            .map(|_| edges[random.next() as usize % 3].wrapping_mul(level))
            .collect(),
        12 => {
            let series: i64 = random.between(2, 400);
            (0..rows as i64)
                .map(|row| START + row % series * SECOND + random.between(0, 9))
                .collect()
        }
        _ => {
            let mut rest = clock(rows, SECOND, 0, 1, &mut random);
            let far = random.next() as usize % rows;
            rest[far] = level;
            rest
        }
    }
}

/// Number of shapes of [`integers`].
pub(super) const INTEGER_SHAPES: u8 = 14;

/// Doubles of all shapes that have broken codecs before.
pub(super) fn floats(shape: u8, rows: usize, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    let edges = [
        0.0,
        -0.0,
        1.0,
        f64::NAN,
        -f64::NAN,
        f64::from_bits(0x7FF0_0000_0000_0001),
        f64::from_bits(0xFFFF_FFFF_FFFF_FFFF),
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        2_251_799_813_685_247.0,
        -2_251_799_813_685_248.0,
        2_251_799_813_685_248.5,
        9_007_199_254_740_993.0,
        1e300,
    ];
    let digits = 10f64.powi(random.between(0, 17) as i32);
    match shape {
        0 => (0..rows).map(|_| edges[random.next() as usize % edges.len()]).collect(),
        1 => vec![edges[random.next() as usize % edges.len()]; rows],
        2 => cents(rows, &mut random),
        3 => (0..rows)
            .map(|_| (random.next() as i64 >> 30) as f64 / digits)
            .collect(),
        4 => (0..rows).map(|_| random.unit() * 200.0 - 100.0).collect(),
        5 => (0..rows).map(|_| f64::from_bits(random.next())).collect(),
        6 => (0..rows).map(|_| random.between(-4_000, 4_000) as f64 * 0.1).collect(),
        7 => {
            let mut values = cents(rows, &mut random);
            for value in &mut values {
                if random.next().is_multiple_of(9) {
                    *value = edges[random.next() as usize % edges.len()];
                }
            }
            values
        }
        8 => (0..rows).map(|row| (row / 90) as f64 * std::f64::consts::PI).collect(),
        _ => (0..rows).map(|row| (row as f64 / 50.0).sin() * 1e-5).collect(),
    }
}

/// A random walk in steps of hundredths, as gauges show it.
pub(super) fn cents(rows: usize, random: &mut Random) -> Vec<f64> {
    let mut level = random.unit() * 100.0;
    (0..rows)
        .map(|_| {
            level += random.normal() / 4.0;
            (level * 100.0).round() / 100.0
        })
        .collect()
}

/// Number of shapes of [`floats`].
pub(super) const FLOAT_SHAPES: u8 = 10;

/// Bits of all shapes, by their words.
pub(super) fn bits(shape: u8, seed: u64) -> [u64; 16] {
    let mut random = Random::new(seed);
    let dense = random.next() % 64;
    std::array::from_fn(|word| match shape {
        0 => 0,
        1 => u64::MAX,
        2 => random.next(),
        3 => 1 << (random.next() % 64),
        4 => !(1 << (random.next() % 64)),
        5 => u64::MAX << dense,
        _ => u64::from(word > 6).wrapping_neg(),
    })
}

/// Number of shapes of [`bits`].
pub(super) const BIT_SHAPES: u8 = 7;

/// One of so many, most often an early one, as names of things in use go.
fn skewed<'a>(of: &[&'a str], random: &mut Random) -> &'a str {
    of[(random.unit() * random.unit() * of.len() as f64) as usize]
}

/// Pages of a shop, some with an order or a query.
pub(super) fn urls(rows: usize, random: &mut Random) -> Vec<String> {
    const SECTIONS: [&str; 6] = ["products", "search", "checkout", "account", "blog", "support"];
    const WORDS: [&str; 10] = [
        "linen", "summer", "blue", "jacket", "running", "shoes", "leather", "wallet", "kids", "sale",
    ];
    let word = |random: &mut Random| skewed(&WORDS, random);
    (0..rows)
        .map(|_| {
            let path = format!(
                "https://www.example.com/{}/{}-{}",
                skewed(&SECTIONS, random),
                word(random),
                word(random)
            );
            match random.next() % 3 {
                0 => path,
                1 => format!("{path}-{}", random.next() % 100_000),
                _ => format!("{path}?q={}&page={}", word(random), random.next() % 40),
            }
        })
        .collect()
}

/// Names that browsers give themselves, of some hundred versions.
pub(super) fn user_agents(rows: usize, random: &mut Random) -> Vec<String> {
    const SYSTEMS: [&str; 5] = [
        "Windows NT 10.0; Win64; x64",
        "Linux; Android 10; K",
        "Macintosh; Intel Mac OS X 10_15_7",
        "X11; Linux x86_64",
        "iPhone; CPU iPhone OS 17_5 like Mac OS X",
    ];
    (0..rows)
        .map(|_| {
            let (system, version) = (skewed(&SYSTEMS, random), random.between(110, 130));
            format!(
                "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
            )
        })
        .collect()
}

/// Lines that a server logs, each with numbers of its own.
pub(super) fn log_messages(rows: usize, random: &mut Random) -> Vec<String> {
    const ROUTES: [&str; 5] = ["/v1/orders", "/v1/carts", "/v1/users/me", "/healthz", "/v1/payments"];
    (0..rows)
        .map(|_| {
            let (id, took) = (random.next() as u32, random.next() % 4_000);
            match random.next() % 4 {
                0 => format!("GET {} 200 in {took} ms request_id={id:08x}", skewed(&ROUTES, random)),
                1 => format!(
                    "connection from 10.{}.{}.17:{} closed by peer",
                    id & 255,
                    id >> 8 & 255,
                    id >> 16
                ),
                2 => format!("cache miss for key session:{id:08x}, loaded from database in {took} µs"),
                _ => format!("payment {id} declined: insufficient funds (attempt {})", took % 3 + 1),
            }
        })
        .collect()
}

/// Texts of all kinds that a column may hold, and few of them.
pub(super) fn texts(shape: u8, rows: usize, seed: u64) -> Vec<String> {
    const CHARS: [char; 8] = ['a', '\0', '\u{7f}', 'é', 'ß', '語', '🦀', '\u{10FFFF}'];
    let mut random = Random::new(seed);
    let any = |random: &mut Random, most: i64| -> String {
        (0..random.between(0, most))
            .map(|_| CHARS[random.next() as usize % CHARS.len()])
            .collect()
    };
    match shape {
        0 => vec![String::new(); rows],
        1 => vec![any(&mut random, 200); rows],
        2 => (0..rows).map(|_| any(&mut random, 12)).collect(),
        3 => urls(rows, &mut random),
        4 => user_agents(rows, &mut random),
        5 => log_messages(rows, &mut random),
        6 => (0..rows)
            .map(|_| format!("{:016x}{:016x}", random.next(), random.next()))
            .collect(),
        7 => {
            let few: Vec<String> = (0..random.between(1, 9)).map(|_| any(&mut random, 30)).collect();
            (0..rows)
                .map(|_| few[random.next() as usize % few.len()].clone())
                .collect()
        }
        8 => {
            let mut long = vec![String::new(); rows];
            long[rows / 2] = any(&mut random, 60_000);
            long
        }
        9 => {
            let few = urls(random.between(1, rows as i64) as usize, &mut random);
            (0..rows).map(|row| few[row % few.len()].clone()).collect()
        }
        _ => (0..rows).map(|row| "a".repeat(row % 40)).collect(),
    }
}

/// Number of shapes of [`texts`].
pub(super) const TEXT_SHAPES: u8 = 11;

/// A shape, a length (whole blocks half of the time) and a seed.
pub(super) fn blocks(shapes: u8) -> impl Strategy<Value = (u8, usize, u64)> {
    (0..shapes, prop_oneof![Just(1024usize), 1usize..=1024], any::<u64>())
}
