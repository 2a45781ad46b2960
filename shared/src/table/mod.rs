//! The DynamoDB table.

pub(crate) mod client;
pub mod design;
mod error;
mod expression;
mod failure;
mod item;
pub mod meter;
mod transaction;
pub(crate) mod writes;

pub use client::{Order, Read, Rows, Table};
pub use error::{Refused, TableError};
pub use expression::{Condition, Op};
pub use item::Item;
pub use transaction::Transaction;
