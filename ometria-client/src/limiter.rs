//! The rate limit of one Ometria account, shared by every clone of a client.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// At most so many requests start within any period, spread over it, in the order they were asked for.
///
/// It is a token bucket that holds one token. What counts is the rate Ometria sees: requests that leave together are
/// moved by the network, so a saved-up burst could land in one second with its neighbours. Yet a strict interval would
/// lose a little whenever the machine is late, eight times a second. So a start may follow the one before a tenth of the
/// interval early, which makes up for lateness, and never comes within a period of the start `allowed` places before it,
/// which keeps the promise. A fiftieth of the allowance stays unused: the network can move two starts a little closer.
#[derive(Debug)]
pub(crate) struct RateLimit {
    allowed: usize,
    period: Duration,
    spacing: Duration,
    /// Held while waiting; tokio's mutex hands itself on in order, which makes the limit fair. A caller that gives up
    /// while waiting leaves the queue and uses nothing up.
    queue: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The latest starts, at most `allowed` of them.
    starts: VecDeque<Instant>,
    paused_until: Option<Instant>,
}

impl RateLimit {
    /// `allowed` starts in any `period`; zero is taken as one.
    pub(crate) fn new(allowed: u32, period: Duration) -> Self {
        let allowed = allowed.max(1);
        Self {
            allowed: usize::try_from(allowed).unwrap_or(usize::MAX),
            period: period.mul_f64(1.02),
            spacing: (period / allowed).mul_f64(0.9),
            queue: tokio::sync::Mutex::new(()),
            state: Mutex::default(),
        }
    }

    /// Waits for permission to send one request. Cancel-safe.
    pub(crate) async fn acquire(&self) {
        let _turn = self.queue.lock().await;
        while let Some(due) = self.start_or_wait() {
            sleep_until(due).await;
        }
    }

    /// Gives no permission for `wait`, because the server said that the account as a whole is too fast.
    pub(crate) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state();
        state.paused_until = state.paused_until.max(Some(until));
    }

    /// Notes a start, or says when to ask again.
    fn start_or_wait(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state();
        let full = state.starts.len() >= self.allowed;
        let window = state
            .starts
            .front()
            .filter(|_| full)
            .map(|&start| start + self.period);
        let spaced = state.starts.back().map(|&start| start + self.spacing);
        let due = window
            .max(spaced)
            .max(state.paused_until)
            .filter(|&due| due > now);
        if due.is_none() {
            if full {
                state.starts.pop_front();
            }
            state.starts.push_back(now);
        }
        due
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn starts(limit: &Arc<RateLimit>, callers: usize) -> Vec<(usize, Duration)> {
        let begin = Instant::now();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for caller in 0..callers {
            let (limit, log) = (Arc::clone(limit), Arc::clone(&log));
            tasks.push(tokio::spawn(async move {
                limit.acquire().await;
                log.lock().unwrap().push((caller, begin.elapsed()));
            }));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        Arc::try_unwrap(log).unwrap().into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn sustains_the_allowance_and_never_exceeds_it_in_any_second() {
        let limit = Arc::new(RateLimit::new(8, Duration::from_secs(1)));
        let starts = starts(&limit, 400).await;
        let last = starts.last().unwrap().1;
        assert!(399.0 / last.as_secs_f64() >= 0.95 * 8.0, "{last:?}");
        for (i, (_, start)) in starts.iter().enumerate() {
            let within = starts[i..]
                .iter()
                .take_while(|(_, other)| *other < *start + Duration::from_secs(1))
                .count();
            assert!(within <= 8, "{within} starts in the second from {start:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_is_sometimes_late_still_gets_nearly_all() {
        let limit = RateLimit::new(8, Duration::from_secs(1));
        let begin = Instant::now();
        for round in 0..200 {
            limit.acquire().await;
            let work = if round % 2 == 0 { 100 } else { 140 };
            tokio::time::sleep(Duration::from_millis(work)).await;
        }
        let rate = 200.0 / begin.elapsed().as_secs_f64();
        assert!((0.95 * 8.0..=8.0).contains(&rate), "{rate} a second");
    }

    #[tokio::test(start_paused = true)]
    async fn serves_callers_in_order() {
        let limit = Arc::new(RateLimit::new(8, Duration::from_secs(1)));
        let order: Vec<usize> = starts(&limit, 50)
            .await
            .into_iter()
            .map(|(c, _)| c)
            .collect();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_gives_up_takes_no_permission_with_it() {
        let limit = Arc::new(RateLimit::new(1, Duration::from_secs(1)));
        limit.acquire().await;
        let begin = Instant::now();
        let impatient = tokio::time::timeout(Duration::from_millis(300), limit.acquire()).await;
        assert!(impatient.is_err());
        limit.acquire().await;
        assert_eq!(begin.elapsed(), Duration::from_millis(1_020));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everyone_back_even_those_already_waiting() {
        let limit = Arc::new(RateLimit::new(8, Duration::from_secs(1)));
        limit.acquire().await;
        let begin = Instant::now();
        let waiting = tokio::spawn({
            let limit = Arc::clone(&limit);
            async move { limit.acquire().await }
        });
        tokio::task::yield_now().await;
        limit.pause(Duration::from_secs(5));
        waiting.await.unwrap();
        assert_eq!(begin.elapsed(), Duration::from_secs(5));
    }
}
