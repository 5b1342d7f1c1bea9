//! The simulator itself: routing, faults, and the doors through which tests look inside.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, Response};
use loopback::{Outcome, Reply, Request, Simulator};
use serde_json::{Map, Value};

use crate::account::{Account, Unsubscribe};
use crate::consent::{Claim, ConsentChange};
use crate::faults::{Fault, FaultRule, Rejected, Rejection};
use crate::reads::not_found;
use crate::request::{Query, Resource};
use crate::response;
use crate::settings::{ErrorBody, Settings};
use crate::stats::{InFlight, Stats};

/// A simulated Ometria account. Clones are handles to the same account.
#[derive(Clone, Debug)]
pub struct OmetriaSimulator {
    account: Arc<Mutex<Account>>,
    in_flight: InFlight,
}

/// A listing as it is stored.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ListingView {
    /// Its collection.
    pub collection: String,
    /// Its id.
    pub id: String,
    /// Its latest claim about consent; `None` if it never made one.
    pub claim: Option<Claim>,
    /// Its latest forced claim that still counts.
    pub forced_claim: Option<Claim>,
    /// Everything stored, `@type` and `@collection` included.
    pub fields: Map<String, Value>,
}

/// A profile as Ometria computes it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProfileView {
    /// Its addresses, lower-cased.
    pub emails: Vec<String>,
    /// Whether Ometria may mail the person; `None` when nothing is known.
    pub marketing_optin: Option<bool>,
    /// Whether a forced claim or the preference centre decided.
    pub forced: bool,
    /// For each field the latest listing that has it.
    pub fields: Map<String, Value>,
    /// Its listings, as collection and id.
    pub listings: Vec<(String, String)>,
}

impl OmetriaSimulator {
    /// An empty account.
    pub fn new(settings: Settings) -> Self {
        Self {
            account: Arc::new(Mutex::new(Account::new(settings))),
            in_flight: InFlight::default(),
        }
    }

    /// Adds something that goes wrong. Of several rules that strike together the one added first decides.
    pub fn inject(&self, rule: FaultRule) {
        self.account().faults.add(rule);
    }

    /// Rejects pushed records from now on.
    pub fn reject(&self, which: Rejected, how: Rejection) {
        self.account().reject(which, how);
    }

    /// Ends all faults and rejections.
    pub fn heal(&self) {
        let mut account = self.account();
        account.faults.clear();
        account.clear_rejections();
    }

    /// Processes all records that wait, whatever the drain rate.
    pub fn drain(&self) {
        self.account().drain();
    }

    /// Records that wait to be processed.
    pub fn waiting(&self) -> usize {
        self.caught_up().waiting()
    }

    /// A person opts in or out in Ometria's preference centre. Opting out shows up among the unsubscribes.
    pub fn set_preference(&self, email: &str, optin: bool) {
        let mut account = self.caught_up();
        let at = account.now();
        let claim = if optin {
            Claim::OptedIn
        } else {
            Claim::OptedOut
        };
        account.listings.prefer(email, claim, at);
        if !optin {
            let email = email.to_owned();
            account.unsubscribes.push(Unsubscribe {
                email,
                way: "preferences_centre",
                at,
            });
        }
    }

    /// The profile of an address, whatever its case; `None` when no listing has it.
    pub fn profile(&self, email: &str) -> Option<ProfileView> {
        let account = self.caught_up();
        let (cluster, verdict) = account.listings.profile(email)?;
        let listings = cluster.listings.iter().filter_map(|&index| {
            let listing = account.listings.at(index)?;
            Some((
                account.listings.collection_name(listing).to_owned(),
                listing.id.to_string(),
            ))
        });
        Some(ProfileView {
            emails: cluster.emails.iter().map(ToString::to_string).collect(),
            marketing_optin: verdict.optin,
            forced: verdict.forced,
            fields: account.listings.profile_fields(&cluster),
            listings: listings.collect(),
        })
    }

    /// Every address that a listing has, lower-cased, in no order.
    pub fn emails(&self) -> Vec<String> {
        self.caught_up()
            .listings
            .emails()
            .map(str::to_owned)
            .collect()
    }

    /// One listing.
    pub fn listing(&self, collection: &str, id: &str) -> Option<ListingView> {
        let account = self.caught_up();
        account.listing_view(account.listings.find(collection, id)?)
    }

    /// All listings in the order they were created. Large accounts are better looked at with
    /// [`listing_count`](Self::listing_count) and [`listing`](Self::listing).
    pub fn listings(&self) -> Vec<ListingView> {
        let account = self.caught_up();
        let indexes = (0..account.listings.len()).filter_map(|index| u32::try_from(index).ok());
        indexes
            .filter_map(|index| account.listing_view(index))
            .collect()
    }

    /// Number of listings.
    pub fn listing_count(&self) -> usize {
        self.caught_up().listings.len()
    }

    /// Members of a static segment, as collection and id.
    pub fn segment(&self, id: u64) -> Vec<(String, String)> {
        let account = self.caught_up();
        let members = account
            .listings
            .segment(id)
            .filter_map(|index| account.listings.at(index));
        members
            .map(|it| {
                (
                    account.listings.collection_name(it).to_owned(),
                    it.id.to_string(),
                )
            })
            .collect()
    }

    /// An order, product or event, as last pushed.
    pub fn object(&self, record_type: &str, id: &str) -> Option<Value> {
        let account = self.caught_up();
        let json = account
            .objects
            .get(&(record_type.to_owned(), id.to_owned()))?;
        serde_json::from_str(json).ok()
    }

    /// Everything that happened to the consent of an address, oldest first: each claim of a listing of its profile and
    /// each change of the outcome.
    pub fn consent_history(&self, email: &str) -> Vec<ConsentChange> {
        self.caught_up().listings.history(email)
    }

    /// Records that arrived by push.
    pub fn pushed(&self) -> u64 {
        self.account().stats.pushed
    }

    /// A row of the record endpoint.
    pub fn row(&self, id: &str) -> Option<Map<String, Value>> {
        serde_json::from_str(self.account().rows.0.get(id)?).ok()
    }

    /// Number of rows of the record endpoint.
    pub fn row_count(&self) -> usize {
        self.account().rows.0.len()
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        let account = self.caught_up();
        Stats {
            subscribe_events: account.listings.events.subscribed,
            unsubscribe_events: account.listings.events.unsubscribed,
            max_in_flight: self.in_flight.most(),
            ..account.stats.clone()
        }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn caught_up(&self) -> MutexGuard<'_, Account> {
        let mut account = self.account();
        account.catch_up();
        account
    }
}

impl Simulator for OmetriaSimulator {
    fn handle(&self, request: Request) -> Reply {
        let slot = self.in_flight.enter();
        let mut account = self.caught_up();
        let resource = Resource::of(request.uri());
        let path = resource.template();
        *account.stats.requests.entry(path).or_default() += 1;
        let fault = account.faults.strike(path, &request);
        let mut after = account.settings.latency;
        let outcome = match fault {
            Some(Fault::Reset) => Outcome::Reset,
            Some(Fault::Hang) => Outcome::Hang,
            Some(Fault::Status {
                status,
                body,
                retry_after,
            }) => {
                let answer = response::error(status, "something went wrong", body);
                Outcome::Response(response::with_retry_after(answer, retry_after))
            }
            Some(Fault::QueueFull) => {
                let limit = account.settings.backlog_limit;
                Outcome::Response(response::with_queue(
                    Account::too_many("the queue is full"),
                    limit,
                    0,
                ))
            }
            fault => {
                let short = match fault {
                    Some(Fault::CountShort(short)) => short,
                    _ => 0,
                };
                let response = account.answer(&resource, &request, short);
                match fault {
                    Some(Fault::ReplyLost) => Outcome::Reset,
                    Some(Fault::CutBody { sent }) => Outcome::CutBody { response, sent },
                    Some(Fault::Slow(more)) => {
                        after += more;
                        Outcome::Response(response)
                    }
                    _ => Outcome::Response(response),
                }
            }
        };
        if let Outcome::Response(response) | Outcome::CutBody { response, .. } = &outcome {
            *account
                .stats
                .answers
                .entry(response.status().as_u16())
                .or_default() += 1;
        }
        Reply {
            after,
            outcome,
            slot: Some(Box::new(slot)),
        }
    }
}

impl Account {
    fn answer(&mut self, resource: &Resource, request: &Request, short: u64) -> Response<Bytes> {
        let (method, body) = (request.method(), request.body());
        if *resource == Resource::Record {
            return match *method {
                Method::POST => self.record(request.headers(), body, short),
                _ => method_not_allowed(),
            };
        }
        let key = request.headers().get("x-ometria-auth");
        if key.is_none_or(|key| key.as_bytes() != self.settings.api_key.as_bytes()) {
            return response::error(
                403,
                "the key is not authorised for this resource",
                ErrorBody::Json,
            );
        }
        let now = self.now();
        let allowed = match resource {
            // Pushing has an allowance of its own, which it looks at itself.
            Resource::Push => true,
            Resource::Deletions | Resource::Deletion(_) => self.deletion_rate.allows(now),
            _ => self.read_rate.allows(now),
        };
        if !allowed {
            return Self::too_many("too many requests");
        }
        let query = Query::of(request.uri());
        match (method, resource) {
            (&Method::POST, Resource::Push) => self.push(body),
            (&Method::GET, Resource::PushErrors) => self.push_errors(),
            (&Method::GET, Resource::Profiles) => self.profiles(&query),
            (&Method::GET, Resource::Profile(id)) => self.profile(id),
            (&Method::GET, Resource::Collections) => self.collections(&query),
            (&Method::GET, Resource::Collection(name)) => self.collection(name, &query),
            (&Method::GET, Resource::Listing(collection, id)) => self.listing(collection, id),
            (&Method::POST, Resource::Listing(collection, id)) => {
                self.put_listing(collection, id, body)
            }
            (&Method::GET, Resource::Unsubscribes) => self.unsubscribes(&query),
            (&Method::GET, Resource::Deletions) => self.deletions(&query),
            (&Method::POST, Resource::Deletions) => self.create_deletion(body),
            (&Method::GET, Resource::Deletion(id)) => self.deletion(id),
            (_, Resource::Unknown) => not_found(),
            _ => method_not_allowed(),
        }
    }

    fn listing_view(&self, index: u32) -> Option<ListingView> {
        let listing = self.listings.at(index)?;
        Some(ListingView {
            collection: self.listings.collection_name(listing).to_owned(),
            id: listing.id.to_string(),
            claim: listing.claim(),
            forced_claim: listing.forced_claim(),
            fields: listing.fields(),
        })
    }
}

fn method_not_allowed() -> Response<Bytes> {
    response::error(405, "method not allowed", ErrorBody::Json)
}
