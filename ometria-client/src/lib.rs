//! Typed client for Ometria's two ways in: the push API (v2) and the record endpoint.
//!
//! [`Client`] speaks API v2: it pushes contacts and other records in batches, and reads back push errors, profiles,
//! listings, unsubscribes and data deletion requests. [`RecordClient`] speaks the older and much smaller record endpoint.
//! Both share one way of retrying, one kind of [`Error`] and one [`Transport`] seam. Neither logs, reads the environment
//! or starts tasks; what happens on the wire is told to [`Hooks`].
//!
//! ```no_run
//! use ometria_client::{ApiKey, Client, Consent, Contact, Record};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder(ApiKey::new("your key")?).build()?;
//! let contact = Contact::new("newsletter", "4f1c02")
//!     .email("someone@example.com")
//!     .consent(Consent::OptOut);
//! let receipt = client.push_records(vec![Record::from(contact)]).await?;
//! println!("request {:?}: {:?} accepted", receipt.request_id, receipt.accepted);
//! # Ok(())
//! # }
//! ```
//!
//! # Consent
//!
//! Ometria lets any caller override what a person chose: `EXPLICITLY_OPTEDIN` together with `@force_optin` beats even the
//! preference centre. That pair is not a value of [`Consent`]; it takes an [`OperatorForcedOptIn`], which has no use
//! outside a deliberate act of an operator.
//!
//! # Secrets and addresses
//!
//! No `Display` or `Debug` of this crate shows a key, an e-mail address, a phone number or a body. Text that the server
//! wrote is reachable through methods, for callers who know where they put it.

mod client;
mod config;
mod consent;
mod contact;
mod contacts;
mod data_deletion;
mod document;
mod error;
mod hooks;
mod http;
mod limiter;
mod paging;
mod profiles;
mod push;
mod record;
mod retry;
mod transport;
mod unsubscribes;

pub use client::{Client, ClientBuilder};
pub use config::ApiKey;
pub use consent::{Consent, OperatorForcedOptIn, Optin};
pub use contact::{Contact, Gender, SmsCollection, SmsConsent};
pub use contacts::{ContactCollection, Listing};
pub use data_deletion::{DataDeletionRequest, NewDataDeletion};
pub use error::{ApiError, Error, Result};
pub use hooks::{Hooks, Outcome, RequestEvent};
pub use paging::{Page, PageRequest};
pub use profiles::{ListProfiles, MarketingOptin, Profile};
pub use push::{
    CustomEvent, Order, Prepared, Product, PushBatch, PushError, PushLimits, PushReceipt,
    PushStatus, RawRecord, Record, RecordType, RefusalReason, RefusedRecord, ResponseMeta, prepare,
};
pub use record::{
    AuthorizationSpelling, RecordClient, RecordClientBuilder, RecordFields, RecordReceipt,
    RecordRow,
};
pub use retry::RetryPolicy;
pub use transport::{ReqwestTransport, Transport, TransportError, TransportErrorKind};
pub use unsubscribes::{ListUnsubscribes, Unsubscribe, UnsubscribeType};
