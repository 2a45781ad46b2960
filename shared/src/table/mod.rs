//! The DynamoDB table.

pub(crate) mod client;
pub mod design;
mod error;
mod expression;
mod failure;
pub mod meter;

pub use client::{Item, Order, Read, Rows, Table};
pub use error::{Refused, TableError};
pub use expression::{Condition, Op};
