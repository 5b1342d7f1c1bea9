//! Both APIs on loopback ports of the test's process.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use loopback::Server;
use mailchimp_simulator::{AudienceHandle, AudienceSpec, MailchimpSimulator, StatusMix};
use ometria_simulator::OmetriaSimulator;
use sync_core::{Clock, SystemClock};

use crate::program::Place;

pub(crate) const LIST: &str = "5a1b2c3d4e";
pub(crate) const MAILCHIMP_KEY: &str = "0123456789abcdef-us6";
pub(crate) const OMETRIA_KEY: &str = "fedcba9876543210";

/// Two simulated accounts, served until this is dropped.
pub(crate) struct Simulated {
    pub(crate) mailchimp: MailchimpSimulator,
    pub(crate) ometria: OmetriaSimulator,
    servers: [Server; 2],
}

impl Simulated {
    pub(crate) async fn start() -> Self {
        Self::with(MAILCHIMP_KEY, OMETRIA_KEY, |_| {}).await
    }

    pub(crate) async fn with(
        mailchimp_key: &str,
        ometria_key: &str,
        adjust: impl FnOnce(&mut mailchimp_simulator::Settings),
    ) -> Self {
        let mut settings =
            mailchimp_simulator::Settings::new(mailchimp_key, Arc::new(|| SystemClock.now()));
        adjust(&mut settings);
        let mailchimp = MailchimpSimulator::new(settings);
        let ometria = OmetriaSimulator::new(ometria_simulator::Settings::new(
            ometria_key,
            Arc::new(|| SystemClock.now()),
        ));
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let servers = [
            Server::start(Arc::new(mailchimp.clone()), any_port)
                .await
                .unwrap(),
            Server::start(Arc::new(ometria.clone()), any_port)
                .await
                .unwrap(),
        ];
        Self {
            mailchimp,
            ometria,
            servers,
        }
    }

    /// Adds an audience like a shop's.
    pub(crate) fn audience(&self, list_id: &str, members: u32) -> AudienceHandle {
        let mut spec = AudienceSpec::new(list_id, members);
        spec.statuses = StatusMix::SHOP;
        self.mailchimp.add_audience(spec)
    }

    /// A place whose environment leads to these accounts.
    pub(crate) fn place(&self) -> Place {
        let mut place = Place::new();
        place
            .set("MAILCHIMP_API_KEY", MAILCHIMP_KEY)
            .set("MAILCHIMP_BASE_URL", self.mailchimp_url())
            .set("OMETRIA_API_KEY", OMETRIA_KEY)
            .set("OMETRIA_BASE_URL", self.ometria_url())
            .set("SYNC_METRICS", "off");
        place
    }

    pub(crate) fn mailchimp_url(&self) -> String {
        format!("{}/3.0", self.servers[0].url())
    }

    pub(crate) fn ometria_url(&self) -> String {
        format!("{}/v2", self.servers[1].url())
    }

    /// Where the record endpoint is.
    pub(crate) fn record_url(&self) -> String {
        self.servers[1].url()
    }
}
