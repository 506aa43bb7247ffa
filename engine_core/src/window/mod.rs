//! Windows over event time, and the watermark that says when they are done.

pub mod tumbling;
pub mod watermark;
