//! How many requests may run at once.
//!
//! Mailchimp allows ten simultaneous requests to a *user*, shared with every other integration of
//! that user, so the limit adapts: it falls by 0.7 when the server throttles and creeps up with
//! successes. A request whose answer we stopped waiting for may still run at the server, so its
//! slot stays taken until it has ended or the server's own 120 seconds have passed.
//!
//! Waiters are served in order of arrival. A caller with many requests to make waits behind a
//! caller with one as soon as that one has queued up, so a long read cannot starve a short one.
//!
//! Nothing here spawns a task: slots held for abandoned requests are instants in a list, and
//! whoever waits sleeps no longer than until the first of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

/// Factor by which a throttle answer lowers the limit.
const DECREASE: f64 = 0.7;

#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ceiling: u8,
    grace: Duration,
    state: Mutex<State>,
    /// Tells waiters that the list of held slots changed, so that they set their timers anew.
    held_changed: Notify,
}

#[derive(Debug)]
struct State {
    limit: f64,
    running: usize,
    /// When slots of abandoned requests come free, soonest first.
    held: VecDeque<Instant>,
    waiting: VecDeque<oneshot::Sender<Slot>>,
    last_decrease: Option<Instant>,
}

impl State {
    fn allowed(&self) -> usize {
        // The limit lies in 1.0 ..= 255.0, so this neither truncates more than the fraction nor
        // changes a sign.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = self.limit as usize;
        whole
    }

    fn taken(&self) -> usize {
        self.running + self.held.len()
    }

    fn release_expired(&mut self, now: Instant) {
        while self.held.front().is_some_and(|until| *until <= now) {
            self.held.pop_front();
        }
    }

    fn hold(&mut self, until: Instant) {
        let position = self.held.partition_point(|held| *held <= until);
        self.held.insert(position, until);
    }
}

/// What an answer says about the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The server coped.
    Answered,
    /// The server asked us to slow down.
    Throttled,
    /// Nothing can be concluded.
    Unknown,
}

impl Limiter {
    pub(crate) fn new(ceiling: u8, grace: Duration) -> Self {
        let state = State {
            limit: f64::from(ceiling),
            running: 0,
            held: VecDeque::new(),
            waiting: VecDeque::new(),
            last_decrease: None,
        };
        Self {
            shared: Arc::new(Shared {
                ceiling,
                grace,
                state: Mutex::new(state),
                held_changed: Notify::new(),
            }),
        }
    }

    /// Waits for a slot, first come first served. Dropping the future gives up the place.
    pub(crate) async fn acquire(&self) -> Slot {
        let mut granted = {
            let mut state = self.shared.lock();
            state.release_expired(Instant::now());
            if state.waiting.is_empty() && state.taken() < state.allowed() {
                state.running += 1;
                return self.shared.slot();
            }
            let (grant, granted) = oneshot::channel();
            state.waiting.push_back(grant);
            granted
        };
        loop {
            // Made before looking at the list, so that a change in between is not missed.
            let held_changed = self.shared.held_changed.notified();
            self.shared.serve();
            let expiry = self.shared.lock().held.front().copied();
            let expired = async {
                match expiry {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                // The sender sits in the queue, which lives as long as `self`, until it is used.
                Ok(slot) = &mut granted => return slot,
                () = expired => {}
                () = held_changed => {}
            }
        }
    }

    /// How many requests may run at once now.
    pub(crate) fn limit(&self) -> usize {
        self.shared.lock().allowed()
    }

    /// How many slots are taken now, by running and by abandoned requests.
    pub(crate) fn in_flight(&self) -> usize {
        let mut state = self.shared.lock();
        state.release_expired(Instant::now());
        state.taken()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every critical section leaves the state whole, so a poisoned lock is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(self: &Arc<Self>) -> Slot {
        Slot {
            shared: Some(Arc::clone(self)),
            sent: None,
        }
    }

    /// Gives free slots to waiters, in order.
    fn serve(self: &Arc<Self>) {
        let mut state = self.lock();
        state.release_expired(Instant::now());
        while state.taken() < state.allowed() {
            let Some(waiter) = state.waiting.pop_front() else {
                return;
            };
            match waiter.send(self.slot()) {
                Ok(()) => state.running += 1,
                // The waiter has given up. Its slot was never counted.
                Err(mut slot) => slot.shared = None,
            }
        }
    }
}

/// The right to have one request running. Dropping it before [`Slot::sent`] frees it at once;
/// dropping it after that holds it until the grace period is over, as the request may still run.
#[derive(Debug)]
pub(crate) struct Slot {
    /// `None` once the slot has been accounted for.
    shared: Option<Arc<Shared>>,
    sent: Option<Instant>,
}

impl Slot {
    /// When the slot comes free by itself, once it is dropped: now, unless the request has left.
    pub(crate) fn held_until(&self) -> Instant {
        let grace = self.shared.as_ref().map(|shared| shared.grace);
        match (self.sent, grace) {
            (Some(sent), Some(grace)) => sent + grace,
            _ => Instant::now(),
        }
    }

    /// The request leaves now.
    pub(crate) fn sent(&mut self) {
        self.sent = Some(Instant::now());
    }

    /// The server is done with the request, or never got it. A broken connection counts as that
    /// too: nothing shows that Mailchimp goes on with it, and the wait before a retry leaves it
    /// time to notice.
    pub(crate) fn finish(mut self, verdict: Verdict) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        {
            let mut state = shared.lock();
            state.running -= 1;
            match verdict {
                Verdict::Answered => {
                    state.limit = (state.limit + 1.0 / state.limit).min(f64::from(shared.ceiling));
                }
                Verdict::Throttled => {
                    // Requests that left before the last decrease say nothing about the new limit.
                    let is_news = match (state.last_decrease, self.sent) {
                        (Some(decrease), Some(sent)) => sent > decrease,
                        _ => true,
                    };
                    if is_news {
                        state.limit = (state.limit * DECREASE).max(1.0);
                        state.last_decrease = Some(Instant::now());
                    }
                }
                Verdict::Unknown => {}
            }
        }
        shared.serve();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        let held = {
            let mut state = shared.lock();
            state.running -= 1;
            if let Some(sent) = self.sent {
                state.hold(sent + shared.grace);
            }
            self.sent.is_some()
        };
        if held {
            shared.held_changed.notify_waiters();
        }
        shared.serve();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt;

    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn waiters_are_served_in_order_of_arrival() {
        let limiter = Limiter::new(1, GRACE);
        let slot = limiter.acquire().await;
        let mut first = pin!(limiter.acquire());
        let mut second = pin!(limiter.acquire());
        let mut third = pin!(limiter.acquire());
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        slot.finish(Verdict::Answered);
        assert!(third.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        let slot = first.as_mut().now_or_never().unwrap();
        drop(slot);
        assert!(third.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_does_not_take_the_slot_a_waiter_waits_for() {
        let limiter = Limiter::new(1, GRACE);
        let mut abandoned = limiter.acquire().await;
        abandoned.sent();
        drop(abandoned);
        let mut waiter = pin!(limiter.acquire());
        assert!(waiter.as_mut().now_or_never().is_none());
        tokio::time::advance(GRACE).await;
        // The slot is free and the waiter has not been woken yet.
        let mut newcomer = pin!(limiter.acquire());
        assert!(newcomer.as_mut().now_or_never().is_none());
        assert!(waiter.as_mut().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_given_to_a_waiter_that_is_gone_goes_to_the_next() {
        let limiter = Limiter::new(1, GRACE);
        let slot = limiter.acquire().await;
        let mut next = {
            let mut gone = Box::pin(limiter.acquire());
            assert!(gone.as_mut().now_or_never().is_none());
            let mut next = Box::pin(limiter.acquire());
            assert!(next.as_mut().now_or_never().is_none());
            // Granted to `gone`, which is dropped before it looks.
            slot.finish(Verdict::Answered);
            next
        };
        assert!(next.as_mut().now_or_never().is_some());
        drop(next);
        assert_eq!(limiter.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_whose_request_never_left_is_free_at_once() {
        let limiter = Limiter::new(1, GRACE);
        drop(limiter.acquire().await);
        assert_eq!(limiter.in_flight(), 0);
        let mut slot = limiter.acquire().await;
        slot.sent();
        drop(slot);
        assert_eq!(limiter.in_flight(), 1);
        tokio::time::advance(GRACE).await;
        assert_eq!(limiter.in_flight(), 0);
    }
}
