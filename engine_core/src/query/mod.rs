//! Queries: a checked specification, a plan over one snapshot, lanes run and merged, columns out with their provenance.

pub mod answer;
mod call;
mod compare;
mod ends;
mod entities;
pub mod explore;
mod fill;
mod having;
mod keys;
mod known;
mod lane;
mod layout;
pub mod listing;
mod measures;
mod merge;
mod nested;
mod nodes;
mod order;
mod output;
mod page;
pub mod plan;
mod regroup;
pub mod resolve;
pub mod rollups;
pub mod run;
mod slide;
pub mod slots;
pub mod spec;
pub mod state;
mod tickets;
mod top;

pub use answer::Answer;
pub use run::{Context, QueryLimits, run};
pub use slots::{Queries, QueryHandle, QueryMethod, Streams};
pub use spec::Spec;
pub use tickets::Tickets;
