//! What an audit tells.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Findings told one by one.
const MOST_FINDINGS: usize = 1_000;

/// What an audit found.
#[derive(Clone, Debug)]
pub struct Report {
    /// In plain words, at most 1,000.
    pub findings: Vec<String>,
    /// How many more there are, at least.
    pub more: u64,
    /// Items by entity.
    pub items: BTreeMap<&'static str, u64>,
    /// Items whose time is over, which nobody looks at any more.
    pub expired: u64,
    /// Edges not counted or not removed yet, and authors between two ways of delivery.
    pub unsettled: u64,
    /// What reading took.
    pub read_units: f64,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// Whether nothing was found.
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        if self.more > 0 {
            writeln!(f, "… and at least {} more", self.more)?;
        }
        if !self.is_clean() {
            writeln!(f)?;
        }
        for (entity, n) in &self.items {
            writeln!(f, "{n:>12} {entity}")?;
        }
        let items: u64 = self.items.values().sum();
        writeln!(f, "{items:>12} items, {} expired, {} not settled", self.expired, self.unsettled)?;
        writeln!(f, "{:>12.0} read units, {:.1} s", self.read_units, self.took.as_secs_f64())?;
        write!(f, "{:>12} findings", self.findings.len() as u64 + self.more)
    }
}

/// Findings, kept up to the number that a report tells.
#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Vec<String>,
    more: u64,
}

impl Findings {
    pub(super) fn push(&mut self, finding: String) {
        if self.kept.len() < MOST_FINDINGS {
            self.kept.push(finding);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = String>) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }

    pub(super) fn absorb(&mut self, other: Self) {
        self.extend(other.kept);
        self.more += other.more;
    }

    /// Notes findings that nobody looked at.
    pub(super) fn leave_out(&mut self, n: usize) {
        self.more += n as u64;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn into_parts(self) -> (Vec<String>, u64) {
        (self.kept, self.more)
    }
}
