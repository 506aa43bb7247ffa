//! Records of the tables meta, namespaces, streams and counters. FORMAT.md, "Records".

use super::frame::{Decoder, Encoder};
use super::stream::Ledger;
use super::tables::Table;
use crate::column::rollup::RollupSpec;
use crate::column::schema::{ColumnSpec, ColumnType, FIRST_DECLARED, Schema, StreamKind, StreamSettings};
use crate::column::{ColumnId, Reject, RejectCounts};
use crate::error::Result;

/// Key of the record that says what the store is.
pub(super) const FORMAT_KEY: &[u8] = b"format";
/// Key of the record that every transaction renews.
pub(super) const STAMP_KEY: &[u8] = b"stamp";

/// What the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FormatRecord {
    pub(super) version: u32,
    pub(super) created_ns: i64,
    /// Told from every other store by it.
    pub(super) store_id: u128,
    /// Version of the program that made it.
    pub(super) made_by: String,
}

impl FormatRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut record = Encoder::new(Table::Meta);
        record.u32(self.version);
        record.i64(self.created_ns);
        record.u128(self.store_id);
        record.bytes(self.made_by.as_bytes());
        record.seal(FORMAT_KEY)
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let mut record = Decoder::open(Table::Meta, FORMAT_KEY, value)?;
        let format = Self {
            version: record.u32()?,
            created_ns: record.i64()?,
            store_id: record.u128()?,
            made_by: record.text()?.to_owned(),
        };
        record.end()?;
        Ok(format)
    }
}

/// Renewed by every transaction: a root that is not the newest is told by the transaction's number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// LMDB's number of the transaction that wrote it.
    pub(super) txn: u64,
    /// Transactions of the committer so far.
    pub(super) group: u64,
    /// Written last, by a clean stop.
    pub(super) clean: bool,
    /// Next number of a namespace.
    pub(super) next_namespace: u32,
    /// Next number of a stream.
    pub(super) next_stream: u32,
    /// Namespaces there are.
    pub(super) namespaces: u32,
}

impl Stamp {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut record = Encoder::new(Table::Meta);
        record.u64(self.txn);
        record.u64(self.group);
        record.u8(self.clean.into());
        record.u32(self.next_namespace);
        record.u32(self.next_stream);
        record.u32(self.namespaces);
        record.seal(STAMP_KEY)
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let mut record = Decoder::open(Table::Meta, STAMP_KEY, value)?;
        let stamp = Self {
            txn: record.u64()?,
            group: record.u64()?,
            clean: record.u8()? == 1,
            next_namespace: record.u32()?,
            next_stream: record.u32()?,
            namespaces: record.u32()?,
        };
        record.end()?;
        Ok(stamp)
    }
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamespaceRecord {
    pub(super) name: String,
    /// Whether writes make streams that are missing.
    pub(super) creates_streams: bool,
    pub(super) created_ns: i64,
    pub(super) quota: Quota,
}

/// What a namespace may store; 0: any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Rows of its streams, sealed or not.
    pub max_rows: u64,
    /// Bytes of these in the log and in parts.
    pub max_bytes: u64,
}

impl NamespaceRecord {
    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut record = Encoder::new(Table::Namespaces);
        record.u8(self.creates_streams.into());
        record.i64(self.created_ns);
        record.bytes(self.name.as_bytes());
        record.varint(self.quota.max_rows);
        record.varint(self.quota.max_bytes);
        record.seal(key)
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut record = Decoder::open(Table::Namespaces, key, value)?;
        let mut namespace = Self {
            creates_streams: record.u8()? == 1,
            created_ns: record.i64()?,
            name: record.text()?.to_owned(),
            quota: Quota::default(),
        };
        // A record from before namespaces had one ends here.
        if !record.is_empty() {
            namespace.quota = Quota {
                max_rows: record.varint()?,
                max_bytes: record.varint()?,
            };
        }
        record.end()?;
        Ok(namespace)
    }
}

/// Counters of a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NamespaceCounters {
    pub(super) commit: u64,
    /// Streams, writers and documents there are: a record that is lost is noticed.
    pub(super) streams: u32,
    pub(super) writers: u32,
    pub(super) documents: u64,
    /// Version given to the last document.
    pub(super) document_version: u64,
    /// Bytes of quarantined rows, and rows that found no room.
    pub(super) quarantine_bytes: u64,
    pub(super) quarantine_overflow: u64,
}

impl NamespaceCounters {
    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut record = Encoder::new(Table::Counters);
        record.u64(self.commit);
        record.u32(self.streams);
        record.u32(self.writers);
        record.u64(self.documents);
        record.u64(self.document_version);
        record.u64(self.quarantine_bytes);
        record.u64(self.quarantine_overflow);
        record.seal(key)
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut record = Decoder::open(Table::Counters, key, value)?;
        let counters = Self {
            commit: record.u64()?,
            streams: record.u32()?,
            writers: record.u32()?,
            documents: record.u64()?,
            document_version: record.u64()?,
            quarantine_bytes: record.u64()?,
            quarantine_overflow: record.u64()?,
        };
        record.end()?;
        Ok(counters)
    }
}

/// Counters of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StreamCounters {
    /// Version of the schema that is stored.
    pub(super) schema_version: u64,
    /// L0 values are numbered `first..next`, without a gap.
    pub(super) l0_first: u64,
    pub(super) l0_next: u64,
    /// Rows in them.
    pub(super) l0_rows: u64,
    pub(super) max_time: Option<i64>,
    pub(super) last_arrival: i64,
    pub(super) watermark: Option<i64>,
    /// Batches of quarantined rows are numbered `0..next`.
    pub(super) quarantine_next: u64,
    pub(super) quarantine_bytes: u64,
    pub(super) quarantine_overflow: u64,
    /// Dictionaries with at least one text.
    pub(super) dictionaries: u32,
    pub(super) ledger: Ledger,
}

impl StreamCounters {
    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut record = Encoder::new(Table::Counters);
        record.u64(self.schema_version);
        record.u64(self.l0_first);
        record.u64(self.l0_next);
        record.u64(self.l0_rows);
        record.optional_i64(self.max_time);
        record.i64(self.last_arrival);
        record.optional_i64(self.watermark);
        record.varint(self.quarantine_next);
        record.varint(self.quarantine_bytes);
        record.varint(self.quarantine_overflow);
        record.varint(self.dictionaries.into());
        record.u64(self.ledger.received);
        record.u64(self.ledger.stored);
        record.u64(self.ledger.duplicate);
        record.u64(self.ledger.late);
        encode_rejects(&mut record, &self.ledger.rejected);
        record.seal(key)
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut record = Decoder::open(Table::Counters, key, value)?;
        let mut counters = Self {
            schema_version: record.u64()?,
            l0_first: record.u64()?,
            l0_next: record.u64()?,
            l0_rows: record.u64()?,
            max_time: record.optional_i64()?,
            last_arrival: record.i64()?,
            watermark: record.optional_i64()?,
            quarantine_next: record.varint()?,
            quarantine_bytes: record.varint()?,
            quarantine_overflow: record.varint()?,
            dictionaries: record.varint()? as u32,
            ledger: Ledger::default(),
        };
        counters.ledger = Ledger {
            received: record.u64()?,
            stored: record.u64()?,
            duplicate: record.u64()?,
            late: record.u64()?,
            rejected: decode_rejects(&mut record)?,
        };
        record.end()?;
        Ok(counters)
    }
}

/// Number of reasons, then reason and rows of each.
pub(super) fn encode_rejects(record: &mut Encoder, counts: &RejectCounts) {
    record.u8(counts.iter().count() as u8);
    for (reason, rows) in counts.iter() {
        record.u8(reason as u8);
        record.varint(rows);
    }
}

/// What [`encode_rejects`] wrote.
pub(super) fn decode_rejects(record: &mut Decoder<'_>) -> Result<RejectCounts> {
    let mut counts = RejectCounts::default();
    for _ in 0..record.u8()? {
        let reason = Reject::from_number(record.u8()?).ok_or_else(|| record.wrong("reason of a rejection"))?;
        counts.add(reason, record.varint()?);
    }
    Ok(counts)
}

/// A stream's name and schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamRecord {
    pub(super) name: String,
    pub(super) created_ns: i64,
    pub(super) schema: Schema,
}

impl StreamRecord {
    pub(super) fn encode(name: &str, created_ns: i64, schema: &Schema, key: &[u8]) -> Vec<u8> {
        let mut record = Encoder::new(Table::Streams);
        record.bytes(name.as_bytes());
        record.i64(created_ns);
        record.u8(schema.kind as u8);
        record.u64(schema.version);
        let settings = &schema.settings;
        record.u8(settings.strict.into());
        record.i64(settings.out_of_orderness_ns);
        record.i64(settings.allowed_lateness_ns);
        record.i64(settings.idle_after_ns);
        record.optional_i64(settings.max_age_ns);
        record.bytes(settings.description.as_bytes());
        record.varint(schema.columns.len() as u64);
        for column in &schema.columns {
            record.u8(column.column_type as u8);
            record.bytes(column.name.as_bytes());
            record.bytes(column.description.as_bytes());
            record.bytes(column.unit.as_bytes());
        }
        record.optional_i64(settings.keep_for_ns);
        if settings.cold_after_ns.is_some() || !settings.rollups.is_empty() {
            record.optional_i64(settings.cold_after_ns);
        }
        if !settings.rollups.is_empty() {
            encode_rollups(&mut record, &settings.rollups);
        }
        record.seal(key)
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut record = Decoder::open(Table::Streams, key, value)?;
        let name = record.text()?.to_owned();
        let created_ns = record.i64()?;
        let kind = StreamKind::from_number(record.u8()?).ok_or_else(|| record.wrong("kind of a stream"))?;
        let version = record.u64()?;
        let mut settings = StreamSettings {
            strict: record.u8()? == 1,
            out_of_orderness_ns: record.i64()?,
            allowed_lateness_ns: record.i64()?,
            idle_after_ns: record.i64()?,
            max_age_ns: record.optional_i64()?,
            keep_for_ns: None,
            cold_after_ns: None,
            rollups: Vec::new(),
            description: record.text()?.to_owned(),
        };
        let mut columns = Vec::new();
        for index in 0..record.varint()? {
            let column_type = ColumnType::from_number(record.u8()?).ok_or_else(|| record.wrong("type of a column"))?;
            columns.push(ColumnSpec {
                id: FIRST_DECLARED + index as ColumnId,
                name: record.text()?.to_owned(),
                column_type,
                description: record.text()?.to_owned(),
                unit: record.text()?.to_owned(),
            });
        }
        // A record from before streams had it ends here.
        if !record.is_empty() {
            settings.keep_for_ns = record.optional_i64()?;
        }
        if !record.is_empty() {
            settings.cold_after_ns = record.optional_i64()?;
        }
        if !record.is_empty() {
            settings.rollups = decode_rollups(&mut record)?;
        }
        record.end()?;
        Ok(Self {
            name,
            created_ns,
            schema: Schema {
                kind,
                columns,
                settings,
                version,
            },
        })
    }
}

fn encode_rollups(record: &mut Encoder, rollups: &[RollupSpec]) {
    record.varint(rollups.len() as u64);
    for rollup in rollups {
        record.i64(rollup.width_ns);
        record.optional_i64(rollup.keep_for_ns);
        record.u8(rollup.sketches.into());
        record.varint(rollup.group_by.len() as u64);
        rollup.group_by.iter().for_each(|name| record.bytes(name.as_bytes()));
    }
}

fn decode_rollups(record: &mut Decoder<'_>) -> Result<Vec<RollupSpec>> {
    let mut rollups = Vec::new();
    for _ in 0..record.varint()? {
        let mut rollup = RollupSpec {
            width_ns: record.i64()?,
            keep_for_ns: record.optional_i64()?,
            sketches: record.u8()? == 1,
            group_by: Vec::new(),
        };
        for _ in 0..record.varint()? {
            rollup.group_by.push(record.text()?.to_owned());
        }
        rollups.push(rollup);
    }
    Ok(rollups)
}

/// Durable length of a dictionary: codes are `1..len`.
pub(super) fn encode_dictionary_len(len: u32, key: &[u8]) -> Vec<u8> {
    let mut record = Encoder::new(Table::Counters);
    record.u32(len);
    record.seal(key)
}

/// What [`encode_dictionary_len`] wrote.
pub(super) fn decode_dictionary_len(key: &[u8], value: &[u8]) -> Result<u32> {
    let mut record = Decoder::open(Table::Counters, key, value)?;
    let len = record.u32()?;
    record.end()?;
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_reads_back_whole() {
        let mut schema = Schema::new(StreamKind::Metric, StreamSettings::default());
        schema.add_column("", "host", ColumnType::Label, "where", "").unwrap();
        schema.add_column("", "value", ColumnType::F64, "", "By/s").unwrap();
        schema.settings.max_age_ns = Some(-1);
        schema.settings.keep_for_ns = Some(7);
        schema.settings.cold_after_ns = None;
        schema.settings.rollups = vec![RollupSpec {
            width_ns: 6,
            keep_for_ns: Some(8),
            group_by: vec!["host".to_owned()],
            sketches: true,
        }];
        schema.version = 9;
        let value = StreamRecord::encode("cpu", 5, &schema, b"key");
        let record = StreamRecord::decode(b"key", &value).unwrap();
        assert_eq!((record.name.as_str(), record.created_ns), ("cpu", 5));
        assert_eq!(record.schema, schema);
    }

    #[test]
    fn counters_read_back_whole() {
        let mut counters = StreamCounters {
            schema_version: 1,
            l0_first: 2,
            l0_next: 3,
            l0_rows: 4,
            max_time: Some(i64::MIN),
            last_arrival: 5,
            watermark: None,
            quarantine_next: 6,
            quarantine_bytes: 7,
            quarantine_overflow: 8,
            dictionaries: 9,
            ledger: Ledger {
                received: 10,
                stored: 3,
                duplicate: 5,
                late: 1,
                ..Ledger::default()
            },
        };
        counters.ledger.rejected.add(Reject::TextTooLong, 2);
        let value = counters.encode(b"key");
        assert_eq!(StreamCounters::decode(b"key", &value).unwrap(), counters);
        assert!(StreamCounters::decode(b"other", &value).is_err());
    }
}
