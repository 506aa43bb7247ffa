//! Rows as they are: a page of them in order of time, and the one with an id. No row is read that the order does not need.

mod event;
mod get;
mod look;
mod order;

use std::sync::Arc;

use prost::Message;

pub use get::{Get, number_of};

use self::event::Fields;
use self::look::{Look, Source, Wanted};
use self::order::Place;
use super::entities::entities;
use super::page::{Tokens, page_size};
use super::resolve::Columns;
use super::run::{Context, stream_deleted};
use super::spec::{FilterSpec, rows_of, unknown_number};
use crate::column::schema::{MAX_COLUMNS, check_stream_id};
use crate::error::{Error, Kind, Result};
use crate::scan::control::Control;
use crate::store::{Snapshot, Stream};
use crate::time::TimeRange;
use crate::wire::v1;

/// Rows whose values are read at once: a page ends where its message is full.
const STRETCH: usize = 64;
/// Bytes of a position.
const POSITION_BYTES: usize = 28;

/// A checked ListEventsRequest.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Stream id.
    pub stream: String,
    /// Range of event time.
    pub range: TimeRange,
    filter: Option<FilterSpec>,
    columns: Vec<String>,
    is_ascending: bool,
    page_size: usize,
    tokens: Tokens,
    after: Option<Position>,
    secret: [u8; 16],
}

/// The row that a page ended with, so that sealing does not move it: which of the listed rows of its instant and entity it is, by
/// arrival, from 1; and the commit of the listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    commit: u64,
    time: i64,
    entity: u32,
    ordinal: u64,
}

impl Position {
    fn to_bytes(self) -> [u8; POSITION_BYTES] {
        let mut bytes = [0; POSITION_BYTES];
        bytes[..8].copy_from_slice(&self.commit.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.time.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.entity.to_be_bytes());
        bytes[20..].copy_from_slice(&self.ordinal.to_be_bytes());
        bytes
    }

    fn of_bytes(bytes: [u8; POSITION_BYTES]) -> Self {
        let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        Self {
            commit: word(0),
            time: word(8) as i64,
            entity: u32::from_be_bytes(std::array::from_fn(|byte| bytes[16 + byte])),
            ordinal: word(20),
        }
    }
}

/// A page of rows.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The answer.
    pub response: v1::ListEventsResponse,
    /// Blocks that were decoded to find its rows.
    pub blocks: u64,
}

impl Listing {
    /// Checks a message, under the secret of its namespace.
    pub fn new(mut message: v1::ListEventsRequest, secret: [u8; 16]) -> Result<Self> {
        let token = std::mem::take(&mut message.page_token);
        let tokens = Tokens::new(secret, "ListEvents", &message);
        let v1::ListEventsRequest {
            stream,
            range,
            filter,
            filter_text,
            columns,
            order,
            page_size: size,
            page_token: _,
        } = message;
        check_stream_id("stream", &stream)?;
        check_columns(&columns)?;
        let is_ascending = match v1::EventOrder::try_from(order) {
            Err(_) => return Err(unknown_number("order", order)),
            Ok(v1::EventOrder::Unspecified | v1::EventOrder::TimeDescending) => false,
            Ok(v1::EventOrder::TimeAscending) => true,
        };
        let (range, filter) = rows_of(range, filter, &filter_text)?;
        Ok(Self {
            stream,
            range,
            filter,
            columns,
            is_ascending,
            page_size: page_size(size)?,
            after: tokens.read(&token)?.map(Position::of_bytes),
            tokens,
            secret,
        })
    }

    /// Whether it reads little whatever the stream has: a page of the newest or oldest rows.
    pub fn is_short(&self) -> bool {
        self.filter.is_none()
    }

    /// The page of a stream.
    pub fn page(&self, stream: &Arc<Stream>, context: &Context) -> Result<Page> {
        let (snapshot, mut control) = begin(stream, context, self.after.map(|after| after.commit))?;
        let schema = stream.schema();
        let mut columns = Columns::of_any(stream, &schema, &control);
        columns.place("entity", "")?;
        let condition = self
            .filter
            .as_ref()
            .map(|filter| columns.condition(filter))
            .transpose()?;
        let left = self
            .filter
            .as_ref()
            .map(|filter| entities(stream, &schema, filter, &control));
        let left = left.transpose()?.flatten();
        let columns = columns.columns;
        let fields = Fields::new(stream, &schema, &self.columns, self.secret, &control)?;
        control.set_rows(stream.rows());
        let sources = Source::all(&snapshot);
        let wanted = Wanted {
            range: self.range,
            entities: left.as_ref().map(|left| &left.codes[..]),
            condition: condition.as_ref(),
        };
        let mut look = Look::new(&sources, &columns, wanted, &control);
        let after = self
            .after
            .map(|after| place_of(&mut look, after, self.is_ascending))
            .transpose()?;
        let places = look.first(after, self.page_size + 1, self.is_ascending)?;
        let places: Vec<Place> = places
            .into_iter()
            .map(|place| place.directed(self.is_ascending))
            .collect();
        let mut response = v1::ListEventsResponse {
            columns: fields.names.clone(),
            commit: snapshot.commit,
            ..Default::default()
        };
        let most = self.page_size.min(places.len());
        fill(&mut response, &fields, &sources, &places[..most], context)?;
        if let Some(last) = response.events.len().checked_sub(1)
            && last + 1 < places.len()
        {
            let position = position_of(&mut look, places[last], snapshot.commit)?;
            response.next_page_token = self.tokens.make(position.to_bytes());
        }
        response.rows_scanned = control.scanned();
        let blocks = look.blocks;
        Ok(Page { response, blocks })
    }
}

/// What rows are read from, and what stops it; as of a commit, where that can still be served.
fn begin(stream: &Arc<Stream>, context: &Context, commit: Option<u64>) -> Result<(Snapshot, Control)> {
    let pinned = commit.and_then(|commit| stream.as_of(commit).ok());
    let snapshot = pinned.unwrap_or_else(|| stream.snapshot());
    if stream.is_deleted() {
        return Err(stream_deleted(&stream.name));
    }
    let control = Control::new(
        Arc::clone(&context.clock),
        context.deadline_ns,
        Arc::clone(&context.cancelled),
        context.limits.max_rows,
    );
    control.check()?;
    Ok((snapshot, control))
}

/// Puts rows into the answer until its message is full.
fn fill(
    response: &mut v1::ListEventsResponse,
    fields: &Fields,
    sources: &[Source],
    places: &[Place],
    context: &Context,
) -> Result<()> {
    /// The token and numbers that are not there yet, and how one row is framed.
    const ROOM: usize = 256;
    let most = context.limits.unary_bytes;
    let mut bytes = response.encoded_len() + ROOM;
    for places in places.chunks(STRETCH) {
        for event in fields.read(sources, places)? {
            bytes += event.encoded_len() + 8;
            if bytes > most {
                return if response.events.is_empty() {
                    Err(too_large(most))
                } else {
                    Ok(())
                };
            }
            response.events.push(event);
        }
    }
    Ok(())
}

/// The place of a row that a page ended with, in the direction of the order. If it is gone, all of its instant and entity are behind.
fn place_of(look: &mut Look<'_>, after: Position, is_ascending: bool) -> Result<Place> {
    let (mut left, mut found) = (after.ordinal, None);
    look.each_tied((after.time, after.entity), |place| {
        left = left.saturating_sub(1);
        found = (left == 0).then_some(place);
        left > 0
    })?;
    let behind_all = || {
        let end = if is_ascending { u32::MAX } else { 0 };
        Place {
            time: after.time,
            entity: after.entity,
            source: end,
            row: end,
        }
    };
    Ok(found.unwrap_or_else(behind_all).directed(is_ascending))
}

/// What a page that ends with a row says of it.
fn position_of(look: &mut Look<'_>, last: Place, commit: u64) -> Result<Position> {
    let mut ordinal = 0;
    look.each_tied((last.time, last.entity), |place| {
        ordinal += 1;
        place < last
    })?;
    Ok(Position {
        commit,
        time: last.time,
        entity: last.entity,
        ordinal,
    })
}

fn too_large(most: usize) -> Error {
    let message = format!("an answer in one message has at most {most} bytes, one row has more; ask for fewer columns");
    Error::new(Kind::LimitExceeded, "RESULT_TOO_LARGE", message).at("columns")
}

fn check_columns(columns: &[String]) -> Result<()> {
    if columns.len() > MAX_COLUMNS {
        let message = format!("at most {MAX_COLUMNS} columns are taken, got {}", columns.len());
        return Err(Error::invalid("TOO_MANY", "columns", message));
    }
    for (at, column) in columns.iter().enumerate() {
        if columns[..at].contains(column) {
            let message = format!("each column is asked for once, {column:?} stands twice");
            return Err(Error::invalid("DUPLICATE_COLUMN", format!("columns[{at}]"), message));
        }
    }
    Ok(())
}
