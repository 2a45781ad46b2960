//! Ledgers
