//! Records and messages that come again, late, out of order, or to workers that die.

use super::kill::{Armed, Killer};
use super::{Dice, Fault};
use crate::sqs::NewMessage;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// When what a worker that died had received comes again, in place of minutes.
const SOON: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(300));
/// The longest that a worker or a sender may hide a message: nobody is to wait for a back-off of minutes. Eleven of them
/// still outlive the claim of a mail whose worker died.
const LONGEST: Duration = Duration::from_secs(3);
/// How late a message may come, and its copies.
const LATE: Duration = Duration::from_millis(300);
const COPY_LATE: Duration = Duration::from_millis(600);
/// Copies besides the message itself.
const COPIES: usize = 2;
/// From the next receive on a message is spared: what is received too often is dead-lettered.
const RECEIVES: u32 = 2;

/// The faults of one trigger, or of one shard of it.
pub struct Delivery {
    pub(super) dice: Dice,
    pub(super) killer: Arc<Killer>,
}

impl Delivery {
    /// Throws whether an invocation is to be killed at one of its function's next calls.
    pub(crate) fn arm(&self, invocation: AbortHandle) -> Option<Armed> {
        self.killer.clone().arm(invocation)
    }

    /// Whether what was handled is delivered once more.
    pub fn again(&self) -> bool {
        self.dice.hit(Fault::Again)
    }

    /// Whether a message that was received so often may be handled in vain.
    pub fn may_fail(received: u32) -> bool {
        received <= RECEIVES
    }

    /// When what a dead worker had comes again.
    pub fn soon(&self) -> Duration {
        self.dice.wait(SOON.0, SOON.1)
    }

    /// How many records the next batch of the stream holds.
    pub fn batch_size(&self, most: usize) -> usize {
        if self.dice.never(Fault::Again) { most } else { self.dice.throw(|rng| rng.usize(1..=most.max(1))) }
    }
}

/// The faults of the queues.
pub struct MessageFaults {
    pub(super) dice: Dice,
}

impl MessageFaults {
    /// Messages with their delays as they are to be sent: first these, late, then copies of some.
    pub(crate) fn spread(&self, messages: &mut Vec<NewMessage>) {
        let mut copies = Vec::new();
        for message in messages.iter_mut() {
            message.delay = self.shorten(message.delay);
            for _ in 0..COPIES {
                if self.dice.hit(Fault::Copy) {
                    let delay = message.delay + self.dice.wait(Duration::ZERO, COPY_LATE);
                    copies.push(NewMessage { delay, ..message.clone() });
                }
            }
            if self.mixes() {
                message.delay += self.dice.wait(Duration::ZERO, LATE);
            }
        }
        messages.extend(copies);
    }

    /// A time that a message is to be hidden, but no longer than a test waits.
    pub(crate) fn shorten(&self, time: Duration) -> Duration {
        time.min(LONGEST)
    }

    /// Whether messages come in any order.
    pub(crate) fn mixes(&self) -> bool {
        !self.dice.never(Fault::Copy)
    }

    pub(crate) fn shuffle<T>(&self, messages: &mut [T]) {
        self.dice.throw(|rng| rng.shuffle(messages));
    }
}
