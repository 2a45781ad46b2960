//! Work on a table, embedded or on AWS, beside the service that uses it; and what fills a service with demo data.

/// What an operator does to single accounts.
pub mod accounts;
/// What in a table does not fit together.
pub mod audit;
/// Demo data.
pub mod demo;
/// What posts and people are found by, indexed anew.
pub mod reindex;
/// An app that knows one table.
pub mod table;
