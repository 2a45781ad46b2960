//! What can go wrong with the table.

use super::Item;

/// The operations whose conditions did not hold.
#[derive(Debug, Default)]
pub struct Refused {
    /// Place in the list of operations, and the item that lay there.
    pub ops: Vec<(usize, Option<Item>)>,
}

impl Refused {
    pub fn has(&self, index: usize) -> bool {
        self.ops.iter().any(|(op, _)| *op == index)
    }

    /// The item that made operation `index` fail; None when there was none, or it did not fail.
    pub fn item(&self, index: usize) -> Option<&Item> {
        self.ops.iter().find(|(op, _)| *op == index).and_then(|(_, item)| item.as_ref())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A condition did not hold: nothing was written. What that means is the caller's to say.
    #[error("a condition did not hold")]
    Refused(Refused),
    /// Throttled, timed out or out of reach, after retries.
    #[error("the table does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request was wrong, or an item is not what its key says.
    #[error("the table's data or our request is wrong")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TableError {
    /// The refusal, where one is expected; else the error as it is for the client.
    ///
    /// # Errors
    /// Any other error.
    pub fn refused(self) -> Result<Refused, crate::Error> {
        match self {
            Self::Refused(refused) => Ok(refused),
            other => Err(other.into()),
        }
    }
}

impl From<TableError> for crate::Error {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Unavailable(_) => Self::unavailable(error),
            TableError::Refused(_) | TableError::Broken(_) => Self::internal(error),
        }
    }
}
