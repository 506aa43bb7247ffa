//! What a stream says its sealed rows are rolled up to.

use super::schema::{ColumnId, ColumnType, ENTITY, Schema, TIME};
use crate::error::{Error, Result};
use crate::time::SECOND_NS;

/// Most rollups of a stream.
pub const MAX_ROLLUPS: usize = 8;
/// Most keys of a rollup.
pub const MAX_KEYS: usize = 8;
/// Longest window, a year of 366 days.
const MAX_WIDTH_NS: i64 = 366 * 86_400 * SECOND_NS;

/// A rollup as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollupSpec {
    /// Length of its windows, which are aligned to the Unix epoch.
    pub width_ns: i64,
    /// How long it is kept, by event time; none: for ever.
    pub keep_for_ns: Option<i64>,
    /// What it tells apart, by name; none: entities.
    pub group_by: Vec<String>,
    /// Whether it has the exponential histogram of each column of numbers.
    pub sketches: bool,
}

/// A rollup as it is stored: windows, and columns by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tier {
    /// Length of its windows in nanoseconds.
    pub width_ns: i64,
    keys: [ColumnId; MAX_KEYS],
    /// Whether it has the exponential histogram of each column of numbers.
    pub sketches: bool,
}

impl Tier {
    /// Of these windows and keys; none of more keys than there may be, or of a width that is none.
    pub fn new(width_ns: i64, mut keys: Vec<ColumnId>, sketches: bool) -> Option<Self> {
        keys.sort_unstable();
        keys.dedup();
        let is_sound = width_ns > 0 && (1..=MAX_KEYS).contains(&keys.len()) && keys[0] != TIME;
        is_sound.then(|| {
            let mut all = [TIME; MAX_KEYS];
            all[..keys.len()].copy_from_slice(&keys);
            Self {
                width_ns,
                keys: all,
                sketches,
            }
        })
    }

    /// Columns that it tells apart, ascending.
    pub fn keys(&self) -> &[ColumnId] {
        let n = self.keys.iter().position(|&key| key == TIME).unwrap_or(MAX_KEYS);
        &self.keys[..n]
    }

    /// Whether it tells entities apart, and nothing else.
    pub fn is_by_entity(&self) -> bool {
        self.keys() == [ENTITY]
    }

    /// The same without sketches.
    pub fn without_sketches(self) -> Self {
        Self {
            sketches: false,
            ..self
        }
    }

    /// Whether rows of it are told apart as those of another, in windows as long.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.width_ns, self.keys) == (other.width_ns, other.keys)
    }
}

impl RollupSpec {
    /// As it is stored; none where the schema lacks one of its keys.
    pub fn tier(&self, schema: &Schema) -> Option<Tier> {
        let mut keys = Vec::new();
        for name in &self.group_by {
            if schema.is_entity(name) {
                keys.push(ENTITY);
            } else {
                keys.push(schema.column(name)?.id);
            }
        }
        // Who knows the series knows its labels.
        let is_label = |key: &ColumnId| {
            schema
                .column_by_id(*key)
                .is_some_and(|column| column.column_type == ColumnType::Label)
        };
        if keys.is_empty() {
            keys.push(ENTITY);
        } else if keys.contains(&ENTITY) {
            keys.retain(|key| !is_label(key));
        }
        Tier::new(self.width_ns, keys, self.sketches)
    }
}

/// Checks the rollups that a schema is to have.
pub fn check(schema: &Schema) -> Result<()> {
    let rollups = &schema.settings.rollups;
    let refuse = |field: String, message: String| Err(Error::invalid("BAD_ROLLUP", field, message));
    if rollups.len() > MAX_ROLLUPS {
        let message = format!("a stream has at most {MAX_ROLLUPS} rollups, got {}", rollups.len());
        return refuse("stream.rollups".to_owned(), message);
    }
    let mut seen: Vec<Tier> = Vec::new();
    for (at, rollup) in rollups.iter().enumerate() {
        let field = format!("stream.rollups[{at}]");
        if !(SECOND_NS..=MAX_WIDTH_NS).contains(&rollup.width_ns) {
            let message = format!("windows of a rollup last 1 s to 366 days, got {} ns", rollup.width_ns);
            return refuse(format!("{field}.width"), message);
        }
        if rollup.group_by.len() > MAX_KEYS {
            let message = format!("a rollup has at most {MAX_KEYS} keys, got {}", rollup.group_by.len());
            return refuse(format!("{field}.group_by"), message);
        }
        for (place, name) in rollup.group_by.iter().enumerate() {
            let is_key = schema.is_entity(name)
                || schema.column(name).is_some_and(|column| {
                    matches!(
                        column.column_type,
                        ColumnType::Symbol | ColumnType::Label | ColumnType::Bool
                    )
                });
            if !is_key {
                let shown: String = name.chars().take(64).collect();
                let message = format!("keys of a rollup are symbols, labels, booleans or entity, {shown:?} is none");
                return refuse(format!("{field}.group_by[{place}]"), message);
            }
        }
        let Some(tier) = rollup.tier(schema) else {
            return Err(Error::internal("keys of a rollup that is sound"));
        };
        if seen.iter().any(|other| other.is_like(&tier)) {
            return refuse(field, "a stream has one rollup of the same windows and keys".to_owned());
        }
        seen.push(tier);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::{StreamKind, StreamSettings};

    const HOUR: i64 = 3_600 * SECOND_NS;

    fn rollup(width_ns: i64, group_by: &[&str]) -> RollupSpec {
        RollupSpec {
            width_ns,
            keep_for_ns: None,
            group_by: group_by.iter().map(|&name| name.to_owned()).collect(),
            sketches: false,
        }
    }

    fn schema(rollups: Vec<RollupSpec>) -> Schema {
        let mut schema = Schema::new(StreamKind::Metric, StreamSettings::default());
        for (name, column_type) in [
            ("host", ColumnType::Label),
            ("level", ColumnType::Symbol),
            ("value", ColumnType::F64),
        ] {
            schema.add_column("", name, column_type, "", "").unwrap();
        }
        schema.settings.rollups = rollups;
        schema
    }

    #[test]
    fn what_is_no_rollup_is_refused_with_its_field() {
        let refusals = [
            (vec![rollup(HOUR, &[]); 9], "stream.rollups"),
            (vec![rollup(0, &[])], "stream.rollups[0].width"),
            (vec![rollup(367 * 24 * HOUR, &[])], "stream.rollups[0].width"),
            (vec![rollup(HOUR, &["host", "value"])], "stream.rollups[0].group_by[1]"),
            (vec![rollup(HOUR, &["no"])], "stream.rollups[0].group_by[0]"),
            (vec![rollup(HOUR, &["level"; 9])], "stream.rollups[0].group_by"),
            (
                vec![rollup(HOUR, &[]), rollup(HOUR, &["entity", "host"])],
                "stream.rollups[1]",
            ),
        ];
        for (rollups, field) in refusals {
            let error = check(&schema(rollups)).unwrap_err();
            assert_eq!((error.reason(), error.field()), ("BAD_ROLLUP", field));
        }
        check(&schema(vec![
            rollup(HOUR, &[]),
            rollup(60 * SECOND_NS, &["host", "level"]),
        ]))
        .unwrap();
    }

    #[test]
    fn a_tier_has_its_keys_once_and_in_order() {
        let schema = schema(Vec::new());
        let keys = |group_by| rollup(HOUR, group_by).tier(&schema).unwrap().keys().to_vec();
        assert_eq!(keys(&[]), [ENTITY]);
        assert_eq!(keys(&["host", "entity", "level"]), [ENTITY, 3]);
        assert_eq!(keys(&["level", "host", "level"]), [2, 3]);
        assert!(rollup(HOUR, &["no"]).tier(&schema).is_none());
        assert!(Tier::new(0, vec![1], false).is_none() && Tier::new(1, vec![TIME], false).is_none());
    }
}
