//! How a simulated account behaves.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Where the simulator gets the time from.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Everything about the simulated account that stays as it is. What Ometria does not document is a switch here.
#[derive(Clone)]
pub struct Settings {
    /// Key of the push API.
    pub api_key: String,
    /// Key of the record endpoint.
    pub record_key: String,
    /// The time of the server.
    pub now: Now,
    /// Time from request to answer. Default none.
    pub latency: Duration,
    /// HTTP status of a good push. Ometria does not say whether it is 202 or 200. Default 202.
    pub success_status: u16,
    /// HTTP status of a push that is refused as a whole. Default 400.
    pub refuse_status: u16,
    /// Pushes allowed in any second. Default no limit.
    pub push_rate: Option<u32>,
    /// Reads allowed in any second. Default no limit.
    pub read_rate: Option<u32>,
    /// Data deletion calls allowed in any minute. Default 6.
    pub deletion_rate: Option<u32>,
    /// Records that may wait to be processed. Default 50,000.
    pub backlog_limit: usize,
    /// Records processed in a second; `None`, the default, processes them inside the push.
    pub drain_rate: Option<u32>,
    /// Whether answers to pushes carry `X-QueueSize-Limit` and `X-QueueSize-Remaining`. Default yes.
    pub queue_headers: bool,
    /// Which generation of Ometria's opt-in rules holds. Default [`Rules::Newest`].
    pub rules: Rules,
    /// Whether an update without force lifts the force of an earlier update of the same listing. Ometria does not say.
    /// Default no.
    pub unforced_update_lifts_force: bool,
    /// Shape of the entries in the push error list. Default [`ErrorShape::Short`].
    pub error_shape: ErrorShape,
    /// Whether an answer with rejections lists them in `rejected_items`. Default no.
    pub list_rejected_items: bool,
    /// Whether `/profiles?email=` answers with an array or an object. Default [`LookUp::Array`].
    pub look_up: LookUp,
    /// The record endpoint.
    pub record: RecordSettings,
    /// Seed of everything random.
    pub seed: u64,
}

impl Settings {
    /// The defaults, with one key for both endpoints.
    pub fn new(key: impl Into<String>, now: Now) -> Self {
        let key = key.into();
        Self {
            api_key: key.clone(),
            record_key: key,
            now,
            latency: Duration::ZERO,
            success_status: 202,
            refuse_status: 400,
            push_rate: None,
            read_rate: None,
            deletion_rate: Some(6),
            backlog_limit: 50_000,
            drain_rate: None,
            queue_headers: true,
            rules: Rules::default(),
            unforced_update_lifts_force: false,
            error_shape: ErrorShape::default(),
            list_rejected_items: false,
            look_up: LookUp::default(),
            record: RecordSettings::default(),
            seed: 0,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("latency", &self.latency)
            .field("push_rate", &self.push_rate)
            .field("backlog_limit", &self.backlog_limit)
            .field("drain_rate", &self.drain_rate)
            .field("rules", &self.rules)
            .field("record", &self.record)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// Which claim decides over a profile's consent. Ometria's help centre has described two sets of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rules {
    /// The latest forced claim decides; without one, an opt-out beats any opt-in.
    #[default]
    Newest,
    /// The latest forced claim decides; then the preference centre; then the latest claim of any listing.
    Older,
}

/// Shape of an entry of the push error list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ErrorShape {
    /// `error_message` and `error_path`.
    #[default]
    Short,
    /// With request, record and time, the message nested.
    Long,
}

/// What a look-up of a profile by address answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LookUp {
    /// An array, empty when there is no such profile.
    #[default]
    Array,
    /// An object, or 404.
    Object,
}

/// How the record endpoint behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSettings {
    /// The form of its reply. Default [`ReplyVariant::B`].
    pub variant: ReplyVariant,
    /// Which header may carry the key. Default [`KeyHeader::Authorization`].
    pub key_header: KeyHeader,
    /// HTTP status for a missing or wrong key; 401 and 403 are both plausible. Default 401.
    pub unauthorized_status: u16,
    /// Rows allowed in one call, more are answered with 413. Default no limit.
    pub cap: Option<usize>,
    /// Requests allowed in any second. Default no limit.
    pub rate: Option<u32>,
    /// Whether rows have the four fields of 2018, without `status`. Default no.
    pub four_fields: bool,
    /// Whether rows with missing, additional or non-text fields are taken all the same, and so is an array inside the text
    /// field `data`. They are counted in either case. Default no.
    pub tolerant: bool,
    /// Form of the bodies of errors. Default [`ErrorBody::Json`].
    pub error_body: ErrorBody,
}

impl Default for RecordSettings {
    fn default() -> Self {
        Self {
            variant: ReplyVariant::default(),
            key_header: KeyHeader::default(),
            unauthorized_status: 401,
            cap: None,
            rate: None,
            four_fields: false,
            tolerant: false,
            error_body: ErrorBody::default(),
        }
    }
}

/// The two replies of the record endpoint that its users saw, both with status 201.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ReplyVariant {
    /// `content` and `OK`, seen in 2019 and 2020.
    A,
    /// `Ok` and `response`, seen in 2023.
    #[default]
    B,
}

/// Which header may carry the key of the record endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KeyHeader {
    /// `Authorization` only.
    #[default]
    Authorization,
    /// `Authorization` or `Authorisation`.
    EitherSpelling,
}

/// Form of an error's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ErrorBody {
    /// A JSON object.
    #[default]
    Json,
    /// Plain text.
    Text,
    /// A page, as a proxy writes it.
    Html,
    /// Nothing.
    Empty,
}
