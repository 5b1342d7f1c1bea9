//! `/verified-domains`: domains the account may send from.

use crate::client::Client;
use crate::endpoint::{collection, object};
use crate::field::Timestamp;
use crate::open_enum::open_enum;
use crate::paging::PageRequest;
use crate::record::record;

/// The domains of an account; made by [`Client::verified_domains`].
#[derive(Debug, Clone)]
pub struct VerifiedDomains {
    client: Client,
}

impl VerifiedDomains {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/verified-domains",
        "domains": VerifiedDomain, PageRequest,
        /// The domains. Pages are not documented here.
        page list,
        /// All domains.
        stream stream,
    }

    object! {
        "/verified-domains/{domain_name}" (domain_name: &str): VerifiedDomain,
        /// One domain.
        get
    }
}

open_enum! {
    /// How far a domain has come.
    DomainStatus {
        /// Being verified.
        VerificationInProgress = "VERIFICATION_IN_PROGRESS",
        /// Verified.
        Verified = "VERIFIED",
        /// Was not verified in time.
        Expired = "EXPIRED",
        /// Could not be verified.
        Error = "ERROR",
        /// Being authenticated.
        AuthenticationInProgress = "AUTHENTICATION_IN_PROGRESS",
        /// Could not be authenticated.
        AuthenticationError = "AUTHENTICATION_ERROR",
        /// Authenticated.
        Authenticated = "AUTHENTICATED",
    }
}

record! {
    /// A domain.
    VerifiedDomain {
        /// Its name.
        domain: String,
        /// Whether it is verified.
        verified: bool,
        /// Whether its mail is signed.
        authenticated: bool,
        /// Address that got the code.
        verification_email: String,
        /// When it got the code.
        verification_sent: Timestamp,
        /// How far it has come.
        status: DomainStatus,
        /// Whether it belongs to a free mail service.
        is_free_email_provider: bool,
    }
}
