//! A typed client for the [Mailchimp Marketing API 3.0](https://mailchimp.com/developer/marketing/).
//!
//! ```no_run
//! use futures::TryStreamExt;
//! use mailchimp_client::{Client, ListMembers, MemberStatus};
//!
//! # async fn example(key: String) -> Result<(), mailchimp_client::Error> {
//! // The data centre is the end of the key: `…-us6`.
//! let client = Client::builder(key).build()?;
//!
//! let request = ListMembers {
//!     status: Some(MemberStatus::Unsubscribed),
//!     exclude_fields: vec!["members._links".into(), "_links".into()],
//!     ..ListMembers::default()
//! };
//! let mut members = std::pin::pin!(client.list("57afe96172").members().stream(&request)?);
//! while let Some(member) = members.try_next().await? {
//!     println!("{:?} left at {:?}", member.contact_id.value(), member.last_changed.value());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it takes care of
//!
//! - **Ten requests at once.** Mailchimp allows ten to a user, whatever the number of keys. All
//!   clones of a [`Client`] share one limit, which gives way when the server throttles and serves
//!   waiters in turn. A request that was given up keeps its place for as long as the server may
//!   still run it.
//! - **Retries**, in one place, of what is safe to repeat: see [`RetryPolicy`]. An error says
//!   whether they are spent ([`Error::retries_spent`]) and whether the request may have had its
//!   effect all the same ([`Error::may_have_been_sent`]).
//! - **Values as they are really sent.** Mailchimp writes `""` for "none" in fields of any type,
//!   leaves members out, and adds words to its enumerations: see [`Field`]. What this version does
//!   not know survives being read and written.
//! - **Silence about people and secrets.** No error message and no `Debug` output holds a key, an
//!   e-mail address or a body. The way to a value is always explicit.
//!
//! - **Files on other hosts.** Stored files, exports and results of batches are streamed, go on
//!   after a cut, and are fetched without the credential from public hosts alone: see
//!   [`Client::download`].
//!
//! # Where things are
//!
//! | What | Handle |
//! | --- | --- |
//! | The account, `/ping`, `/search-members` | [`Client::account`], [`Client::ping`], [`Client::search_members`] |
//! | Audiences | [`Client::lists`] |
//! | One audience: growth, days, complaints, mail programs, places, forms, surveys, tags | [`Client::list`] |
//! | Its members, with their tags, activity, feed, events, notes and goals | [`ListHandle::members`] |
//! | Its merge fields, groups, segments and webhooks | [`ListHandle::merge_fields`], [`ListHandle::interest_categories`], [`ListHandle::segments`], [`ListHandle::webhooks`] |
//! | Audiences and contacts of the beta surface, paged by cursor | [`Client::audiences`] |
//! | Campaigns, their text and feedback | [`Client::campaigns`] |
//! | Reports of campaigns | [`Client::reports`] |
//! | One report and what is below it, recipient by recipient | [`Client::report`] |
//! | Classic automations, their mails and queues | [`Client::automations`] |
//! | Templates | [`Client::templates`] |
//! | Folders of campaigns and of templates | [`Client::campaign_folders`], [`Client::template_folders`] |
//! | Stored files and their folders | [`Client::files`] |
//! | Landing pages | [`Client::landing_pages`] |
//! | Figures of landing pages and surveys, with questions, answers and responses | [`Client::reporting`] |
//! | Stores, and orders of all of them | [`Client::stores`] |
//! | One store: customers, products, orders, carts, promo rules, and what is in them | [`Client::store`] |
//! | Replies to campaigns | [`Client::conversations`] |
//! | Domains | [`Client::verified_domains`] |
//! | Exports of the account | [`Client::account_exports`] |
//! | Batches, and who is told about them | [`Client::batches`], [`Client::batch_webhooks`] |
//! | Files on other hosts | [`Client::download`] |
//!
//! A collection has a method for one page, and where it can be long a second one, whose name
//! ends in `stream`, for all pages. Its request names every documented filter and order. Records
//! hold every documented member as a [`Field`], and all others in `extra`.
//!
//! Anything can be had as JSON instead: a page of any collection by [`Client::get_rows`], with
//! what its envelope holds besides; all pages by [`Client::row_pages`], or where a collection is
//! paged by cursor by [`Client::cursor_pages`]; a single object by [`Client::get_bytes`].
//!
//! # What it leaves to its user
//!
//! Endpoints without a method of their own are reached by path through [`Client::get`],
//! [`Client::post`] and the raw calls above. Pages by offset over a collection that changes
//! meanwhile can miss rows; to read an audience completely, read closed windows of
//! `last_changed`. The crate neither logs nor counts: give it [`Hooks`].
//!
//! Tests and simulations replace the network by a [`Transport`] of their own; all waiting is on
//! tokio's clock, which tests can pause.

mod account;
mod audiences;
mod automations;
mod batches;
mod body;
mod campaigns;
mod client;
mod config;
mod conversations;
mod credential;
mod domains;
mod downloads;
mod ecommerce;
mod endpoint;
mod error;
mod exports;
mod fetched;
mod field;
mod files;
mod folders;
mod hooks;
mod http;
mod json;
mod landing_pages;
mod limiter;
mod lists;
mod members;
mod oauth;
mod open_enum;
mod paging;
mod path;
mod problem;
mod query;
mod record;
mod reporting;
mod reports;
mod retry;
mod templates;
mod transport;

pub use account::{Account, AccountContact, IndustryStats, Ping, PricingPlan};
pub use audiences::*;
pub use automations::*;
pub use batches::*;
pub use campaigns::*;
pub use client::Client;
pub use config::ClientBuilder;
pub use conversations::*;
pub use credential::{AuthScheme, Credential, DataCenter};
pub use domains::{DomainStatus, VerifiedDomain, VerifiedDomains};
pub use downloads::{Download, DownloadError, DownloadOptions, DownloadProblem, ResumePoint};
pub use ecommerce::*;
pub use error::*;
pub use exports::{AccountExport, AccountExports, ExportStage, NewExport};
pub use fetched::{Fetched, Meta, RawPage};
pub use field::{Field, JsonObject, Timestamp};
pub use files::*;
pub use folders::{CampaignFolders, Folder, TemplateFolders};
pub use hooks::{Hooks, Outcome, RequestEvent, RetryEvent};
pub use landing_pages::*;
pub use lists::*;
pub use members::*;
pub use oauth::OAuthMetadata;
pub use open_enum::SortDir;
pub use paging::{MAX_COUNT, Page, PageRequest};
pub use path::Path;
pub use problem::{FieldProblem, Problem};
pub use query::{FieldSelection, Query};
pub use reporting::*;
pub use reports::*;
pub use retry::RetryPolicy;
pub use templates::*;
pub use transport::*;
