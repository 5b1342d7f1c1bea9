//! Bodies of Mailchimp's errors.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mailchimp_client::{Error, Problem, RetryPolicy};
use serde_json::Value;
use sync_fuzz::{Answer, Answering, assert_silent, mailchimp, run};

/// The problem that a body is read as; the status decides about all else.
fn problem_of(status: u16, body: Bytes) -> Option<Problem> {
    let client = mailchimp(Answering::always(Answer::new(status, body)))
        .retry(RetryPolicy::never())
        .build()
        .expect("a client");
    let error = run(client.ping()).expect_err("the status says no");
    assert_silent(&error);
    assert_eq!(error.status(), Some(status));
    let problem = error.problem().cloned();
    assert_eq!(
        error.is_throttle(),
        status == 429 || (status == 403 && problem.is_none())
    );
    assert_eq!(error.is_timeout_or_server(), status >= 500);
    assert!(matches!(error, Error::Api(error) if error.attempts == 1));
    problem
}

fuzz_target!(|body: &[u8]| {
    let problem = problem_of(403, Bytes::copy_from_slice(body));
    for status in [301, 400, 404, 429, 503] {
        assert!(problem_of(status, Bytes::copy_from_slice(body)) == problem);
    }
    // Members that nobody names may hold what is no text; a problem is read all the same.
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    // Written anew, each name stands once.
    let problem = problem_of(403, value.to_string().into());
    let text = |name| {
        value
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let is_documented = ["status", "detail", "type"]
        .into_iter()
        .any(|name| value.get(name).is_some());
    let expected = text("title").filter(|_| is_documented);
    assert_eq!(problem.as_ref().map(Problem::title), expected);
    if let Some(problem) = problem {
        assert_eq!(problem.detail(), text("detail"));
        assert_eq!(problem.kind(), text("type"));
        assert_eq!(problem.instance(), text("instance"));
    }
});
