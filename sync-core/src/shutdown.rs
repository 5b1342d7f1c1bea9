//! Asking running work to stop at the next safe place.

use tokio::sync::watch;

/// Creates a stop signal and the handle that gives it.
pub fn shutdown() -> (ShutdownHandle, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (
        ShutdownHandle { sender },
        Shutdown {
            receiver: Some(receiver),
        },
    )
}

/// Gives the stop signal. Dropping it does not stop anything.
#[derive(Clone, Debug)]
pub struct ShutdownHandle {
    sender: watch::Sender<bool>,
}

impl ShutdownHandle {
    /// Asks everything that holds the [`Shutdown`] to finish its batch, flush, commit and return.
    pub fn request(&self) {
        self.sender.send_replace(true);
    }
}

/// Hears the stop signal. Clones hear the same one.
#[derive(Clone, Debug)]
pub struct Shutdown {
    receiver: Option<watch::Receiver<bool>>,
}

impl Shutdown {
    /// A signal that never comes.
    pub fn never() -> Self {
        Self { receiver: None }
    }

    /// Whether the signal was given.
    pub fn is_requested(&self) -> bool {
        self.receiver
            .as_ref()
            .is_some_and(|receiver| *receiver.borrow())
    }

    /// Returns once the signal was given. Cancel-safe.
    pub async fn requested(&self) {
        if let Some(receiver) = &self.receiver {
            let mut receiver = receiver.clone();
            if receiver.wait_for(|requested| *requested).await.is_ok() {
                return;
            }
        }
        // No handle is left to give the signal.
        std::future::pending::<()>().await;
    }
}
