//! What the tests of queries over sealed rows share.
#![allow(dead_code, reason = "each test file uses its share")]

pub(crate) mod expected;
pub(crate) mod questions;
pub(crate) mod rows;
