//! Stateful simulator of the Mailchimp Marketing API 3.0, for tests, demos and measurements.
//!
//! [`MailchimpSimulator`] holds audiences and answers requests with Mailchimp's documented JSON. It is built from the
//! vendor's documentation and from recorded live answers, and shares no type with any client: a field name that is wrong
//! in a client cannot be wrong here in the same way.
//!
//! It does no I/O, never sleeps and reads no clock. Whoever serves it (see [`loopback`]) decides how time passes; the wall
//! clock comes in through [`Settings::now`]. The same settings, calls and times give the same answers.
//!
//! The API lives under `/3.0`, as at Mailchimp: a client's base URL is the server's address followed by `/3.0`.
//!
//! ```
//! use std::sync::Arc;
//! use bytes::Bytes;
//! use chrono::{DateTime, Utc};
//! use loopback::{Outcome, Simulator};
//! use mailchimp_simulator::{AudienceSpec, MailchimpSimulator, Settings};
//!
//! let noon: DateTime<Utc> = "2026-03-01T12:00:00Z".parse()?;
//! let simulator = MailchimpSimulator::new(Settings::new("0123-us6", Arc::new(move || noon)));
//! let audience = simulator.add_audience(AudienceSpec::new("a1b2c3", 25));
//! let reader = audience.subscribe("reader@mail.test")?;
//!
//! let request = http::Request::get("/3.0/lists/a1b2c3/members?status=subscribed&count=1000")
//!     .header("authorization", "Bearer 0123-us6")
//!     .body(Bytes::new())?;
//! let Outcome::Response(response) = simulator.handle(request).outcome else { panic!("no answer") };
//! let page: serde_json::Value = serde_json::from_slice(response.body())?;
//! assert!(page["members"].as_array().is_some_and(|rows| rows.iter().any(|row| row["id"] == *reader)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A whole account
//!
//! [`AccountSpec::full`] fills an account with a handful of everything the API can read, [`MailchimpSimulator::fill`] makes
//! it, in any size: what a campaign's recipients did, orders, files and the rest are drawn from the seed when they are
//! asked for and never kept. What the rows of a report show is what the report adds up to.
//!
//! Beside the API, at the same address, are the places that its answers link to: results of batches, stored files (with
//! ranges), account exports, and the login host's `/oauth2/metadata`.
//!
//! # What it does not know
//!
//! Changes through the API, except those of members, webhooks, batches and account exports. Webhooks are kept and never
//! delivered.
//!
//! # Where the live behaviour is not known
//!
//! Nobody documents these, and no recording shows them; the simulator has to do something:
//!
//! - A member list without `sort_field` comes in the order of `web_id`. Clients must not count on it.
//! - A `status` that does not exist finds nobody; other enumerations that do not exist get 400.
//! - `fields` and `exclude_fields` together get 400.
//! - `tag-search` gives ten tags unless asked for more, like every collection.
//! - PATCH of an archived member gets 400.
//! - Subscribing an unsubscribed or cleaned address gets 400 whoever ended the subscription.
//! - Campaigns, reports and their parts come in order of creation, recipients in the order of the audience.
//! - A campaign `status` or `type` that does not exist finds nothing, a `sort_field` that does not exist gets 400.
//! - `open-details` with `since` leaves out those who opened no later; `email-activity` is known to leave out nobody.
//! - Interests, notes and the VIP mark move `last_changed`.

mod account;
mod account_spec;
mod activity;
mod archive;
mod audience;
mod automations;
mod batches;
mod beta;
mod campaign_changes;
mod campaigns;
mod changes;
mod connections;
mod conversations;
mod credential;
mod definitions;
mod endpoint;
mod exports;
mod faults;
mod fields;
mod files;
mod folders;
mod generate;
mod incoming;
mod integrations;
mod landing_pages;
mod links;
mod list_history;
mod listing;
mod lists;
mod member;
mod member_history;
mod member_list;
mod member_row;
mod member_writes;
mod oauth;
mod object;
mod ordered;
mod outside;
mod problem;
mod query;
mod render;
mod reports;
mod response;
mod roster;
mod route;
mod segments;
mod settings;
mod simulator;
mod spec;
mod stats;
mod stores;
mod surveys;
mod templates;
mod thing_changes;
mod timestamp;
mod webhooks;

pub use account_spec::{AccountSpec, CampaignsSpec, ContentSpec, History, StoreSpec};
pub use campaign_changes::CampaignHandle;
pub use changes::{AudienceHandle, MemberSummary, Refused};
pub use faults::{Fault, Faults, LargePages, Rule};
pub use incoming::RequestInfo;
pub use settings::{Clock, DateHeader, Settings};
pub use simulator::{MailchimpSimulator, When};
pub use spec::{
    AudienceSpec, GroupSpec, MergeFieldKind, MergeFieldSpec, SavedSegmentSpec, Spread, Status,
    StatusMix, TagSpec,
};
pub use stats::Stats;
pub use thing_changes::Thing;
