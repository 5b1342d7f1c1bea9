//! Batches: operations that the account carries out on itself later, one batch at a time.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::account::{self, Account};
use crate::archive::Archive;
use crate::definitions::ten_hex;
use crate::faults::Fault;
use crate::links::{self, link};
use crate::member::mix;
use crate::problem::Problem;
use crate::query::{Call, Query, Twist, decode};
use crate::render::{Answer, Rows};
use crate::route::Resource;
use crate::simulator::Context;
use crate::timestamp;

/// Results are fetched from below this path, which is not part of the API.
pub(crate) const RESULTS: &str = "/batch-results/";

/// How [`RESULTS`] is named in rules and statistics.
pub(crate) const RESULTS_TEMPLATE: &str = "/batch-results/{file}";

/// How long a link to results works; a new one comes with every look at the batch.
const LINK_LIFE: TimeDelta = TimeDelta::minutes(10);

/// How long a batch and its results are kept.
const KEPT: TimeDelta = TimeDelta::days(7);

/// Batches of one user that may wait.
const MOST_PENDING: usize = 500;

/// All batches of the account, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    held: Vec<Batch>,
    made: u64,
}

impl Batches {
    /// Whether a batch has something to do or to end by now.
    pub(crate) fn is_behind(&self, now: DateTime<Utc>) -> bool {
        let mut held = self.held.iter();
        held.any(|batch| batch.completed_at.is_none_or(|at| now - at >= KEPT))
    }
}

#[derive(Debug)]
struct Batch {
    id: String,
    operations: Vec<Operation>,
    submitted_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    phase: Phase,
    /// What came of the operations, once they were carried out.
    results: Option<Bytes>,
    /// Operations that were carried out, pages of their own among them.
    done: usize,
    errored: usize,
}

#[derive(Debug)]
struct Operation {
    id: String,
    call: Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Pending,
    Preprocessing,
    Started,
    Finalizing,
    Finished,
}

impl Phase {
    const ALL: [Self; 5] = [
        Self::Pending,
        Self::Preprocessing,
        Self::Started,
        Self::Finalizing,
        Self::Finished,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Preprocessing => "preprocessing",
            Self::Started => "started",
            Self::Finalizing => "finalizing",
            Self::Finished => "finished",
        }
    }
}

/// `POST /batches`.
pub(crate) fn submit(
    account: &mut Account,
    context: &Context<'_>,
    call: &Call,
) -> Result<Answer, Problem> {
    let batches = &mut account.batches;
    if batches
        .held
        .iter()
        .filter(|batch| batch.phase < Phase::Finished)
        .count()
        >= MOST_PENDING
    {
        return Err(Problem::too_many_requests());
    }
    let body = call.object()?;
    let operations = body
        .get("operations")
        .and_then(Value::as_array)
        .filter(|operations| !operations.is_empty())
        .ok_or_else(|| {
            Problem::invalid_resource(
                "The resource submitted could not be validated.",
                &[("operations", "This value should not be blank.")],
            )
        })?
        .iter()
        .map(Operation::read)
        .collect::<Result<Vec<_>, _>>()?;
    batches.made += 1;
    let batch = Batch {
        id: ten_hex(mix(context.settings.seed ^ mix(batches.made))),
        operations,
        submitted_at: context.now,
        completed_at: None,
        phase: Phase::Pending,
        results: None,
        done: 0,
        errored: 0,
    };
    let answer = Answer::json(&batch.json(context));
    batches.held.push(batch);
    Ok(answer)
}

/// `GET /batches`.
pub(crate) fn list(
    account: &Account,
    context: &Context<'_>,
    call: &Call,
) -> Result<Answer, Problem> {
    let held = &account.batches.held;
    Rows::new("batches", held.len(), |position| {
        held.get(position).map(|batch| batch.json(context))
    })
    .with("_links", links::own(context, "batches"))
    .answer(context, call)
}

/// `GET /batches/{batch_id}`.
pub(crate) fn get(
    account: &Account,
    context: &Context<'_>,
    id: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let batch = account.batches.held.iter().find(|batch| batch.id == id);
    Answer::selected(batch.ok_or_else(Problem::not_found)?.json(context), call)
}

/// `DELETE /batches/{batch_id}`: stops it, and the results of what was done are lost.
pub(crate) fn stop(account: &mut Account, id: &str) -> Result<Answer, Problem> {
    let held = &mut account.batches.held;
    let before = held.len();
    held.retain(|batch| batch.id != id);
    if held.len() == before {
        Err(Problem::not_found())
    } else {
        Ok(Answer::nothing())
    }
}

/// Moves the batches on. One runs at a time, in the order they came.
pub(crate) fn pass_time(account: &mut Account, context: &Context<'_>) {
    let step = TimeDelta::from_std(context.settings.batch_step).unwrap_or(TimeDelta::MAX);
    let mut held = std::mem::take(&mut account.batches.held);
    held.retain(|batch| batch.completed_at.is_none_or(|at| context.now - at < KEPT));
    let mut free_at = DateTime::UNIX_EPOCH;
    for batch in &mut held {
        if let Some(at) = batch.completed_at {
            free_at = at;
            continue;
        }
        let began = batch.submitted_at.max(free_at);
        let ends_of = |phase: i32| {
            step.checked_mul(phase)
                .and_then(|all| began.checked_add_signed(all))
        };
        let passed = (1..=4).filter(|&phase| ends_of(phase).is_some_and(|end| end <= context.now));
        batch.phase = Phase::ALL[passed.count()];
        if batch.phase >= Phase::Started && batch.results.is_none() {
            batch.carry_out(account, context);
        }
        if batch.phase < Phase::Finished {
            break;
        }
        let end = ends_of(4).unwrap_or(context.now);
        batch.completed_at = Some(end);
        free_at = end;
    }
    account.batches.held = held;
}

/// Gives out an archive of results, as an object store does: to whoever has the link, and to nobody who also shows a
/// credential.
pub(crate) fn result(
    account: &Account,
    file: &str,
    query: &Query,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Response<Bytes> {
    let refuse = |status: StatusCode, code: &str| {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
        stored(status, "application/xml", body.into())
    };
    if headers.contains_key(header::AUTHORIZATION) {
        return refuse(StatusCode::BAD_REQUEST, "InvalidArgument");
    }
    let batch = file.strip_suffix(FILE_SUFFIX);
    let batch = batch.and_then(|id| account.batches.held.iter().find(|batch| batch.id == id));
    let Some(batch) = batch.filter(|batch| batch.phase == Phase::Finished) else {
        return refuse(StatusCode::NOT_FOUND, "NoSuchKey");
    };
    let expires = query
        .get("Expires")
        .and_then(|at| at.parse::<i64>().ok())
        .unwrap_or(0);
    let signed = query.get("Signature") == Some(batch.signature(expires).as_str());
    if !signed || now.timestamp() > expires {
        return refuse(StatusCode::FORBIDDEN, "AccessDenied");
    }
    let archive = batch.results.clone().unwrap_or_default();
    stored(StatusCode::OK, "application/x-gzip", archive)
}

const FILE_SUFFIX: &str = "-response.tar.gz";

fn stored(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

impl Operation {
    fn read(given: &Value) -> Result<Self, Problem> {
        let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or("");
        let invalid = |field: &str, message: &str| {
            let detail = "The resource submitted could not be validated.";
            Problem::invalid_resource(detail, &[(field, message)])
        };
        let method = match text("method") {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            _ => {
                let message = "Value must be one of: GET, POST, PUT, PATCH, DELETE";
                return Err(invalid("operations.method", message));
            }
        };
        if given.get("body").is_some_and(|body| !body.is_string()) {
            return Err(invalid(
                "operations.body",
                "Schema describes string, object found instead",
            ));
        }
        let (path, query) = text("path").split_once('?').unwrap_or((text("path"), ""));
        let mut pairs = Query::parse(query).pairs().to_vec();
        let params = given
            .get("params")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        pairs.extend(params.map(|(name, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), value)
        }));
        let segments = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode);
        let call = Call {
            method,
            path: segments.collect(),
            query: Query::from_pairs(pairs),
            body: Bytes::copy_from_slice(text("body").as_bytes()),
            twist: Twist::default(),
        };
        Ok(Self {
            id: text("operation_id").to_owned(),
            call,
        })
    }

    /// Whether the batch pages through the collection by itself.
    fn pages_by_itself(&self) -> bool {
        self.call.method == Method::GET
            && self.call.query.get("count").is_none()
            && Resource::at(&self.call.segments()).is_some_and(Resource::is_paged)
    }
}

impl Batch {
    fn carry_out(&mut self, account: &mut Account, context: &Context<'_>) {
        const PAGE: usize = 1000;
        let mut archive = Archive::new(&self.id);
        for operation in std::mem::take(&mut self.operations) {
            let by_itself = operation.pages_by_itself();
            let mut offset = 0;
            loop {
                let mut call = operation.call.clone();
                if by_itself {
                    let mut pairs = call.query.pairs().to_vec();
                    pairs.push(("count".to_owned(), PAGE.to_string()));
                    pairs.push(("offset".to_owned(), offset.to_string()));
                    call.query = Query::from_pairs(pairs);
                }
                let rows = self.carry_out_one(account, context, &operation.id, &call, &mut archive);
                if !by_itself || rows < PAGE {
                    break;
                }
                offset += PAGE;
            }
        }
        self.results = Some(archive.finish());
    }

    /// Carries out one call, keeps its result, and gives the number of rows in it.
    fn carry_out_one(
        &mut self,
        account: &mut Account,
        context: &Context<'_>,
        id: &str,
        call: &Call,
        archive: &mut Archive,
    ) -> usize {
        let nested = matches!(
            Resource::at(&call.segments()),
            Some(Resource::Batches | Resource::Batch(_))
        );
        let fault = account
            .faults
            .strike_operation(call, self.done as u64, context.settings.seed);
        let answered = if let Some(problem) = fault.and_then(Fault::problem) {
            Err(problem)
        } else if nested {
            Err(Problem::bad_request(
                "A batch cannot hold operations on batches.",
            ))
        } else {
            account::answer(account, context, call)
        };
        let (status, response, rows) = match answered {
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                (answer.status, text, answer.rows)
            }
            Err(problem) => {
                self.errored += 1;
                (problem.status, problem.body("").to_string(), 0)
            }
        };
        self.done += 1;
        archive.push(json!({
            "status_code": status,
            "operation_id": id,
            "response": response,
        }));
        rows
    }

    fn json(&self, context: &Context<'_>) -> Value {
        let finished = self.phase == Phase::Finished;
        let url = if finished {
            let expires = (context.now + LINK_LIFE).timestamp();
            let signature = self.signature(expires);
            format!(
                "{}{RESULTS}{}{FILE_SUFFIX}?Expires={expires}&Signature={signature}",
                context.origin, self.id
            )
        } else {
            String::new()
        };
        let done = if self.phase >= Phase::Finalizing {
            self.done
        } else {
            0
        };
        let path = format!("batches/{}", self.id);
        json!({
            "id": self.id,
            "status": self.phase.as_str(),
            "total_operations": self.done.max(
                if self.phase == Phase::Pending { 0 } else { self.operations.len() }
            ),
            "finished_operations": done,
            "errored_operations": if done > 0 { self.errored } else { 0 },
            "submitted_at": timestamp::text(timestamp::seconds(self.submitted_at)),
            "completed_at": self
                .completed_at
                .map_or_else(String::new, |at| timestamp::text(timestamp::seconds(at))),
            "response_body_url": url,
            "_links": [link(context, "self", &path, "GET"), link(context, "delete", &path, "DELETE")],
        })
    }

    /// Not a secret: it only has to change with what it signs.
    fn signature(&self, expires: i64) -> String {
        let id = self
            .id
            .bytes()
            .fold(0, |drawn, byte| mix(drawn ^ u64::from(byte)));
        format!("{:016x}", mix(id ^ expires.unsigned_abs()))
    }
}
