//! Values per second of the codecs, a block at a time over 64 blocks, on one thread.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use marigram_core::codec::{BLOCK, Codecs, bitmap, floats, integers, text};

fn main() {
    divan::main();
}

const BLOCKS: usize = 64;
const ROWS: usize = BLOCKS * BLOCK;
const SECOND: i64 = 1_000_000_000;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> i64 {
        (self.next() % bound) as i64
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// Integer columns, by what they are for.
const INTEGERS: [&str; 10] = [
    "7 bits",
    "20 bits",
    "40 bits",
    "times steady",
    "times 3 ms jitter",
    "times 1 ms random",
    "times 200 a series",
    "TSBS load",
    "entity codes",
    "5 distinct",
];

fn integer_column(name: &str) -> Vec<i64> {
    let mut random = Random(1);
    let rows = 0..ROWS as i64;
    match name {
        "7 bits" => rows.map(|_| 1_000 + random.below(1 << 7)).collect(),
        "20 bits" => rows.map(|_| 1_000 + random.below(1 << 20)).collect(),
        "40 bits" => rows.map(|_| 1_000 + random.below(1 << 40)).collect(),
        "times steady" => rows.map(|row| row * 10 * SECOND).collect(),
        "times 3 ms jitter" => rows
            .map(|row| row * SECOND + (random.below(7) - 3) * 1_000_000)
            .collect(),
        "times 1 ms random" => rows.map(|row| row * SECOND + random.below(1_000_000)).collect(),
        "times 200 a series" => rows
            .map(|row| row % 200 * SECOND + random.below(7) * 1_000_000)
            .collect(),
        "TSBS load" => {
            let mut load = 50.0;
            rows.map(|_| {
                load = f64::clamp(load + random.normal(), 0.0, 100.0);
                load as i64
            })
            .collect()
        }
        "entity codes" => rows.map(|row| row / 300).collect(),
        _ => {
            let distinct = [-9_000_000_007, 4, 5_000_000_021, 77_777, 1 << 50];
            rows.map(|_| distinct[random.below(5) as usize]).collect()
        }
    }
}

/// Columns of doubles, by what they are for.
const FLOATS: [&str; 6] = [
    "2 decimals",
    "walk 2 decimals",
    "1 % NaN",
    "times 0.1",
    "real",
    "steps of real",
];

fn float_column(name: &str) -> Vec<f64> {
    let mut random = Random(1);
    let rows = 0..ROWS;
    match name {
        "2 decimals" => rows.map(|_| random.below(100_000) as f64 / 100.0).collect(),
        "walk 2 decimals" => {
            let mut level = 50.0;
            rows.map(|_| {
                level += random.normal() / 4.0;
                (level * 100.0).round() / 100.0
            })
            .collect()
        }
        "1 % NaN" => rows
            .map(|_| match random.below(100) {
                0 => f64::NAN,
                _ => random.below(100_000) as f64 / 100.0,
            })
            .collect(),
        "times 0.1" => rows.map(|_| random.below(10_000) as f64 * 0.1).collect(),
        "real" => rows.map(|_| 50.0 + 10.0 * random.normal()).collect(),
        _ => rows.map(|row| (row / 100) as f64 * std::f64::consts::PI).collect(),
    }
}

fn cold_integers(values: &[i64], out: &mut Vec<u8>) {
    integers::encode_as(values, Codecs::Cold, out);
}

fn cold_doubles(values: &[f64], out: &mut Vec<u8>) {
    floats::encode_as(values, Codecs::Cold, out);
}

/// Columns of texts, by what they are for.
const TEXTS: [&str; 6] = ["levels", "user agents", "paths", "urls", "log messages", "hex ids"];

fn text_column(name: &str) -> Vec<String> {
    let mut random = Random(1);
    let systems = [
        "Windows NT 10.0; Win64; x64",
        "Linux; Android 10; K",
        "X11; Linux x86_64",
    ];
    let words = [
        "linen", "summer", "blue", "jacket", "running", "shoes", "leather", "wallet", "kids", "sale",
    ];
    let word = |random: &mut Random| words[random.below(10) as usize];
    (0..ROWS)
        .map(|_| match name {
            "levels" => ["DEBUG", "INFO", "WARNING", "ERROR"][random.below(4) as usize].into(),
            "user agents" => format!(
                "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
                systems[random.below(3) as usize],
                110 + random.below(20)
            ),
            "paths" => format!("/{}/{}/{}", word(&mut random), word(&mut random), word(&mut random)),
            "urls" => format!(
                "https://www.example.com/{}/{}-{}?page={}",
                word(&mut random),
                word(&mut random),
                random.below(100_000),
                random.below(40)
            ),
            "log messages" => match random.below(3) {
                0 => format!(
                    "GET /v1/{} 200 in {} ms request_id={:08x}",
                    word(&mut random),
                    random.below(4_000),
                    random.below(1 << 32)
                ),
                1 => format!(
                    "connection from 10.0.{}.17:{} closed by peer",
                    random.below(256),
                    random.below(65_536)
                ),
                _ => format!(
                    "cache miss for key session:{:08x}, loaded from database in {} µs",
                    random.below(1 << 32),
                    random.below(4_000)
                ),
            },
            _ => format!("{:016x}", random.next()),
        })
        .collect()
}

fn encoded<T>(values: &[T], encode: impl Fn(&[T], &mut Vec<u8>)) -> Vec<Vec<u8>> {
    let encode = |block: &[T]| {
        let mut bytes = Vec::new();
        encode(block, &mut bytes);
        bytes
    };
    values.chunks(BLOCK).map(encode).collect()
}

fn each_block(bencher: Bencher<'_, '_>, blocks: &[Vec<u8>], mut run: impl FnMut(&[u8])) {
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        for block in blocks {
            run(black_box(block));
        }
    });
}

#[divan::bench(args = INTEGERS)]
fn decode_integers(bencher: Bencher<'_, '_>, name: &str) {
    let mut out = [0; BLOCK];
    each_block(bencher, &encoded(&integer_column(name), integers::encode), |block| {
        assert!(integers::decode(block, BLOCK, black_box(&mut out)));
    });
}

#[divan::bench(args = INTEGERS)]
fn decode_cold_integers(bencher: Bencher<'_, '_>, name: &str) {
    let mut out = [0; BLOCK];
    each_block(bencher, &encoded(&integer_column(name), cold_integers), |block| {
        assert!(integers::decode(block, BLOCK, black_box(&mut out)));
    });
}

#[divan::bench(args = INTEGERS)]
fn sum_integers(bencher: Bencher<'_, '_>, name: &str) {
    each_block(bencher, &encoded(&integer_column(name), integers::encode), |block| {
        black_box(integers::sum(block, BLOCK).expect("sound"));
    });
}

#[divan::bench]
fn decode_codes_of_9_bits(bencher: Bencher<'_, '_>) {
    let mut random = Random(1);
    let codes: Vec<u32> = (0..ROWS).map(|_| random.below(1 << 9) as u32).collect();
    let mut out = [0; BLOCK];
    each_block(bencher, &encoded(&codes, integers::encode_codes), |block| {
        assert!(integers::decode_codes(block, BLOCK, black_box(&mut out)));
    });
}

#[divan::bench(args = FLOATS)]
fn decode_doubles(bencher: Bencher<'_, '_>, name: &str) {
    let mut out = [0.0; BLOCK];
    each_block(bencher, &encoded(&float_column(name), floats::encode), |block| {
        assert!(floats::decode(block, BLOCK, black_box(&mut out)));
    });
}

#[divan::bench(args = FLOATS)]
fn decode_cold_doubles(bencher: Bencher<'_, '_>, name: &str) {
    let mut out = [0.0; BLOCK];
    each_block(bencher, &encoded(&float_column(name), cold_doubles), |block| {
        assert!(floats::decode(block, BLOCK, black_box(&mut out)));
    });
}

#[divan::bench(args = ["2 decimals", "walk 2 decimals"])]
fn sum_doubles(bencher: Bencher<'_, '_>, name: &str) {
    each_block(bencher, &encoded(&float_column(name), floats::encode), |block| {
        black_box(floats::encoded_sum(block, BLOCK).expect("decimals"));
    });
}

#[divan::bench(args = TEXTS)]
fn decode_texts(bencher: Bencher<'_, '_>, name: &str) {
    let column = text_column(name);
    let texts: Vec<&str> = column.iter().map(String::as_str).collect();
    each_block(bencher, &encoded(&texts, text::encode), |block| {
        black_box(text::decode(block, BLOCK).expect("sound"));
    });
}

#[divan::bench]
fn decode_bits(bencher: Bencher<'_, '_>) {
    let mut random = Random(1);
    let blocks: Vec<Vec<u8>> = (0..BLOCKS)
        .map(|_| {
            let mut bytes = Vec::new();
            bitmap::encode(&std::array::from_fn(|_| random.next()), BLOCK, &mut bytes);
            bytes
        })
        .collect();
    let mut out = [0; bitmap::WORDS];
    each_block(bencher, &blocks, |block| {
        assert!(bitmap::decode(block, BLOCK, black_box(&mut out)));
    });
}

#[divan::bench(args = INTEGERS)]
fn encode_integers(bencher: Bencher<'_, '_>, name: &str) {
    let values = integer_column(name);
    encode_all(bencher, name, &values, integers::encode);
}

#[divan::bench(args = INTEGERS)]
fn encode_cold_integers(bencher: Bencher<'_, '_>, name: &str) {
    let values = integer_column(name);
    encode_all(bencher, name, &values, cold_integers);
}

#[divan::bench(args = FLOATS)]
fn encode_cold_doubles(bencher: Bencher<'_, '_>, name: &str) {
    let values = float_column(name);
    encode_all(bencher, name, &values, cold_doubles);
}

#[divan::bench(args = TEXTS)]
fn encode_cold_texts(bencher: Bencher<'_, '_>, name: &str) {
    let column = text_column(name);
    let texts: Vec<&str> = column.iter().map(String::as_str).collect();
    encode_all(bencher, name, &texts, |texts, out| {
        text::encode_as(texts, Codecs::Cold, out);
    });
}

#[divan::bench(args = FLOATS)]
fn encode_doubles(bencher: Bencher<'_, '_>, name: &str) {
    let values = float_column(name);
    encode_all(bencher, name, &values, floats::encode);
}

#[divan::bench(args = TEXTS)]
fn encode_texts(bencher: Bencher<'_, '_>, name: &str) {
    let column = text_column(name);
    let texts: Vec<&str> = column.iter().map(String::as_str).collect();
    let plain: usize = texts.iter().map(|text| text.len()).sum();
    encode_all(bencher, name, &texts, text::encode);
    println!(
        "{name}: {:.2} bits a value as they are",
        plain as f64 * 8.0 / ROWS as f64
    );
}

fn encode_all<T>(bencher: Bencher<'_, '_>, name: &str, values: &[T], encode: impl Fn(&[T], &mut Vec<u8>)) {
    let mut out = Vec::with_capacity(9 * ROWS);
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        out.clear();
        for block in values.chunks(BLOCK) {
            encode(black_box(block), &mut out);
        }
    });
    println!("{name}: {:.2} bits a value", out.len() as f64 * 8.0 / ROWS as f64);
}
