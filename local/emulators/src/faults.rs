//! What DynamoDB, SQS and Lambda do to those who use them, put in front of the same functions: stale reads, conflicts,
//! throttling, lost answers, messages and records that come again, workers that die.

mod delivery;
mod forms;
mod kill;
mod proxy;
pub mod rates;
pub mod replica;

pub use delivery::{Delivery, MessageFaults};
use fastrand::Rng;
pub(crate) use kill::Armed;
pub use kill::Death;
use kill::Killer;
pub use rates::Profile;
use rates::Rates;
use replica::Replica;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Which faults to run with.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// What goes wrong, and how often.
    pub profile: Profile,
    /// What the dice start from. One seed gives each part the same throws, as far as the same calls come in the same
    /// order.
    pub seed: u64,
}

impl Faults {
    /// With a seed of chance.
    pub fn new(profile: Profile) -> Self {
        Self { profile, seed: fastrand::u64(..) }
    }
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A read that is not strong saw the table as it was 200 ms before, or earlier.
    Stale,
    /// A write was refused, not done, because another one was said to be at the item.
    Conflict,
    /// A call was refused, not done, for want of capacity.
    Throttle,
    /// A part of a batch was done.
    Partial,
    /// A write was done, and its answer lost.
    Lost,
    /// A call waited.
    Slow,
    /// A worker was ended at one of its calls.
    Kill,
    /// A message that was handled, or a batch of the stream, was delivered once more.
    Again,
    /// A message was delivered by a copy too.
    Copy,
}

/// The faults of one host: its dice, and what they did. Clones are the same.
#[derive(Clone)]
pub struct FaultLayer(Arc<Inner>);

struct Inner {
    faults: Faults,
    rates: Rates,
    counts: Mutex<BTreeMap<Fault, u64>>,
    /// By function.
    killers: Mutex<BTreeMap<String, Arc<Killer>>>,
}

impl FaultLayer {
    pub fn new(faults: Faults) -> Self {
        Self::with_rates(faults, faults.profile.rates())
    }

    /// With other chances than the profile's.
    pub fn with_rates(faults: Faults, rates: Rates) -> Self {
        Self(Arc::new(Inner { faults, rates, counts: Mutex::default(), killers: Mutex::default() }))
    }

    /// What it was asked for.
    pub fn faults(&self) -> Faults {
        self.0.faults
    }

    /// How often each kind was injected so far; kinds that were not are missing.
    pub fn counts(&self) -> BTreeMap<Fault, u64> {
        lock(&self.0.counts).clone()
    }

    pub fn needs_replica(&self) -> bool {
        self.0.rates.of(Fault::Stale) > 0.0
    }

    /// A function's own way to DynamoDB: the endpoint of a proxy that injects the faults of the wire.
    pub fn proxy(&self, function: &str, dynamodb: &str, replica: Option<&Replica>) -> io::Result<String> {
        proxy::start(self.dice(function), self.killer(function), dynamodb, replica.map(Replica::endpoint))
    }

    /// The stream's shards: each is in order, but not with the others.
    pub fn shards(&self) -> usize {
        self.0.rates.shards
    }

    /// The faults of what invokes a function; `part` tells triggers and shards apart.
    pub fn delivery(&self, function: &str, part: &str) -> Delivery {
        Delivery { dice: self.dice(part), killer: self.killer(function) }
    }

    /// Has an invocation of a function die at a call of its own.
    pub fn arm(&self, function: &str, invocation: AbortHandle, death: Death) -> Armed {
        self.killer(function).arm_at(invocation, death)
    }

    pub fn messages(&self) -> MessageFaults {
        MessageFaults { dice: self.dice("queues") }
    }

    fn killer(&self, function: &str) -> Arc<Killer> {
        let make = || Arc::new(Killer::new(self.dice(&format!("{function} killer"))));
        lock(&self.0.killers).entry(function.to_owned()).or_insert_with(make).clone()
    }

    /// Dice of a part's own, so that what other parts do does not change its throws.
    fn dice(&self, part: &str) -> Dice {
        let mut hasher = DefaultHasher::new();
        (self.0.faults.seed, part).hash(&mut hasher);
        Dice { layer: self.clone(), rng: Mutex::new(Rng::with_seed(hasher.finish())) }
    }
}

/// What decides whether something goes wrong.
struct Dice {
    layer: FaultLayer,
    rng: Mutex<Rng>,
}

impl Dice {
    /// Whether this fault is to happen now; then it counts as injected.
    fn hit(&self, fault: Fault) -> bool {
        let hit = self.chance(fault);
        if hit {
            self.count(fault);
        }
        hit
    }

    fn chance(&self, fault: Fault) -> bool {
        self.throw(Rng::f64) < self.layer.0.rates.of(fault)
    }

    fn count(&self, fault: Fault) {
        *lock(&self.layer.0.counts).entry(fault).or_default() += 1;
    }

    /// Whether this fault is none of the profile's.
    fn never(&self, fault: Fault) -> bool {
        self.layer.0.rates.of(fault) == 0.0
    }

    /// Time between the two.
    fn wait(&self, from: Duration, to: Duration) -> Duration {
        from + to.saturating_sub(from).mul_f64(self.throw(Rng::f64))
    }

    /// No lock leaves it: two in one statement would wait for each other.
    fn throw<T>(&self, throw: impl FnOnce(&mut Rng) -> T) -> T {
        throw(&mut lock(&self.rng))
    }
}

/// A panic while it was held broke nothing: each holder makes one change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
