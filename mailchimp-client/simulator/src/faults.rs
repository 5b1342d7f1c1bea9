//! What goes wrong on purpose.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::incoming::RequestInfo;
use crate::member::mix;
use crate::problem::Problem;
use crate::query::Call;

/// How long Mailchimp works on a request before its front gives up, as documented.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(120);

/// One way in which an answer goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// 429 as problem+json, though connections are free.
    Status429,
    /// 429 without a body.
    Status429Empty,
    /// 403 with an HTML page: the throttle or firewall in front of the API.
    Status403Html,
    /// This status with an HTML page, as fronts send for 502, 503 and 504.
    Status5xxHtml(u16),
    /// 500 as problem+json.
    Status5xxJson,
    /// The API works for 120 s, holding its connection, then its front answers 504 with HTML.
    GatewayTimeout,
    /// Half of the body, then the connection closes.
    CutBody,
    /// The connection closes before the request is carried out.
    Reset,
    /// Never an answer; the connection stays taken for 120 s.
    Hang,
    /// 200 with a body that is not JSON.
    Garbage,
    /// 200 without a body.
    EmptyBody,
    /// `total_items` is off by this much.
    WrongTotal(i64),
    /// The rows of a page come in some other order.
    Unsorted,
    /// A page without rows, the total unchanged.
    EmptyPage,
    /// The answer takes this much longer.
    Slow(Duration),
    /// The request is carried out, then the connection closes without an answer.
    ReplyLost,
    /// 403 as problem+json: the role of the key is too low for this.
    Forbidden,
    /// 404 as problem+json, though the thing is there.
    NotFound,
    /// The first half of the body as if it were the whole: an archive that was cut short where it is kept.
    Truncated,
    /// Rows without this key.
    Without(&'static str),
    /// Rows in which this key is null.
    Null(&'static str),
    /// 302 to this URL.
    Redirect(&'static str),
}

/// When a [`Fault`] strikes. All conditions must hold.
#[derive(Clone)]
pub struct Rule {
    fault: Fault,
    template: Option<String>,
    below: Option<String>,
    in_batches: bool,
    condition: Option<Condition>,
    chance: f64,
    skip: u64,
    times: u64,
}

type Condition = Arc<dyn Fn(&RequestInfo) -> bool + Send + Sync>;

/// Pages that the API cannot finish, whatever is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargePages {
    /// Pages of more rows than this fail.
    pub more_than: u64,
    /// How they fail, such as [`Fault::GatewayTimeout`] or `Fault::Status5xxHtml(504)`.
    pub fault: Fault,
}

/// The faults of one simulator. Cheap to clone; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    rules: Vec<Rule>,
    large_pages: Option<LargePages>,
}

impl Fault {
    /// What the API itself would say, if the fault is of that kind.
    pub(crate) fn problem(self) -> Option<Problem> {
        Some(match self {
            Self::Status429 => Problem::too_many_requests(),
            Self::Status5xxJson => Problem::internal(),
            Self::Forbidden => Problem::forbidden(),
            Self::NotFound => Problem::not_found(),
            _ => return None,
        })
    }
}

impl Rule {
    /// Strikes every request.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            template: None,
            below: None,
            in_batches: false,
            condition: None,
            chance: 1.0,
            skip: 0,
            times: u64::MAX,
        }
    }

    /// Only requests of this method and path template, such as `GET /lists/{list_id}/members`.
    #[must_use]
    pub fn on(mut self, template: impl Into<String>) -> Self {
        self.template = Some(template.into());
        self
    }

    /// Only requests whose decoded path below `/3.0` begins like this, such as `/reports/` or `/ecommerce/`; of places
    /// outside the API the whole path, such as `/batch-results/`.
    #[must_use]
    pub fn below(mut self, path: impl Into<String>) -> Self {
        self.below = Some(path.into());
        self
    }

    /// Operations of batches instead of requests. Only faults that are a problem+json show there.
    #[must_use]
    pub fn in_batches(mut self) -> Self {
        self.in_batches = true;
        self
    }

    /// Only requests for which this holds. It must not touch the simulator's faults.
    #[must_use]
    pub fn when(
        mut self,
        condition: impl Fn(&RequestInfo) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.condition = Some(Arc::new(condition));
        self
    }

    /// Only with this probability, decided by the simulator's seed and the number of the request.
    #[must_use]
    pub fn chance(mut self, probability: f64) -> Self {
        self.chance = probability;
        self
    }

    /// Not the first `count` requests that would be struck.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    /// At most `count` requests.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    fn strikes(&mut self, request: &RequestInfo, in_batch: bool, draw: u64) -> bool {
        let drawn = (draw >> 11) as f64 / (1_u64 << 53) as f64;
        let matches = self.times > 0
            && self.in_batches == in_batch
            && self
                .below
                .as_ref()
                .is_none_or(|below| request.path.starts_with(below))
            && self
                .template
                .as_ref()
                .is_none_or(|template| *template == request.operation())
            && self
                .condition
                .as_ref()
                .is_none_or(|condition| condition(request))
            && drawn < self.chance;
        if !matches {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("fault", &self.fault)
            .field("template", &self.template)
            .field("below", &self.below)
            .field("in_batches", &self.in_batches)
            .field("condition", &self.condition.is_some())
            .field("chance", &self.chance)
            .field("skip", &self.skip)
            .field("times", &self.times)
            .finish()
    }
}

impl Faults {
    /// Adds a rule. Of several that match a request the oldest strikes, and only it counts the request.
    pub fn add(&self, rule: Rule) {
        self.plan(|plan| plan.rules.push(rule));
    }

    /// Strikes the `number`-th request from now that reaches the rules (from 1), once.
    pub fn nth(&self, number: u64, fault: Fault) {
        self.add(Rule::new(fault).skip(number.saturating_sub(1)).times(1));
    }

    /// Makes large pages of collections fail, or stops that.
    pub fn large_pages(&self, large: Option<LargePages>) {
        self.plan(|plan| plan.large_pages = large);
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.plan(|plan| *plan = Plan::default());
    }

    /// What strikes this operation of a batch.
    pub(crate) fn strike_operation(&self, call: &Call, number: u64, seed: u64) -> Option<Fault> {
        self.find(&RequestInfo::of(call, number), true, seed)
    }

    /// What strikes this request.
    pub(crate) fn strike(&self, request: &RequestInfo, seed: u64) -> Option<Fault> {
        self.find(request, false, seed)
    }

    fn find(&self, request: &RequestInfo, in_batch: bool, seed: u64) -> Option<Fault> {
        self.plan(|plan| {
            if let Some(large) = plan.large_pages
                && !in_batch
                && request.count.is_some_and(|count| count > large.more_than)
            {
                return Some(large.fault);
            }
            plan.rules
                .iter_mut()
                .enumerate()
                .find_map(|(position, rule)| {
                    let draw = mix(seed ^ mix(request.number) ^ ((position as u64) << 48));
                    rule.strikes(request, in_batch, draw).then_some(rule.fault)
                })
        })
    }

    fn plan<T>(&self, act: impl FnOnce(&mut Plan) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
