//! The push endpoint: records in, a receipt out, errors later.

mod batch;
mod errors;
mod receipt;
mod record;

pub use batch::{Prepared, PushBatch, PushLimits, RefusalReason, RefusedRecord, prepare};
pub use errors::PushError;
pub use receipt::{PushReceipt, PushStatus, ResponseMeta};
pub use record::{CustomEvent, Order, Product, RawRecord, Record, RecordType};
