//! What a query does to one snapshot: columns, condition, windows, keys, states, lanes. It fixes the answer's bits.

use std::sync::Arc;

use super::compare;
use super::entities::Left;
use super::lane::new_states;
use super::measures::{From, Of};
use super::merge;
use super::nested;
use super::resolve::Columns;
use super::spec::{Hopping, KeySpec, MeasureSpec, Session, Spec, WindowSpec};
use super::state::Keep;
use crate::aggregate::between::Bounds;
use crate::column::Schema;
use crate::column::schema::ENTITY;
use crate::error::{Error, Result};
use crate::group::Shape;
use crate::scan::control::Control;
use crate::scan::filter::Condition;
use crate::scan::marks::Marks;
use crate::scan::strings::Strings;
use crate::scan::{Column, LANE_ROWS, Run, Scan, Type};
use crate::store::Stream;
use crate::window::cut::{Cut, Edges};
use crate::window::tumbling::Tumbling;

/// Windows side by side.
#[derive(Clone, Debug)]
pub struct Windows {
    /// How they are cut.
    pub cut: Cut,
    /// Number of the first that may have rows.
    pub first: i64,
    /// From the first to the last that may have rows.
    pub count: u64,
}

impl Windows {
    /// Number of the window that begins at an instant, from the first.
    pub(super) fn number_of_start(&self, start: i64) -> u64 {
        self.cut.index(start).abs_diff(self.first)
    }
}

/// What is made of windows, once all lanes are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The windows asked for.
    Nothing,
    /// Windows that overlap, of panes.
    Hop(Hopping),
    /// A window so wide back from each pane, which are of an instant each.
    Slide(i64),
    /// Sessions of entities with at most this gap in nanoseconds, of panes that are as long. By place: the key that is the entity, and
    /// the states of least and greatest time.
    Sessions {
        /// Longest gap.
        gap_ns: i64,
        /// Longest session, of panes of an instant then; none: no bound.
        longest_ns: Option<i64>,
        /// Key.
        entity: usize,
        /// States.
        least: usize,
        /// States.
        greatest: usize,
    },
}

/// Which groups of a window are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    /// How many.
    pub groups: u32,
    /// Whether the others are one more.
    pub has_other: bool,
}

/// One state a measure, or several, are read from. Without a column it counts rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What it keeps.
    pub keep: Keep,
    /// Of which column, by place.
    pub column: Option<usize>,
    /// Of which second column.
    pub second: Option<usize>,
    /// Of which rows alone, by place of the filter; none: of all that the query takes.
    pub filter: Option<usize>,
}

impl Slot {
    fn new(keep: Keep, column: Option<usize>) -> Self {
        Self {
            keep,
            column,
            second: None,
            filter: None,
        }
    }
}

/// A measure and where it is read from.
#[derive(Clone, Debug)]
pub struct PlannedMeasure {
    /// What was asked.
    pub spec: MeasureSpec,
    /// Its states, by place.
    pub slots: Vec<usize>,
}

/// How a key column takes part in keys of groups: its part, and for numbers the bit that says null in the last part.
#[derive(Clone, Debug)]
pub struct PlannedKey {
    /// Name in the answer.
    pub name: String,
    /// Column, by place.
    pub column: usize,
    /// Bit of the null word; none where the part itself can say null.
    pub null_bit: Option<u32>,
    /// Whether it only tells groups apart and is no column of the answer.
    pub is_hidden: bool,
}

/// A plan over one snapshot.
#[derive(Debug)]
pub struct Plan {
    /// The blocks.
    pub scan: Scan,
    /// Columns read.
    pub columns: Vec<Column>,
    /// Rows to take.
    pub condition: Option<Condition>,
    /// Rows that some measures alone take.
    pub filters: Vec<Condition>,
    /// Bounds between which some states count.
    pub bounds: Vec<Arc<Bounds>>,
    /// Windows; none: the whole range.
    pub windows: Option<Windows>,
    /// What is made of them.
    pub after: After,
    /// Whether the range has a start, and whether it has an end.
    pub bounded: (bool, bool),
    /// Whether the range holds an instant.
    pub holds_time: bool,
    /// Keys of groups.
    pub keys: Vec<PlannedKey>,
    /// Whether keys end in a null word.
    pub null_word: bool,
    /// States.
    pub slots: Vec<Slot>,
    /// Measures.
    pub measures: Vec<PlannedMeasure>,
    /// Order keys: place among the answer's columns, and whether the greatest comes first.
    pub order: Vec<(usize, bool)>,
    /// Groups of a window that are kept; none: all.
    pub top: Option<Top>,
    /// Layout of keys.
    pub shape: Shape,
    /// Runs of blocks accumulated in order and merged in order.
    pub lanes: Vec<Vec<Run>>,
    /// Partitions of keys that lanes are merged by.
    pub(super) partitions: usize,
    /// Places of time and entity, where first and last need them.
    pub timed: Option<(usize, usize)>,
    /// Whether sums and extremes are taken from the rows, not from what is kept beside them.
    pub no_footers: bool,
    /// Whether of parts only the ends of each entity's rows are read: first and last by entity or a label, of every row in the range.
    pub reads_ends: bool,
    /// Whether of parts aggregates are read where their windows fit.
    pub reads_nodes: bool,
    /// By source of the scan whether its rows are in order and no others between them in time; empty where no state asks.
    pub alone: Vec<bool>,
    /// Entities whose rows are taken, ascending; none: those of all. Known where aggregates are read.
    pub entities: Option<Vec<u32>>,
    /// What becomes of blocks; none: nobody asks.
    pub marks: Option<Marks>,
}

/// Radix of a part that is false, true or null.
const BOOL_RADIX: u64 = 3;

impl Plan {
    /// Plans a query over what a snapshot holds.
    pub(super) fn new(
        stream: &Arc<Stream>,
        schema: &Schema,
        spec: &Spec,
        scan: Scan,
        entities: Option<Left>,
        control: &Control,
    ) -> Result<Self> {
        let mut columns = Columns::new(stream, schema, &scan, control);
        let condition = spec
            .filter
            .as_ref()
            .map(|filter| columns.condition(filter))
            .transpose()?;
        let filters = spec.measure_filters.iter().map(|filter| columns.condition(filter));
        let filters = filters.collect::<Result<_>>()?;
        let (mut keys, null_word) = plan_keys(&mut columns, &spec.group_by)?;
        let (mut slots, measures) = plan_measures(&mut columns, &spec.measures)?;
        let after = match spec.window {
            Some(WindowSpec::Hopping(hopping)) => After::Hop(hopping),
            Some(WindowSpec::Session(session)) => sessions(&mut columns, &mut keys, &mut slots, session)?,
            Some(WindowSpec::Sliding(width)) => After::Slide(width.width_ns()),
            _ => After::Nothing,
        };
        let timed = if slots.iter().any(|slot| slot.keep.is_timed()) {
            Some((columns.place("time", "")?, columns.place("entity", "")?))
        } else {
            None
        };
        let order = plan_order(spec)?;
        let columns = columns.columns;
        // Windows without rows are put in over all of the range, where it ends.
        let times = match (spec.fill, scan.times) {
            (None, times) => times,
            (Some(_), times) => spec.range.widened(times),
        };
        let windows = spec.window.as_ref().map(|window| windows_of(window, times));
        let shape = Shape::of(&radices(windows.as_ref(), &keys, null_word, &columns), scan.rows);
        let partitions = merge::partitions(&shape, scan.rows);
        // Where states multiply, merging them must stay small beside scanning: longer lanes.
        let likely_groups = if partitions > 1 { LANE_ROWS / 4 } else { shape.slots() };
        let reads_ends = condition.is_none()
            && windows.is_none()
            && matches!(&keys[..], [key] if columns[key.column].stored == ENTITY)
            && slots
                .iter()
                .all(|slot| matches!(slot.keep, Keep::First | Keep::Last) && slot.filter.is_none());
        // Of rows whose ends alone are read a lane takes more in the same time.
        let least_rows = if reads_ends { LANE_ROWS * 2 } else { LANE_ROWS };
        let lanes = scan.lanes(least_rows.max(likely_groups.saturating_mul(4)).min(LANE_ROWS * 16));
        let is_by_entity = keys.iter().all(|key| columns[key.column].stored == ENTITY);
        let takes_whole_entities = condition.is_none() || entities.as_ref().is_some_and(|left| left.whole);
        let asks_for_order = slots
            .iter()
            .any(|slot| matches!(slot.keep, Keep::Own(own) if own.is_timed));
        let alone = if asks_for_order { scan.alone() } else { Vec::new() };
        let mut plan = Self {
            alone,
            scan,
            columns,
            condition,
            filters,
            bounds: spec.bounds.clone(),
            windows,
            after,
            bounded: (spec.range.start != i64::MIN, spec.range.end != i64::MAX),
            holds_time: spec.range.start < spec.range.end,
            keys,
            null_word,
            slots,
            measures,
            order,
            top: spec.top,
            shape,
            partitions,
            lanes,
            timed,
            no_footers: spec.hints.no_footers,
            reads_ends,
            reads_nodes: false,
            entities: entities.map(|left| left.codes),
            marks: None,
        };
        plan.reads_nodes = plan.can_read_nodes(is_by_entity, takes_whole_entities);
        if spec.top.is_some_and(|top| top.has_other) && !is_by_entity {
            plan.check_other()?;
        }
        Ok(plan)
    }

    /// States that follow an entity from row to row cannot be those of the others where an entity's rows lie in several groups.
    fn check_other(&self) -> Result<()> {
        let states = new_states(self)?;
        let is_linked = |measure: &&PlannedMeasure| measure.slots.iter().any(|&slot| states[slot].is_linked());
        self.measures.iter().find(is_linked).map_or(Ok(()), |measure| {
            let name = &measure.spec.name;
            let message = format!(
                "{name:?} follows each entity from row to row, so that the others have one only where groups are of `entity` or labels"
            );
            Err(Error::invalid("BAD_TOP_GROUPS", "spec.other", message))
        })
    }

    /// Bounds of the parts of keys; none where there is none.
    pub(super) fn radices(&self) -> Vec<Option<u64>> {
        radices(self.windows.as_ref(), &self.keys, self.null_word, &self.columns)
    }

    /// Code space of the texts that a slot is of.
    pub(super) fn slot_strings(&self, slot: &Slot) -> Option<&Strings> {
        slot.column.and_then(|column| self.columns[column].strings.as_deref())
    }

    /// Where NaN of a column are counted, of the rows that a filter leaves or of all.
    pub fn nan_place(&self, column: usize, filter: Option<usize>) -> usize {
        column + self.columns.len() * filter.map_or(0, |filter| filter + 1)
    }

    /// Places where NaN are counted.
    pub fn nan_places(&self) -> usize {
        self.columns.len() * (self.filters.len() + 1)
    }

    /// Parts of a key.
    pub fn key_parts(&self) -> usize {
        usize::from(self.windows.is_some()) + self.keys.len() + usize::from(self.null_word)
    }

    /// Type of the values of a slot's column.
    pub fn slot_type(&self, slot: &Slot) -> Type {
        slot.column.map_or(Type::I64, |column| self.columns[column].data_type)
    }
}

fn radices(windows: Option<&Windows>, keys: &[PlannedKey], null_word: bool, columns: &[Column]) -> Vec<Option<u64>> {
    let mut radices: Vec<Option<u64>> = Vec::new();
    radices.extend(windows.map(|windows| Some(windows.count)));
    for key in keys {
        let column = &columns[key.column];
        radices.push(match (&column.strings, column.data_type) {
            (Some(strings), _) => strings.bound().map(u64::from),
            (None, Type::Bool) => Some(BOOL_RADIX),
            (None, _) => None,
        });
    }
    if null_word {
        radices.push(None);
    }
    radices
}

/// Windows, or panes of them, over rows of these times.
fn windows_of(window: &WindowSpec, times: Option<(i64, i64)>) -> Windows {
    let (min, max) = times.unwrap_or((0, 0));
    let cut = match window {
        WindowSpec::Tumbling(tumbling) => Cut::Tumbling(*tumbling),
        WindowSpec::Hopping(hopping) => Cut::Tumbling(hopping.pane),
        WindowSpec::Calendar(calendar) => Cut::Edges(Edges::new(calendar.edges(min, max))),
        // Where rows alone say where windows are, each time is a pane of its own.
        WindowSpec::Session(Session { longest: Some(_), .. }) | WindowSpec::Sliding(_) => {
            Cut::Tumbling(Tumbling::INSTANT)
        }
        WindowSpec::Session(session) => Cut::Tumbling(session.gap),
        WindowSpec::Edges(edges) => {
            return Windows {
                count: edges.len() as u64 - 1,
                cut: Cut::Edges(Edges::new(edges.clone())),
                first: 0,
            };
        }
    };
    let (first, last) = (cut.index(min), cut.index(max));
    Windows {
        cut,
        first,
        count: last.abs_diff(first).saturating_add(1),
    }
}

/// Has entities told apart, and their least and greatest times kept.
fn sessions(
    columns: &mut Columns<'_>,
    keys: &mut Vec<PlannedKey>,
    slots: &mut Vec<Slot>,
    session: Session,
) -> Result<After> {
    let (entity, time) = (columns.place("entity", "")?, columns.place("time", "")?);
    let key = keys.iter().position(|key| key.column == entity).unwrap_or_else(|| {
        keys.push(PlannedKey {
            name: "entity".to_owned(),
            column: entity,
            null_bit: None,
            is_hidden: true,
        });
        keys.len() - 1
    });
    let mut place = |keep| {
        let slot = Slot::new(keep, Some(time));
        slots.iter().position(|other| *other == slot).unwrap_or_else(|| {
            slots.push(slot);
            slots.len() - 1
        })
    };
    Ok(After::Sessions {
        gap_ns: session.gap.width_ns(),
        longest_ns: session.longest.map(Tumbling::width_ns),
        entity: key,
        least: place(Keep::Min),
        greatest: place(Keep::Max),
    })
}

fn plan_keys(columns: &mut Columns<'_>, specs: &[KeySpec]) -> Result<(Vec<PlannedKey>, bool)> {
    let (mut keys, mut null_bits) = (Vec::<PlannedKey>::new(), 0);
    for (at, key) in specs.iter().enumerate() {
        let (name, field) = (&key.name, format!("spec.group_by[{at}]"));
        if key.column == "time" && key.made.is_none() {
            let message = "rows are grouped by time through a window or by a part of it, not by the column \"time\"";
            return Err(Error::invalid("GROUP_BY_TIME", format!("{field}.column"), message));
        }
        let column = columns.key(key, &field)?;
        if let Some(other) = keys.iter().find(|other| other.column == column) {
            let message = format!("each column is grouped by once, {:?} is {:?}", key.column, other.name);
            return Err(Error::invalid(
                "DUPLICATE_GROUP_KEY",
                format!("{field}.column"),
                message,
            ));
        }
        let null_bit = match columns.columns[column].data_type {
            Type::F64 | Type::I64 | Type::Timestamp => {
                null_bits += 1;
                Some(null_bits - 1)
            }
            Type::Bool | Type::Text => None,
        };
        keys.push(PlannedKey {
            name: name.clone(),
            column,
            null_bit,
            is_hidden: false,
        });
    }
    Ok((keys, null_bits > 0))
}

fn plan_measures(columns: &mut Columns<'_>, specs: &[MeasureSpec]) -> Result<(Vec<Slot>, Vec<PlannedMeasure>)> {
    let mut wanted: Vec<Vec<Slot>> = Vec::new();
    for (at, spec) in specs.iter().enumerate() {
        let mut place = |name: &Option<String>, part: &str| -> Result<Option<usize>> {
            let Some(name) = name else { return Ok(None) };
            let field = format!("spec.measures[{at}].{part}");
            let place = columns.place(name, &field)?;
            let is_number = matches!(columns.columns[place].data_type, Type::F64 | Type::I64);
            if !is_number && !matches!(spec.kind.of, Of::RowsOrColumn | Of::Column) {
                let message = format!("{} is of an f64 or i64 column, {name:?} is neither", spec.kind.name);
                return Err(Error::invalid("NOT_NUMERIC", field, message));
            }
            Ok(Some(place))
        };
        let (column, second) = (
            place(&spec.column, "column")?,
            place(&spec.second_column, "second_column")?,
        );
        let slots = spec.measure.wants().into_iter().map(|want| Slot {
            keep: want.keep,
            column: if want.from == From::Second { second } else { column },
            second: second.filter(|_| want.from == From::Both),
            filter: spec.filter,
        });
        wanted.push(slots.collect());
    }
    let all: Vec<Slot> = wanted.iter().flatten().copied().collect();
    for slot in wanted.iter_mut().flatten() {
        // A sum knows its count.
        let mean = Slot {
            keep: Keep::Mean,
            ..*slot
        };
        if slot.keep == Keep::Count && slot.column.is_some() && all.contains(&mean) {
            *slot = mean;
        }
    }
    let mut slots: Vec<Slot> = Vec::new();
    let mut place = |slot: Slot| {
        slots.iter().position(|other| *other == slot).unwrap_or_else(|| {
            slots.push(slot);
            slots.len() - 1
        })
    };
    let measures = wanted.into_iter().zip(specs).map(|(wanted, spec)| PlannedMeasure {
        spec: spec.clone(),
        slots: wanted.into_iter().map(&mut place).collect(),
    });
    let measures = measures.collect();
    Ok((slots, measures))
}

/// Names of the answer's columns are distinct; order keys are among them.
fn plan_order(spec: &Spec) -> Result<Vec<(usize, bool)>> {
    let mut names: Vec<&str> = Vec::new();
    names.extend(spec.window.as_ref().map(|_| "start"));
    if matches!(spec.window, Some(WindowSpec::Session(_) | WindowSpec::Sliding(_))) {
        names.push("end");
    }
    for (at, key) in spec.group_by.iter().enumerate() {
        if names.contains(&key.name.as_str()) {
            let message = format!(
                "columns of the answer have distinct names, {:?} is also the window's",
                key.name
            );
            let part = if key.name == key.column { "column" } else { "name" };
            return Err(Error::invalid(
                "DUPLICATE_NAME",
                format!("spec.group_by[{at}].{part}"),
                message,
            ));
        }
        names.push(&key.name);
    }
    for (at, measure) in spec.measures.iter().enumerate() {
        if names.contains(&measure.name.as_str()) {
            let message = format!(
                "columns of the answer have distinct names, {:?} is also a key's",
                measure.name
            );
            return Err(Error::invalid(
                "DUPLICATE_NAME",
                format!("spec.measures[{at}].name"),
                message,
            ));
        }
        names.push(&measure.name);
    }
    let measures: Vec<&str> = spec.measures.iter().map(|measure| measure.name.as_str()).collect();
    let compared = compare::names(&measures);
    if spec.compare.is_some() {
        if let Some(name) = compared.iter().find(|name| names.contains(&name.as_str())) {
            let message = format!("columns of the answer have distinct names, {name:?} is also that of a comparison");
            return Err(Error::invalid("DUPLICATE_NAME", "spec.compare", message));
        }
        names.extend(compared.iter().map(String::as_str));
    }
    let keys = spec.order_by.iter().enumerate().map(|(at, (name, descending))| {
        let place = names.iter().position(|known| known == name).ok_or_else(|| {
            let shown: String = name.chars().take(64).collect();
            let message = format!("an answer is ordered by its own columns, {shown:?} is none of them");
            Error::invalid("UNKNOWN_COLUMN", format!("spec.order_by[{at}].column"), message)
        })?;
        let mut measures = spec.measures.iter();
        if measures.any(|measure| measure.name == *name && measure.measure.is_nested()) {
            return Err(nested::refused(name, "an order", format!("spec.order_by[{at}].column")));
        }
        Ok((place, *descending))
    });
    keys.collect()
}
