//! What a sink tells its owner, for metrics and logs.

use sync_core::Key;

use crate::delivery::Notice;

/// Hears what a sink does. Called inline, also from delivery tasks: return at once.
pub trait DeliveryHooks: Send + Sync {
    /// Something happened.
    fn on_event(&self, event: &DeliveryEvent<'_>);
}

/// Hears nothing.
impl DeliveryHooks for () {
    fn on_event(&self, _event: &DeliveryEvent<'_>) {}
}

/// What happened in a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryEvent<'a> {
    /// One call was answered and its records were taken.
    Posted {
        /// Records in it.
        records: usize,
        /// Of these, opt-outs.
        opt_outs: usize,
    },
    /// A record was taken about which the operator should know something.
    Noticed {
        /// Its key.
        key: &'a Key,
        /// What.
        notice: Notice,
    },
    /// A record gave way to a newer version before it was sent.
    Replaced,
    /// Some records of a batch were refused; its halves are sent to find out which.
    Halved {
        /// Records in the batch.
        records: usize,
    },
    /// Ometria refused a record after the push, too late: it was counted as delivered in an earlier flush. Nothing else tells
    /// of it: the record is not among the rejected ones and is sent again only when it changes.
    RefusedTooLate {
        /// Its key.
        key: &'a Key,
    },
    /// New errors in Ometria's list that name no record and may be about ours.
    ErrorsWithoutRecord {
        /// How many.
        errors: usize,
    },
    /// More new errors than Ometria's list holds: it shows the latest hundred of an account, so records of this flush may have
    /// been refused without being named. Those that were named are rejected as always.
    ErrorListOverflowed,
}
