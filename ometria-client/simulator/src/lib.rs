//! Stateful simulator of Ometria's push API (v2) and of its record endpoint, for tests and demos.
//!
//! [`OmetriaSimulator`] takes requests and gives answers through [`loopback::Simulator`]; it has no server inside, reads
//! no clock and never sleeps. It speaks the documented JSON and shares no type with any client, so that a wrong field
//! name cannot be right on both sides. The push API lives under `/v2`, the record endpoint at `/record`.
//!
//! It does what decides over consent: it joins listings into profiles, applies either generation of Ometria's opt-in
//! rules, and keeps every change of every profile's consent, so that a test can ask whether someone was ever opted in who
//! should not have been.
//!
//! It does not know: transactional mail, merging of profiles on request, reading of orders, products and segments,
//! custom and phone identifiers, the sending of SMS confirmations. Their paths answer 404, their fields are stored.
//!
//! What Ometria does not document is a switch in [`Settings`]; what goes wrong is a [`FaultRule`] or a [`Rejection`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use bytes::Bytes;
//! use loopback::Simulator;
//! use ometria_simulator::{OmetriaSimulator, Settings};
//!
//! let now = Arc::new(|| "2024-05-01T12:00:00Z".parse().unwrap_or_default());
//! let simulator = OmetriaSimulator::new(Settings::new("key", now));
//! let body = r#"[{"@type": "contact", "@collection": "shop", "id": "1", "email": "Someone@example.com",
//!     "marketing_optin": "EXPLICITLY_OPTEDOUT"}]"#;
//! let request = http::Request::post("/v2/push")
//!     .header("x-ometria-auth", "key")
//!     .body(Bytes::from_static(body.as_bytes()))?;
//! simulator.handle(request);
//! assert_eq!(simulator.profile("someone@example.com").and_then(|p| p.marketing_optin), Some(false));
//! # Ok::<(), http::Error>(())
//! ```

mod account;
mod consent;
mod deletions;
mod faults;
mod incoming;
mod listings;
mod push;
mod reads;
mod records;
mod request;
mod response;
mod settings;
mod simulator;
mod stats;

pub use consent::{Claim, ConsentChange};
pub use faults::{Fault, FaultRule, Rejected, Rejection, When};
pub use settings::{
    ErrorBody, ErrorShape, KeyHeader, LookUp, Now, RecordSettings, ReplyVariant, Rules, Settings,
};
pub use simulator::{ListingView, OmetriaSimulator, ProfileView};
pub use stats::Stats;
