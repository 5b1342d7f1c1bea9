//! A simulated Mailchimp account whose clock stands still.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use loopback::{Outcome, Simulator};
use mailchimp_client::Client;
use mailchimp_simulator::{AudienceSpec, MailchimpSimulator, Settings, Spread};

use crate::answers::{Answer, Answering, MAILCHIMP_KEY, mailchimp};

/// The audience of the account.
pub const LIST: &str = "a1b2c3d4e5";

/// The time it always is.
pub fn noon() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_772_366_400)
}

/// An account with one audience of 30 members who changed within the last hour, and a client of it.
pub fn simulated() -> (MailchimpSimulator, Client) {
    let simulator = MailchimpSimulator::new(Settings::new(MAILCHIMP_KEY, Arc::new(noon)));
    let mut audience = AudienceSpec::new(LIST, 30);
    audience.spread = Spread::Even {
        from: noon() - TimeDelta::hours(1),
        to: noon() - TimeDelta::seconds(10),
    };
    simulator.add_audience(audience);
    let server = simulator.clone();
    let transport = Answering::by(
        move |request| match server.handle(request.clone()).outcome {
            Outcome::Response(response) => {
                let (head, body) = response.into_parts();
                Answer::new(head.status.as_u16(), body).with_headers(head.headers)
            }
            outcome => panic!("no fault was asked for: {outcome:?}"),
        },
    );
    let client = mailchimp(transport).build().expect("a client");
    (simulator, client)
}
