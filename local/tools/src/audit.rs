//! The audit: walks a whole table, embedded or on AWS, and tells what in it does not fit together.
//!
//! Every fact stands in the table twice, as a counter and the rows it counts or as two items that name each other. The
//! walk adds what the one side says and takes off what the other side shows, in a fixed number of sums; so its memory is
//! the same for any table. Where all sums are zero, and nothing else was found, one walk is all. Else a second one looks
//! at the facts behind the sums that differ, and names them. On a table in use that also drops what merely was under
//! way. Nothing is written.

mod book;
mod fact;
mod groups;
mod index;
mod person;
mod questions;
mod report;
mod source;
mod walk;

pub use report::Report;
pub use source::Source;
pub(crate) use source::{text, variable};

use book::{Details, Sums};
use emulators::Durability;
use emulators::data::{Data, DataError, Folder};
use emulators::dynamodb::DynamoDb;
use report::Findings;
use shared::clock::{Clock, Timestamp};
use std::path::PathBuf;
use std::time::Instant;
use walk::Walk;

/// What to audit.
#[derive(Clone, Debug)]
pub enum Target {
    /// The table in a data folder that no run uses.
    Folder(PathBuf),
    /// A table on AWS, or at another address.
    Table {
        /// Its name.
        name: String,
        /// In place of AWS's own address.
        endpoint: Option<String>,
    },
}

/// Why a table can't be audited, in one line.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The data folder can't be used.
    #[error(transparent)]
    Folder(#[from] DataError),
    /// There is no database, or no table in it.
    #[error("{} is no data folder: it holds no table", .0.display())]
    Empty(PathBuf),
    /// The embedded database can't be opened.
    #[error("the embedded DynamoDB: {0}")]
    Database(#[from] std::io::Error),
    /// What a table outside needs is not in the environment.
    #[error("the environment lacks {}", .0.join(", "))]
    Environment(Vec<&'static str>),
    /// The table does not answer as it should.
    #[error("the table can't be read: {0}")]
    Read(String),
}

/// Audits a table. What is `settled` has no work under way, so that an edge which is not counted is a finding too.
///
/// # Errors
/// The table can't be found or read.
pub async fn audit(target: &Target, settled: bool) -> Result<Report, AuditError> {
    let now = Clock::default().now();
    match target {
        Target::Folder(path) => audit_folder(path.clone(), now, settled).await,
        Target::Table { name, endpoint } => run(&Source::outside(name, endpoint.as_deref())?, now, settled).await,
    }
}

async fn audit_folder(path: PathBuf, now: Timestamp, settled: bool) -> Result<Report, AuditError> {
    // Opening would make what is not there.
    if !path.join(DynamoDb::FILE).is_file() {
        return Err(AuditError::Empty(path));
    }
    let folder = Folder::open(&Data::Dir(path.clone()))?;
    let database = DynamoDb::start(folder.path(), Durability::Full).await?;
    let report = match Source::only_table(database.endpoint()).await? {
        Some(source) => run(&source, now, settled).await,
        None => Err(AuditError::Empty(path)),
    };
    database.stop().await;
    report
}

/// Audits the table that `source` reads, as it is to be `now`.
pub async fn run(source: &Source, now: Timestamp, settled: bool) -> Result<Report, AuditError> {
    let started = Instant::now();
    let first = Walk::new(Sums::default(), now, settled).run(source).await?;
    let differing = first.book.differing();
    if differing.is_empty() && first.findings.is_empty() {
        return Ok(first.report(started));
    }
    let (details, left_out) = Details::of(&first.book, differing);
    let mut second = Walk::new(details, now, settled).run(source).await?;
    second.units += first.units;
    let mut findings = Findings::default();
    for (fact, sides) in &second.book.facts {
        findings.extend(fact.finding(sides));
    }
    findings.absorb(std::mem::take(&mut second.findings));
    findings.leave_out(left_out);
    second.findings = findings;
    Ok(second.report(started))
}
