//! Reading files: shapes, fields, refusals.

mod common;
mod fields;
mod refusals;
mod shapes;
