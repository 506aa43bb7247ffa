//! Stores written by every format version so far are read for ever. A fixture is made once, by the program of its version:
//! `cargo test --test store_formats -- --ignored make_the_fixture` makes that of the current one, and never over an old one.

mod store_support;

use std::fs;
use std::path::{Path, PathBuf};

use marigram_core::column::{ColumnType, Reject, Schema, StreamKind, StreamSettings};
use marigram_core::store::{FORMAT_VERSION, Store};
use store_support::*;

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{version}"))
}

const FILES: [&str; 2] = ["MARIGRAM", "hot.mdb"];

#[test]
#[ignore = "makes a fixture, once a format version"]
fn make_the_fixture() {
    let target = fixture(FORMAT_VERSION);
    assert!(!target.exists(), "a fixture is never made again");
    let bed = Bed::new();
    let store = &bed.store;
    let other = store.create_namespace("other").unwrap();
    store.set_namespace_creates_streams(other, false).unwrap();
    let mut schema = Schema::new(StreamKind::Metric, StreamSettings::default());
    schema.settings.max_age_ns = Some(86_400_000_000_000);
    schema.settings.description = "load".to_owned();
    schema.add_column("", "host", ColumnType::Label, "where", "").unwrap();
    schema.add_column("", "value", ColumnType::F64, "", "1").unwrap();
    let (cpu, _) = store.create_stream(other, "cpu", schema).unwrap();
    let code = cpu.intern_series([r#"{host="a"}"#].into_iter())[0];
    let mut one = item(&cpu, &[]);
    one.batch = Some(packed(&[10, 20], code));
    one.received = 2;
    commit(store, one).unwrap();
    store.open_writer(bed.ns, "w").unwrap();
    let clicks = bed.stream("clicks");
    let mut one = item(&clicks, &(0..1_500).map(|row| row * 1_000).collect::<Vec<_>>());
    one.received += 1;
    one.late = 5;
    one.rejected.add(Reject::TextTooLong, 1);
    one.quarantine = vec![quarantined(Reject::TextTooLong, 40)];
    one.writer = advance("w", 1, 1);
    commit(store, one).unwrap();
    bed.write(&clicks, &[NOW]);
    store
        .documents()
        .put(bed.ns, "alerts", "a", b"document", Some(0))
        .unwrap();
    store.close().unwrap();
    fs::create_dir_all(&target).unwrap();
    for name in FILES {
        fs::copy(bed.path().join(name), target.join(name)).unwrap();
    }
}

#[test]
fn a_store_of_format_1_is_read() {
    let dir = tempfile::tempdir().unwrap();
    for name in FILES {
        fs::copy(fixture(1).join(name), dir.path().join(name)).unwrap();
    }
    let clock = std::sync::Arc::new(marigram_core::time::ManualClock::at(NOW));
    let store = Store::open(dir.path(), options(&clock)).unwrap();
    let report = store.verify().unwrap();
    assert_eq!((report.l0_values, report.batches, report.rows), (3, 3, 1_503));
    let (ns, other) = (store.namespace("default").unwrap(), store.namespace("other").unwrap());
    assert!(store.namespace_creates_streams(ns) && !store.namespace_creates_streams(other));

    let cpu = store.stream(other, "cpu").unwrap();
    assert_eq!((cpu.id, cpu.created_ns, times(&cpu)), (1, NOW, vec![10, 20]));
    let schema = cpu.schema();
    assert_eq!((schema.kind, schema.version), (StreamKind::Metric, 1));
    assert_eq!(schema.settings.max_age_ns, Some(86_400_000_000_000));
    assert_eq!(schema.settings.description, "load");
    assert_eq!(schema.columns[0].column_type, ColumnType::Label);
    assert_eq!(
        (schema.columns[1].name.as_str(), schema.columns[1].unit.as_str()),
        ("value", "1")
    );
    assert_eq!(cpu.entities().dictionary.text(1), r#"{host="a"}"#);

    let clicks = store.stream(ns, "clicks").unwrap();
    let all = times(&clicks);
    assert_eq!((all.len(), all[1_499], all[1_500]), (1_501, 1_499_000, NOW));
    assert_eq!(clicks.symbols(2).read().text(1), "click");
    let ledger = *clicks.ledger();
    assert_eq!((ledger.received, ledger.stored, ledger.late), (1_502, 1_501, 5));
    let kept = store.quarantined(&clicks, 0, 9).unwrap();
    assert_eq!(kept[0].1.rows, [quarantined(Reject::TextTooLong, 40)]);
    let outcome = store.writer_outcome(ns, "w", 1).unwrap().unwrap();
    assert_eq!(
        (outcome.hash, outcome.commit, outcome.stored, outcome.late),
        (31, 1, 1_500, 5)
    );
    let (bytes, version) = store.documents().get(ns, "alerts", "a").unwrap().unwrap();
    assert_eq!((bytes.as_slice(), version), (&b"document"[..], 1));

    // And it is written on.
    assert_eq!(commit(&store, item(&clicks, &[1])).unwrap().commit, 3);
    store.verify().unwrap();
}
