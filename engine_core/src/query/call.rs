//! Requests of the query slots: read, with the stream that they are of, and answered.

use std::sync::Arc;

use prost::Message;

use super::explain::Explaining;
use super::explore::{self, Exploration};
use super::listing::{Get, Listing, number_of};
use super::run::{Context, run};
use super::slots::{LOOK_UP_ROWS, QueryMethod, Streams};
use super::spec::{Spec, check_format};
use crate::error::{Error, Result};
use crate::scan::Scan;
use crate::store::{NamespaceId, Stream};
use crate::wire::cursor::malformed;
use crate::wire::v1;

/// A request that is ready to be answered.
pub(super) enum Call {
    Query(Arc<Stream>, Box<Spec>),
    StreamQuery(Arc<Stream>, Box<Spec>),
    ExplainQuery(Arc<Stream>, Box<Explaining>),
    ListEvents(Arc<Stream>, Box<Listing>),
    GetEvent(Arc<Stream>, Get),
    ExploreDimension(Arc<Stream>, Box<Exploration>),
}

impl Call {
    /// Reads an encoded request.
    pub(super) fn read(
        streams: &dyn Streams,
        namespace: NamespaceId,
        method: QueryMethod,
        bytes: &[u8],
    ) -> Result<Self> {
        Ok(match method {
            QueryMethod::Query => {
                let v1::QueryRequest { spec, format } = decoded(bytes)?;
                let (stream, spec) = planned(streams, namespace, spec, format)?;
                Self::Query(stream, spec)
            }
            QueryMethod::StreamQuery => {
                let v1::StreamQueryRequest { spec, format } = decoded(bytes)?;
                let (stream, spec) = planned(streams, namespace, spec, format)?;
                Self::StreamQuery(stream, spec)
            }
            QueryMethod::ExplainQuery => {
                let v1::ExplainQueryRequest { spec, plan_only } = decoded(bytes)?;
                let window = spec.as_ref().and_then(|spec| spec.window.clone());
                let (stream, spec) = planned(streams, namespace, spec, v1::AnswerFormat::Arrow as i32)?;
                let spec = *spec;
                Self::ExplainQuery(
                    stream,
                    Box::new(Explaining {
                        spec,
                        window,
                        plan_only,
                    }),
                )
            }
            QueryMethod::ListEvents => {
                let listing = Listing::new(decoded(bytes)?, streams.secret(namespace)).map_err(unwrapped)?;
                Self::ListEvents(streams.stream(namespace, &listing.stream)?, Box::new(listing))
            }
            QueryMethod::GetEvent => {
                let get = Get::new(decoded(bytes)?, streams.secret(namespace))?;
                let stream = streams.numbered(namespace, number_of(&get));
                Self::GetEvent(stream.ok_or_else(Get::missing)?, get)
            }
            QueryMethod::ExploreDimension => {
                let exploration = Exploration::new(decoded(bytes)?, streams.secret(namespace));
                let exploration = exploration.map_err(unwrapped)?;
                let stream = streams.stream(namespace, &exploration.stream)?;
                Self::ExploreDimension(stream, Box::new(exploration))
            }
        })
    }

    /// Whether it is likely to read little.
    pub(super) fn is_look_up(&self) -> bool {
        let few = |stream: &Stream, range| Scan::estimate(&stream.snapshot(), range) <= LOOK_UP_ROWS;
        match self {
            Self::Query(stream, spec) | Self::StreamQuery(stream, spec) => few(stream, spec.range),
            Self::ExplainQuery(stream, explaining) => few(stream, explaining.spec.range),
            Self::ListEvents(stream, listing) => listing.is_short() || few(stream, listing.range),
            Self::GetEvent(..) => true,
            Self::ExploreDimension(stream, exploration) => few(stream, exploration.range),
        }
    }

    /// The encoded messages of the answer.
    pub(super) fn answer(&self, context: &Context) -> Result<Vec<Vec<u8>>> {
        match self {
            Self::Query(stream, spec) => Ok(vec![run(stream, spec, context)?.into_response(&context.limits)?]),
            Self::StreamQuery(stream, spec) => run(stream, spec, context)?.into_frames(&context.limits),
            Self::ExplainQuery(stream, explaining) => Ok(vec![explaining.explain(stream, context)?.encode_to_vec()]),
            Self::ListEvents(stream, listing) => {
                let page = listing.page(stream, context).map_err(unwrapped)?;
                Ok(vec![page.response.encode_to_vec()])
            }
            Self::ExploreDimension(stream, exploration) => {
                let page = exploration.page(stream, context);
                let page = page.map_err(|error| unwrapped(explore::explain(error)))?;
                Ok(vec![page.encode_to_vec()])
            }
            Self::GetEvent(stream, get) => Ok(vec![get.find(stream, context).map_err(unwrapped)?.encode_to_vec()]),
        }
    }
}

fn decoded<M: Message + Default>(bytes: &[u8]) -> Result<M> {
    M::decode(bytes).map_err(|error| {
        let rule = "the request does not decode as its method's, or nests more than 100 deep";
        malformed("", rule).with_detail(error.to_string())
    })
}

fn planned(
    streams: &dyn Streams,
    namespace: NamespaceId,
    spec: Option<v1::QuerySpec>,
    format: i32,
) -> Result<(Arc<Stream>, Box<Spec>)> {
    check_format(format)?;
    let spec = spec.ok_or_else(|| Error::invalid("SPEC_MISSING", "spec", "a request has a spec, got none"))?;
    let spec = Spec::new(spec)?;
    Ok((streams.stream(namespace, &spec.stream)?, Box::new(spec)))
}

/// An error of a request that has the parts of a query without a spec around them.
fn unwrapped(error: Error) -> Error {
    match error.field().strip_prefix("spec.").map(str::to_owned) {
        Some(field) => error.at(field),
        None => error,
    }
}
