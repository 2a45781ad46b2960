//! How often each fault happens.

use super::Fault;

/// A set of faults that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Reads that are not strong lag 200 ms behind
    Stale,
    /// Writes meet other writers, and some answers are lost
    Conflicts,
    /// Calls are refused for want of capacity, batches done in part
    Throttle,
    /// The stream and the queues deliver again, late and out of order, and workers die
    Redelivery,
    /// All of these at once, each less often
    Mixed,
}

/// The chance of each fault, where it can happen. Those of one call together stay where the SDK's three tries and the
/// table client's nine get nearly every call through: a fault is for the code to live with, not for the client to see.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Per read that is not strong.
    pub stale: f64,
    /// Per write.
    pub conflict: f64,
    /// Per call.
    pub throttle: f64,
    /// Per batch of two items or more.
    pub partial: f64,
    /// Per write.
    pub lost: f64,
    /// Per call.
    pub slow: f64,
    /// Per invocation of a worker.
    pub kill: f64,
    /// Per message, and per batch of the stream, that was handled.
    pub again: f64,
    /// Per copy of a message, of which there are two at most.
    pub copy: f64,
    /// What the stream is divided into.
    pub shards: usize,
}

pub const NONE: Rates = Rates {
    stale: 0.0,
    conflict: 0.0,
    throttle: 0.0,
    partial: 0.0,
    lost: 0.0,
    slow: 0.0,
    kill: 0.0,
    again: 0.0,
    copy: 0.0,
    shards: 1,
};
const STALE: Rates = Rates { stale: 1.0, slow: 0.02, ..NONE };
const CONFLICTS: Rates = Rates { conflict: 0.2, lost: 0.03, slow: 0.02, ..NONE };
const THROTTLE: Rates = Rates { throttle: 0.15, partial: 0.3, slow: 0.05, ..NONE };
const REDELIVERY: Rates = Rates { kill: 0.25, again: 0.2, copy: 0.4, shards: 4, ..NONE };
const MIXED: Rates = Rates {
    stale: 0.5,
    conflict: 0.07,
    throttle: 0.05,
    partial: 0.15,
    lost: 0.02,
    slow: 0.02,
    kill: 0.1,
    again: 0.1,
    copy: 0.2,
    shards: 4,
};

impl std::fmt::Display for Profile {
    /// As on the command line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stale => "stale",
            Self::Conflicts => "conflicts",
            Self::Throttle => "throttle",
            Self::Redelivery => "redelivery",
            Self::Mixed => "mixed",
        })
    }
}

impl Profile {
    pub fn rates(self) -> Rates {
        match self {
            Self::Stale => STALE,
            Self::Conflicts => CONFLICTS,
            Self::Throttle => THROTTLE,
            Self::Redelivery => REDELIVERY,
            Self::Mixed => MIXED,
        }
    }
}

impl Rates {
    pub fn of(&self, fault: Fault) -> f64 {
        match fault {
            Fault::Stale => self.stale,
            Fault::Conflict => self.conflict,
            Fault::Throttle => self.throttle,
            Fault::Partial => self.partial,
            Fault::Lost => self.lost,
            Fault::Slow => self.slow,
            Fault::Kill => self.kill,
            Fault::Again => self.again,
            Fault::Copy => self.copy,
        }
    }
}
