//! Windows over event time, and the watermark that says when they are done.

pub mod calendar;
pub mod cut;
pub mod parts;
pub mod tumbling;
pub mod watermark;
