//! The groups of a rollup, and which rows of its part are of which.

use hashbrown::HashMap;

use super::has_entities;
use crate::column::packed::Physical;
use crate::column::rollup::Tier;
use crate::column::schema::ENTITY;
use crate::column::{ColumnId, ColumnType, NULL_CODE};
use crate::error::{Error, Result};
use crate::store::part::Runs;
use crate::store::rows::Rows;
use crate::store::seal::read;
use crate::store::seal::whole::Whole;
use crate::store::stream::Stream;
use crate::store::team::Team;
use crate::window::tumbling::Tumbling;

/// Rows in a row of one group and one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) group: u32,
    pub(super) entity: u32,
    /// Row behind the last.
    pub(super) end: u32,
}

/// Values of a key by group.
#[derive(Debug)]
pub(super) enum KeyValues {
    Codes(Vec<u32>),
    Bools(Whole<bool>),
    Texts(Vec<Option<String>>),
}

/// Groups in order of entity, window and keys.
#[derive(Debug)]
pub(super) struct Grouping {
    /// An entity that the rows are of; null where keys tell nothing of entities.
    pub(super) entities: Vec<u32>,
    /// Start of the window.
    pub(super) starts: Vec<i64>,
    /// Keys that lie in columns of their own, ascending.
    pub(super) keys: Vec<(ColumnId, KeyValues)>,
    pub(super) segments: Vec<Segment>,
}

/// Groups rows, which are ordered by entity and time.
pub(super) fn group(
    stream: &Stream,
    source: &Rows,
    runs: &Runs,
    times: &[i64],
    tier: &Tier,
    team: &mut Team<'_>,
) -> Result<Grouping> {
    let windows = Tumbling::new(tier.width_ns).ok_or_else(|| Error::internal("a rollup without a width"))?;
    let schema = stream.schema();
    let is_label = |key: ColumnId| {
        let column = schema.column_by_id(key);
        column.is_some_and(|column| column.column_type == ColumnType::Label)
    };
    let mut keys = Vec::new();
    for &key in tier.keys() {
        keys.push(match key {
            ENTITY => Key::Entity,
            key if is_label(key) => Key::label(stream, key),
            key => Key::column(stream, source, key, team)?,
        });
    }
    let mut groups = Groups {
        windows,
        keys: &keys,
        knows_entities: has_entities(tier, is_label),
        found: HashMap::new(),
        all: Vec::new(),
        segments: Vec::new(),
    };
    for (entity, rows) in runs.within(0..times.len() as u32) {
        if tier.is_by_entity() {
            groups.take_run(entity, rows, times);
        } else {
            rows.for_each(|row| groups.take(entity, row, times[row as usize]));
        }
    }
    Ok(groups.finish(tier))
}

/// A column that tells groups apart.
enum Key {
    Entity,
    /// By entity.
    Label(Vec<u32>),
    Codes(Vec<u32>),
    Bools(Whole<bool>),
    /// Places in the list of texts, which is without null.
    Texts(Vec<u32>, Vec<String>),
    /// Null throughout.
    Missing,
}

impl Key {
    fn label(stream: &Stream, column: ColumnId) -> Self {
        let entities = stream.entities();
        let Some(label) = entities.series.label(column) else {
            return Self::Missing;
        };
        Self::Label(
            (0..entities.dictionary.len())
                .map(|series| label.code(series))
                .collect(),
        )
    }

    fn column(stream: &Stream, source: &Rows, column: ColumnId, team: &mut Team<'_>) -> Result<Self> {
        let sources = std::slice::from_ref(source);
        Ok(match source.physical(column) {
            Some(Physical::Code) => Self::Codes(read::codes(sources, column, team)?),
            Some(Physical::Bool) => Self::Bools(read::booleans(sources, column, team)?),
            Some(Physical::Text) => {
                let whole = read::texts(stream, sources, column, team)?;
                let (mut places, mut texts): (HashMap<String, u32>, Vec<String>) = (HashMap::new(), Vec::new());
                let mut place = |row: usize| {
                    if whole.valid[row / 64] >> (row % 64) & 1 == 0 {
                        return NULL_CODE;
                    }
                    let text = whole.get(row as u32);
                    if let Some(&place) = places.get(text) {
                        return place;
                    }
                    texts.push(text.to_owned());
                    places.insert(text.to_owned(), texts.len() as u32);
                    texts.len() as u32
                };
                let codes = (0..source.rows()).map(&mut place).collect();
                Self::Texts(codes, texts)
            }
            _ => Self::Missing,
        })
    }

    /// What stands for the value of a row.
    fn part(&self, entity: u32, row: u32) -> u32 {
        let row = row as usize;
        match self {
            Self::Entity => entity,
            Self::Label(codes) => codes.get(entity as usize).copied().unwrap_or(NULL_CODE),
            Self::Codes(codes) | Self::Texts(codes, _) => codes[row],
            Self::Bools(whole) => match whole.at(row) {
                None => 0,
                Some(value) => 1 + u32::from(value),
            },
            Self::Missing => NULL_CODE,
        }
    }

    /// Values of groups that have these parts; none of one that lies in no column of its own.
    fn values(&self, parts: impl Iterator<Item = u32>) -> Option<KeyValues> {
        Some(match self {
            Self::Entity | Self::Label(_) | Self::Missing => return None,
            Self::Codes(_) => KeyValues::Codes(parts.collect()),
            Self::Bools(_) => KeyValues::Bools(Whole::of(parts.map(|part| (part > 0).then_some(part == 2)))),
            Self::Texts(_, texts) => {
                let text = |part: u32| (part != NULL_CODE).then(|| texts[part as usize - 1].clone());
                KeyValues::Texts(parts.map(text).collect())
            }
        })
    }
}

/// A group that was found: its entity, the start of its window, parts of its keys.
type Found = (u32, i64, Vec<u32>);

struct Groups<'a> {
    windows: Tumbling,
    keys: &'a [Key],
    knows_entities: bool,
    found: HashMap<(i64, Vec<u32>), u32>,
    all: Vec<Found>,
    segments: Vec<Segment>,
}

impl Groups<'_> {
    /// Takes the rows of an entity, each window of which is a group.
    fn take_run(&mut self, entity: u32, rows: std::ops::Range<u32>, times: &[i64]) {
        let (mut row, mut length) = (rows.start as usize, 1);
        while row < rows.end as usize {
            let window = self.windows.index(times[row]);
            let left = &times[row..rows.end as usize];
            // Probably as many as before.
            let is_in = |time: &i64| self.windows.index(*time) == window;
            length = match left.get(length - 1).map(is_in) {
                Some(true) if left.get(length).is_none_or(|time| !is_in(time)) => length,
                _ => left.partition_point(is_in),
            };
            row += length;
            self.segments.push(Segment {
                group: self.all.len() as u32,
                entity,
                end: row as u32,
            });
            self.all.push((entity, self.windows.start(window), Vec::new()));
        }
    }

    fn take(&mut self, entity: u32, row: u32, time: i64) {
        let start = self.windows.start(self.windows.index(time));
        let parts: Vec<u32> = self.keys.iter().map(|key| key.part(entity, row)).collect();
        let group = *self.found.entry((start, parts)).or_insert_with_key(|(_, parts)| {
            let known = if self.knows_entities { entity } else { NULL_CODE };
            self.all.push((known, start, parts.clone()));
            self.all.len() as u32 - 1
        });
        match self.segments.last_mut() {
            Some(last) if (last.group, last.entity) == (group, entity) => last.end = row + 1,
            _ => self.segments.push(Segment {
                group,
                entity,
                end: row + 1,
            }),
        }
    }

    fn finish(mut self, tier: &Tier) -> Grouping {
        let mut order: Vec<u32> = (0..self.all.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| self.all[a as usize].cmp(&self.all[b as usize]));
        let mut places = vec![0; order.len()];
        for (place, &group) in (0..).zip(&order) {
            places[group as usize] = place;
        }
        for segment in &mut self.segments {
            segment.group = places[segment.group as usize];
        }
        let groups = || order.iter().map(|&group| &self.all[group as usize]);
        let mut keys = Vec::new();
        for (at, (&column, key)) in tier.keys().iter().zip(self.keys).enumerate() {
            keys.extend(
                key.values(groups().map(|group| group.2[at]))
                    .map(|values| (column, values)),
            );
        }
        Grouping {
            entities: groups().map(|group| group.0).collect(),
            starts: groups().map(|group| group.1).collect(),
            keys,
            segments: self.segments,
        }
    }
}
