//! The event with an id: equal rows have one, so that there may be several of it.

use std::sync::Arc;

use prost::Message;

use super::event::Fields;
use super::look::{Look, Source, Wanted};
use super::order::Place;
use super::{STRETCH, begin, check_columns, too_large};
use crate::error::{Error, Kind, Result};
use crate::ingest::event_id::EVENT_ID_BYTES;
use crate::query::resolve::Columns;
use crate::query::run::Context;
use crate::store::Stream;
use crate::time::TimeRange;
use crate::wire::v1;

/// A checked GetEventRequest.
#[derive(Clone, Debug)]
pub struct Get {
    id: [u8; EVENT_ID_BYTES],
    columns: Vec<String>,
    secret: [u8; 16],
}

/// Number of the stream that an id is of.
fn stream_of(id: [u8; EVENT_ID_BYTES]) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|byte| id[byte]))
}

/// Number of the stream that a request is of.
pub fn number_of(get: &Get) -> u32 {
    stream_of(get.id)
}

impl Get {
    /// Checks a message, under the secret of its namespace.
    pub fn new(message: v1::GetEventRequest, secret: [u8; 16]) -> Result<Self> {
        let v1::GetEventRequest { id, columns } = message;
        check_columns(&columns)?;
        let id = id.try_into().map_err(|id: Vec<u8>| {
            let message = format!("the id of an event has {EVENT_ID_BYTES} bytes, got {}", id.len());
            Error::invalid("BAD_EVENT_ID", "id", message)
        })?;
        Ok(Self { id, columns, secret })
    }

    /// The error of an event that is not there.
    pub fn missing() -> Error {
        let message = "there is no event with this id in this namespace: it is gone, or was written anew";
        Error::new(Kind::NotFound, "EVENT_NOT_FOUND", message).at("id")
    }

    /// The event.
    pub fn find(&self, stream: &Arc<Stream>, context: &Context) -> Result<v1::GetEventResponse> {
        let (snapshot, control) = begin(stream, context, None)?;
        let word = |at: usize| u32::from_be_bytes(std::array::from_fn(|byte| self.id[at + byte]));
        let (entity, time) = (word(4), (u64::from(word(8)) << 32 | u64::from(word(12))) as i64);
        let schema = stream.schema();
        let fields = Fields::new(stream, &schema, &self.columns, self.secret, &control)?;
        let mut columns = Columns::of_any(stream, &schema, &control);
        columns.place("entity", "")?;
        let sources = Source::all(&snapshot);
        let wanted = Wanted {
            range: TimeRange {
                start: i64::MIN,
                end: i64::MAX,
            },
            entities: None,
            condition: None,
        };
        let mut places: Vec<Place> = Vec::new();
        let mut look = Look::new(&sources, &columns.columns, wanted, &control);
        look.each_tied((time, entity), |place| {
            places.push(place);
            true
        })?;
        let (mut event, mut copies) = (None, 0);
        for places in places.chunks(STRETCH) {
            control.check()?;
            let found = fields.read(&sources, places)?;
            for found in found.into_iter().filter(|found| found.id == self.id) {
                copies += 1;
                event.get_or_insert(found);
            }
        }
        let response = v1::GetEventResponse {
            stream: stream.name.clone(),
            columns: fields.names.clone(),
            event: Some(event.ok_or_else(Self::missing)?),
            copies,
            commit: snapshot.commit,
        };
        let most = context.limits.unary_bytes;
        if response.encoded_len() > most {
            return Err(too_large(most));
        }
        Ok(response)
    }
}
