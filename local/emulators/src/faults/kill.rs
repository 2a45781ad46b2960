//! Workers that die between two calls.

use super::{Dice, Fault, lock};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Next calls of its function, at one of which a killed invocation dies.
const CALLS: u32 = 10;
/// What a killed task has to drop its connection: a call of its own is then gone before it is passed on.
const DEATH: Duration = Duration::from_millis(5);

/// The invocations of one function that are to die.
pub(super) struct Killer {
    dice: Dice,
    armed: Mutex<Vec<KillTarget>>,
}

struct KillTarget {
    invocation: AbortHandle,
    /// Calls of the function until then, its own or those of another invocation beside it.
    calls_left: u32,
    moment: Moment,
}

/// When, at its last call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The call is not done.
    Before,
    /// It is done, and nobody hears the answer.
    After,
}

/// What is to die, unless it ends before that: then this is dropped.
pub struct Armed {
    killer: Arc<Killer>,
    invocation: AbortHandle,
}

impl Drop for Armed {
    fn drop(&mut self) {
        lock(&self.killer.armed).retain(|target| target.invocation.id() != self.invocation.id());
    }
}

/// When an invocation is to die.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// The calls of DynamoDB that it makes before.
    pub after_calls: u32,
    /// Whether the next one is done yet, with nobody to hear the answer.
    pub done: bool,
}

impl Killer {
    /// Has it die at this call of the function.
    pub(super) fn arm_at(self: Arc<Self>, invocation: AbortHandle, death: Death) -> Armed {
        let moment = if death.done { Moment::After } else { Moment::Before };
        lock(&self.armed).push(KillTarget { invocation: invocation.clone(), calls_left: death.after_calls, moment });
        Armed { killer: self, invocation }
    }

    pub(super) fn new(dice: Dice) -> Self {
        Self { dice, armed: Mutex::default() }
    }

    pub(super) fn arm(self: Arc<Self>, invocation: AbortHandle) -> Option<Armed> {
        if !self.dice.chance(Fault::Kill) {
            return None;
        }
        let (is_before, calls_left) = self.dice.throw(|rng| (rng.bool(), rng.u32(..CALLS)));
        let moment = if is_before { Moment::Before } else { Moment::After };
        lock(&self.armed).push(KillTarget { invocation: invocation.clone(), calls_left, moment });
        Some(Armed { killer: self, invocation })
    }

    /// The function makes a call: who dies of it?
    pub(super) fn call(&self) -> Vec<(Moment, AbortHandle)> {
        let mut armed = lock(&self.armed);
        let due = armed.extract_if(.., |target| {
            let is_due = target.calls_left == 0;
            target.calls_left = target.calls_left.saturating_sub(1);
            is_due
        });
        due.map(|target| (target.moment, target.invocation)).collect()
    }

    /// Ends those whose moment it is.
    pub(super) async fn kill(&self, due: &[(Moment, AbortHandle)], now: Moment) {
        let mut killed = false;
        for (_, invocation) in due.iter().filter(|(moment, task)| *moment == now && !task.is_finished()) {
            invocation.abort();
            self.dice.count(Fault::Kill);
            killed = true;
        }
        if killed {
            tokio::time::sleep(DEATH).await;
        }
    }
}
