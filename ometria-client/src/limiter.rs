//! The rate limit of one Ometria account, shared by every clone of a client.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A token bucket of size one: permissions come one interval apart, in the order they were asked for.
///
/// The size is one because what counts is the rate Ometria sees. Requests that leave together reach the server spread
/// by the network, and a saved-up burst can land in one server second with its neighbours. A bucket of one costs a
/// waiting caller at most one interval and never lets more than the allowance start within any second. A permission
/// that is taken late does not pull the next one forward, for the same reason.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    interval: Duration,
    /// Held while waiting; tokio's mutex hands itself on in order, which makes the bucket fair. A caller that gives up
    /// while waiting leaves the queue and takes no permission with it.
    queue: tokio::sync::Mutex<()>,
    next: Mutex<Option<Instant>>,
}

impl TokenBucket {
    /// `allowed` permissions in each `period`; zero is taken as one.
    pub(crate) fn new(allowed: u32, period: Duration) -> Self {
        Self {
            interval: period / allowed.max(1),
            queue: tokio::sync::Mutex::new(()),
            next: Mutex::new(None),
        }
    }

    /// Waits for permission to send one request. Cancel-safe.
    pub(crate) async fn acquire(&self) {
        let _turn = self.queue.lock().await;
        loop {
            let due = *self.lock_next();
            match due {
                Some(due) if due > Instant::now() => sleep_until(due).await,
                _ => break,
            }
        }
        let mut next = self.lock_next();
        let earliest = Instant::now() + self.interval;
        // Another caller may have paused the bucket between the check and here.
        *next = Some(next.map_or(earliest, |due| due.max(earliest)));
    }

    /// Gives no permission for `wait`, because the server said that the account as a whole is too fast.
    pub(crate) fn pause(&self, wait: Duration) {
        let mut next = self.lock_next();
        let until = Instant::now() + wait;
        *next = Some(next.map_or(until, |due| due.max(until)));
    }

    fn lock_next(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn starts(bucket: &Arc<TokenBucket>, callers: usize) -> Vec<(usize, Duration)> {
        let begin = Instant::now();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for caller in 0..callers {
            let (bucket, log) = (Arc::clone(bucket), Arc::clone(&log));
            tasks.push(tokio::spawn(async move {
                bucket.acquire().await;
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
        let bucket = Arc::new(TokenBucket::new(8, Duration::from_secs(1)));
        let starts = starts(&bucket, 400).await;
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
    async fn serves_callers_in_order() {
        let bucket = Arc::new(TokenBucket::new(8, Duration::from_secs(1)));
        let order: Vec<usize> = starts(&bucket, 50)
            .await
            .into_iter()
            .map(|(c, _)| c)
            .collect();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_gives_up_takes_no_permission_with_it() {
        let bucket = Arc::new(TokenBucket::new(1, Duration::from_secs(1)));
        bucket.acquire().await;
        let begin = Instant::now();
        let impatient = tokio::time::timeout(Duration::from_millis(300), bucket.acquire()).await;
        assert!(impatient.is_err());
        bucket.acquire().await;
        assert_eq!(begin.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everyone_back_even_those_already_waiting() {
        let bucket = Arc::new(TokenBucket::new(8, Duration::from_secs(1)));
        bucket.acquire().await;
        let begin = Instant::now();
        let waiting = tokio::spawn({
            let bucket = Arc::clone(&bucket);
            async move { bucket.acquire().await }
        });
        tokio::task::yield_now().await;
        bucket.pause(Duration::from_secs(5));
        waiting.await.unwrap();
        assert_eq!(begin.elapsed(), Duration::from_secs(5));
    }
}
