//! TrackEventsRequest read straight into columns: one vector a field and one sparse vector a property, no object a row.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::cursor::{Wire, text, visit};
use super::envelope::Envelope;
use crate::error::Result;

/// A property's value as it was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// No field was set.
    Null,
    /// Double.
    F64(f64),
    /// Integer.
    I64(i64),
    /// Boolean.
    Bool(bool),
    /// String.
    Text(&'a str),
    /// Unix nanoseconds.
    Timestamp(i64),
}

/// One property over the events that have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Property<'a> {
    /// Its name.
    pub name: &'a str,
    /// Events that have it, ascending, each once.
    pub rows: Vec<u32>,
    /// Its value in each.
    pub values: Vec<Scalar<'a>>,
}

/// Events as columns.
#[derive(Clone, Debug, Default)]
pub struct EventsView<'a> {
    /// Types; empty: missing.
    pub event: Vec<&'a str>,
    /// Times, where one was sent.
    pub time: Vec<Option<i64>>,
    /// Users; empty: none.
    pub user: Vec<&'a str>,
    /// Sessions; empty: none.
    pub session: Vec<&'a str>,
    /// Services; empty: none.
    pub service: Vec<&'a str>,
    /// Properties in order of first sight.
    pub properties: Vec<Property<'a>>,
    by_name: HashTable<u32>,
}

impl<'a> EventsView<'a> {
    /// The events of an envelope.
    pub fn of(envelope: &Envelope<'a>) -> Result<Self> {
        let mut events = Self::default();
        for bytes in envelope.rows.as_slice() {
            events.add(bytes)?;
        }
        Ok(events)
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.event.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.event.is_empty()
    }

    fn add(&mut self, bytes: &'a [u8]) -> Result<()> {
        let at = self.len();
        let (mut event, mut user, mut session, mut service, mut time) = ("", "", "", "", None);
        // Events of one source name their properties in the same order, so the next is where the last one was, plus one.
        let mut guess = 0;
        visit(bytes, 1, &|| format!("events[{at}]"), |number, value| {
            let path = |field: &'static str| move || format!("events[{at}].{field}");
            match (number, value) {
                (1, Wire::Bytes(bytes)) => event = text(bytes, &path("event"))?,
                (2, Wire::Varint(value)) => time = Some(value as i64),
                (3, Wire::Bytes(bytes)) => user = text(bytes, &path("user"))?,
                (4, Wire::Bytes(bytes)) => session = text(bytes, &path("session"))?,
                (5, Wire::Bytes(bytes)) => service = text(bytes, &path("service"))?,
                (6, Wire::Bytes(bytes)) => {
                    if let Some((name, value)) = entry(bytes, at)? {
                        guess = self.set(guess, at as u32, name, value) + 1;
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        self.event.push(event);
        self.time.push(time);
        self.user.push(user);
        self.session.push(session);
        self.service.push(service);
        Ok(())
    }

    fn set(&mut self, guess: usize, row: u32, name: &'a str, value: Scalar<'a>) -> usize {
        let at = match self.properties.get(guess) {
            Some(property) if property.name == name => guess,
            _ => self.find(name),
        };
        let property = &mut self.properties[at];
        if property.rows.last() == Some(&row) {
            // A key said twice counts as said last.
            *property.values.last_mut().expect("as many values as rows") = value;
        } else {
            property.rows.push(row);
            property.values.push(value);
        }
        at
    }

    fn find(&mut self, name: &'a str) -> usize {
        let (hash, properties) = (xxh3_64(name.as_bytes()), &mut self.properties);
        if let Some(&at) = self.by_name.find(hash, |&at| properties[at as usize].name == name) {
            return at as usize;
        }
        let at = properties.len();
        properties.push(Property {
            name,
            rows: Vec::new(),
            values: Vec::new(),
        });
        self.by_name.insert_unique(hash, at as u32, |&other| {
            xxh3_64(properties[other as usize].name.as_bytes())
        });
        at
    }
}

/// One entry of the map of properties; none if it holds an unknown field, for then upb takes the whole entry as unknown.
fn entry(bytes: &[u8], at: usize) -> Result<Option<(&str, Scalar<'_>)>> {
    let path = || format!("events[{at}].properties");
    let (mut name, mut scalar, mut known) = ("", Scalar::Null, true);
    visit(bytes, 2, &path, |number, value| {
        match (number, value) {
            (1, Wire::Bytes(bytes)) => name = text(bytes, &path)?,
            (2, Wire::Bytes(bytes)) => {
                merge_scalar(&mut scalar, bytes, &|| format!("events[{at}].properties[{name:?}]"))?;
            }
            _ => known = false,
        }
        Ok(())
    })?;
    Ok(known.then_some((name, scalar)))
}

fn merge_scalar<'a>(scalar: &mut Scalar<'a>, bytes: &'a [u8], path: &dyn Fn() -> String) -> Result<()> {
    visit(bytes, 3, path, |number, value| {
        match (number, value) {
            (1, Wire::Fixed64(bits)) => *scalar = Scalar::F64(f64::from_bits(bits)),
            (2, Wire::Varint(value)) => *scalar = Scalar::I64(value as i64),
            (3, Wire::Varint(value)) => *scalar = Scalar::Bool(value != 0),
            (4, Wire::Bytes(bytes)) => *scalar = Scalar::Text(text(bytes, path)?),
            (5, Wire::Varint(value)) => *scalar = Scalar::Timestamp(value as i64),
            _ => {}
        }
        Ok(())
    })
}
