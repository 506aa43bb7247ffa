//! A store that lives: random changes, stops and crashes. At every opening the file must be found sound, whatever shape LMDB has
//! given it, and hold what an in-memory map holds.

mod store_support;

use std::collections::BTreeMap;

use marigram_core::store::Store;
use store_support::*;

/// A generator of numbers from a seed (splitmix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[test]
fn a_store_is_sound_at_every_opening() {
    // More rounds by hand: STORE_LIFE_ROUNDS=100000, with TMPDIR in memory.
    let rounds = std::env::var("STORE_LIFE_ROUNDS").map_or(400, |rounds| rounds.parse().unwrap());
    let mut bed = Bed::new();
    let mut random = Seeded(42);
    let mut documents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut rows: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for round in 0..rounds {
        match random.below(100) {
            0..45 => {
                let id = format!("{:0>1$}", random.below(700), 1 + random.below(3) as usize * 60);
                let len = [30, 300, 2_500, 9_000, 70_000][random.below(5) as usize];
                let bytes = vec![round as u8; random.below(len) as usize];
                bed.store.documents().put(bed.ns, "room", &id, &bytes, None).unwrap();
                documents.insert(id, bytes);
            }
            45..65 => {
                let nth = random.below(documents.len() as u64 + 1) as usize;
                if let Some(id) = documents.keys().nth(nth).cloned() {
                    bed.store.documents().delete(bed.ns, "room", &id, None).unwrap();
                    documents.remove(&id);
                }
            }
            65..94 => {
                let name = format!("s{}", random.below(6));
                let stream = bed.stream(&name);
                let times: Vec<i64> = (0..1 + random.below(3_000))
                    .map(|_| random.below(1 << 40) as i64)
                    .collect();
                bed.write(&stream, &times);
                rows.entry(name).or_default().extend(times);
            }
            94..97 => {
                let name = format!("s{}", random.below(6));
                let deleted = bed
                    .store
                    .delete_stream(bed.ns, &name)
                    .ok()
                    .map(|(rows, _)| rows as usize);
                assert_eq!(deleted, rows.remove(&name).map(|times| times.len()));
            }
            97..99 => bed.reopen(),
            _ => {
                // As a crash leaves it: the file as it is, without a clean stop.
                let copy = tempfile::tempdir().unwrap();
                for name in ["hot.mdb", "MARIGRAM"] {
                    std::fs::copy(bed.path().join(name), copy.path().join(name)).unwrap();
                }
                Store::open(copy.path(), options(&bed.clock)).unwrap().verify().unwrap();
            }
        }
    }
    bed.store.verify().unwrap();
    bed.reopen();
    let stored = bed.store.documents().list(bed.ns, "room", "", usize::MAX).unwrap();
    let stored: BTreeMap<String, Vec<u8>> = stored.into_iter().map(|(id, bytes, _)| (id, bytes)).collect();
    assert_eq!(stored, documents);
    let streams = bed.store.streams(bed.ns);
    let stored: BTreeMap<String, Vec<i64>> = streams.iter().map(|one| (one.name.clone(), times(one))).collect();
    assert_eq!(stored, rows);
}
