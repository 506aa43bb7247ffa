//! Dictionaries: nanoseconds a text, for few and for many. With `DICTIONARY_REPORT=users|ids` (and `DICTIONARY_ENTITIES`,
//! ten million if not said) instead a store takes rows of that many entities, and it is told what this took.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use divan::Bencher;
use divan::counter::ItemsCount;
use marigram_core::column::packed::pack;
use marigram_core::column::{Dictionary, PackedBatch, RejectCounts, RowBatch, StreamKind};
use marigram_core::store::{CommitItem, Store, StoreOptions, Stream};

const BATCH: usize = 10_000;
const FEW: usize = 1_000;
const MANY: usize = 1_000_000;
/// How often the store of a report is opened.
const OPENINGS: usize = 5;

fn main() {
    match std::env::var("DICTIONARY_REPORT") {
        Ok(kind) => report(&kind),
        Err(_) => divan::main(),
    }
}

/// Texts in an order that is none of theirs, each its own: `user-` and eight digits, or a UUID.
fn text(kind: &str, at: usize) -> String {
    if kind == "ids" {
        let (high, low) = (mixed(2 * at as u64), mixed(2 * at as u64 + 1));
        return format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        );
    }
    // A permutation of the numbers below 2²⁴: halves of twelve bits, one changed by the other in turn.
    let (mut left, mut right) = (at as u64 >> 12, at as u64 & 0xfff);
    for round in 0..4 {
        (left, right) = (right, left ^ (mixed(right + (round << 12)) & 0xfff));
    }
    format!("user-{:08}", (left << 12) | right)
}

/// SplitMix64.
fn mixed(at: u64) -> u64 {
    let mut mixed = at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|at| text("users", at)).collect()
}

fn filled(texts: &[String]) -> Dictionary {
    let mut dictionary = Dictionary::default();
    for text in texts {
        dictionary.intern(text);
    }
    dictionary
}

#[divan::bench(args = [FEW, MANY], sample_count = 20)]
fn intern_new(bencher: Bencher<'_, '_>, count: usize) {
    let texts = texts(count);
    bencher.counter(ItemsCount::new(count)).bench(|| filled(&texts));
}

#[divan::bench(args = [FEW, MANY], sample_count = 20)]
fn intern_known(bencher: Bencher<'_, '_>, count: usize) {
    let texts = texts(count);
    let mut dictionary = filled(&texts);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        for text in &texts {
            black_box(dictionary.intern(text));
        }
    });
}

#[divan::bench(args = [FEW, MANY], sample_count = 20)]
fn get_known(bencher: Bencher<'_, '_>, count: usize) {
    let texts = texts(count);
    let dictionary = filled(&texts);
    let reads: Vec<&String> = (0..count).map(|at| &texts[at * 7_919 % count]).collect();
    bencher.counter(ItemsCount::new(count)).bench(|| {
        for text in &reads {
            black_box(dictionary.get(text));
        }
    });
}

#[divan::bench(args = [FEW, MANY], sample_count = 20)]
fn get_unknown(bencher: Bencher<'_, '_>, count: usize) {
    let dictionary = filled(&texts(count));
    let others: Vec<String> = (0..count).map(|at| text("ids", at)).collect();
    bencher.counter(ItemsCount::new(count)).bench(|| {
        for text in &others {
            black_box(dictionary.get(text));
        }
    });
}

#[divan::bench(args = [FEW, MANY], sample_count = 20)]
fn text_in_order(bencher: Bencher<'_, '_>, count: usize) {
    let dictionary = filled(&texts(count));
    bencher.counter(ItemsCount::new(count)).bench(|| {
        for code in 1..dictionary.len() {
            black_box(dictionary.text(code));
        }
    });
}

#[divan::bench(args = [FEW, MANY], sample_count = 20)]
fn text_out_of_order(bencher: Bencher<'_, '_>, count: usize) {
    let dictionary = filled(&texts(count));
    let codes: Vec<u32> = (0..count).map(|at| (at * 7_919 % count) as u32 + 1).collect();
    bencher.counter(ItemsCount::new(count)).bench(|| {
        for &code in &codes {
            black_box(dictionary.text(code));
        }
    });
}

fn options() -> StoreOptions {
    StoreOptions {
        seals: false,
        reserve_bytes: 0,
        ..StoreOptions::default()
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn report(kind: &str) {
    let entities = std::env::var("DICTIONARY_ENTITIES").map_or(10_000_000, |count| count.parse().expect("a number"));
    // Once more with few of them, for what the rows themselves take.
    for (distinct, rows) in [(entities, entities), (FEW, entities.min(2_000_000))] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), options()).expect("a store");
        let namespace = store.create_namespace("default").expect("a new store");
        let stream = store
            .stream_or_new(namespace, "rows", StreamKind::Event)
            .expect("a stream");
        println!("{rows} rows of {distinct} entities ({kind})");
        ingest(&store, &stream, kind, rows, distinct);
        let entities = stream.entities().dictionary.len() as usize - 1;
        let memory = stream.entities().dictionary.memory_bytes() as f64 / entities as f64;
        let own = (0..entities).map(|at| text(kind, at).len()).sum::<usize>() as f64 / entities as f64;
        println!("  memory: {memory:.1} B an entity, {:.1} beside its text", memory - own);
        let began = Instant::now();
        store.seal(&stream).expect("sealed");
        println!("  seal: {:.2} s", began.elapsed().as_secs_f64());
        let before = stream.entities().dictionary.memory_bytes();
        drop(stream);
        store.close().expect("closed");
        drop(store);
        let mut took = Vec::new();
        let store = loop {
            let began = Instant::now();
            let store = Store::open(dir.path(), options()).expect("a store");
            took.push(began.elapsed().as_secs_f64());
            if took.len() == OPENINGS {
                break store;
            }
            store.close().expect("closed");
        };
        took.sort_by(f64::total_cmp);
        let stream = store.stream(namespace, "rows").expect("the stream");
        println!(
            "  open: {:.2} s at the median of {OPENINGS}, {:.2} s at the least; memory then {:.0} % of what it was",
            took[OPENINGS / 2],
            took[0],
            100.0 * stream.entities().dictionary.memory_bytes() as f64 / before as f64
        );
        let status = store.status();
        println!(
            "  disk: {:.1} MiB hot, {:.1} MiB parts",
            mib(status.disk_bytes - status.sealing.bytes),
            mib(status.sealing.bytes)
        );
        let copy = tempfile::tempdir().expect("a directory");
        store.backup(&copy.path().join("copy"), None).expect("a copy");
        let live = std::fs::metadata(copy.path().join("copy/hot.mdb"))
            .expect("a file")
            .len();
        println!(
            "  disk: {:.2} B an entity in a compact copy of hot",
            live as f64 / entities as f64
        );
    }
}

fn ingest(store: &Arc<Store>, stream: &Arc<Stream>, kind: &str, rows: usize, distinct: usize) {
    let (mut interning, mut longest, mut committing) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for start in (0..rows).step_by(BATCH) {
        let users: Vec<String> = (start..start + BATCH).map(|at| text(kind, at % distinct)).collect();
        let began = Instant::now();
        let entity = stream.intern_users(users.iter().map(String::as_str));
        let took = began.elapsed();
        interning += took;
        longest = longest.max(took);
        let batch = RowBatch {
            time: (start as i64..).take(BATCH).collect(),
            entity,
            columns: Vec::new(),
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        store.submit(CommitItem {
            stream: Arc::clone(stream),
            batch: Some(PackedBatch::open(pack(&batch)).expect("sound")),
            received: BATCH as u64,
            rejected: RejectCounts::default(),
            late: 0,
            quarantine: Vec::new(),
            writer: None,
            message_bytes: 0,
            done: Box::new(move |outcome| sender.send(outcome.map(|_| ())).unwrap_or_default()),
        });
        receiver.recv().expect("an answer").expect("stored");
        committing += began.elapsed() - took;
        if (start + BATCH).is_multiple_of(1_000_000) {
            println!(
                "  to {:>10}: interning {:.0} ns a row, longest batch {:.2} ms; packing and committing {:.0} ns a row",
                start + BATCH,
                interning.as_nanos() as f64 / 1e6,
                longest.as_secs_f64() * 1e3,
                committing.as_nanos() as f64 / 1e6,
            );
            (interning, longest, committing) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        }
    }
}
