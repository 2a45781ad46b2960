//! A transaction whose operations say what their refusals mean.

use super::{Op, Table, TableError};
use crate::Error;

/// Operations that happen all or not at all. Beside an operation stands what it means when its condition does not hold, so
/// that nobody counts places.
pub struct Transaction<E> {
    ops: Vec<(Op, Option<E>)>,
}

impl<E> Default for Transaction<E> {
    fn default() -> Self {
        Self { ops: Vec::new() }
    }
}

impl<E> Transaction<E> {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an operation that is not refused: it has no condition, or one that always holds.
    #[must_use]
    pub fn op(mut self, op: Op) -> Self {
        self.ops.push((op, None));
        self
    }

    /// Adds an operation, and what its refusal means.
    #[must_use]
    pub fn op_or(mut self, op: Op, refusal: E) -> Self {
        self.ops.push((op, Some(refusal)));
        self
    }

    /// Adds operations, and what the refusal of one of them means.
    #[must_use]
    pub fn ops_or(self, ops: impl IntoIterator<Item = Op>, refusal: impl Fn() -> E) -> Self {
        ops.into_iter().fold(self, |transaction, op| transaction.op_or(op, refusal()))
    }

    /// What was refused, in the order of the operations; nothing when all was done.
    ///
    /// # Errors
    /// The table does not answer, or refused an operation that has no meaning for that.
    pub async fn refusals(self, table: &Table) -> Result<Vec<E>, TableError> {
        let (ops, refusals): (Vec<Op>, Vec<Option<E>>) = self.ops.into_iter().unzip();
        let Err(error) = table.transact(ops).await else { return Ok(Vec::new()) };
        let TableError::Refused(refused) = error else { return Err(error) };
        let places = refusals.into_iter().enumerate();
        let named: Vec<E> =
            places.filter(|(place, _)| refused.has(*place)).filter_map(|(_, refusal)| refusal).collect();
        if named.is_empty() { Err(TableError::Refused(refused)) } else { Ok(named) }
    }

    /// Does all of it, or fails with what the first refused operation means.
    ///
    /// # Errors
    /// The refusal; or as [`Self::refusals`].
    pub async fn commit(self, table: &Table) -> Result<(), E>
    where
        E: From<Error>,
    {
        let refusals = self.refusals(table).await.map_err(Error::from)?;
        refusals.into_iter().next().map_or(Ok(()), Err)
    }
}
