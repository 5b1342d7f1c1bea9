//! What an operator may choose about contacts and consent.

use serde::{Deserialize, Serialize};
use sync_core::{Error, ErrorKind, Result};

use crate::fact::OMETRIA_AUDIENCE;

/// What is sent about a contact besides consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContactSettings {
    /// Custom field that receives the source's status word, such as `mailchimp_status`. Default none: Ometria does not
    /// say what it does with a custom field that is not set up in the account.
    pub status_property: Option<String>,
    /// Whether `timestamp_subscribed` goes with an opt-in. Default true. Without it Ometria stamps the time of arrival.
    /// Either way the first opt-in of a person may start a welcome campaign; Ometria documents that an event needs both
    /// the opt-in and this time in one record, so a first load that must not start any leaves it out.
    pub send_subscribed_time: bool,
    /// Whether SMS subscriptions are sent, and how. Default off.
    pub sms: SmsPolicy,
}

impl Default for ContactSettings {
    fn default() -> Self {
        Self {
            status_property: None,
            send_subscribed_time: true,
            sms: SmsPolicy::Off,
        }
    }
}

/// What becomes of SMS subscriptions. They travel in records of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmsPolicy {
    /// Nothing is sent.
    #[default]
    Off,
    /// Ometria asks the person to confirm by SMS.
    AskToConfirm,
    /// The person confirmed at the source; Ometria takes the decision as it is.
    AlreadyConfirmed,
}

/// Who decides about consent, and what the statuses mean that are no decision of the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsentSettings {
    /// Names the Ometria account. Imports with the same name share what they know about opt-outs. Default `ometria`.
    pub account: String,
    /// Ids of all audiences that go to this Ometria account. An opt-out in any of them holds back opt-ins from all. An
    /// import's own audience need not stand here. Default none.
    pub audiences: Vec<String>,
    /// The one audience that holds consent, if the operator declares one: its members' statuses count whatever other
    /// audiences say, and the others claim nothing at all. Default none, where every audience counts.
    pub consent_audience: Option<String>,
    /// Whether an opt-out is forced (`@force_optin`), so that it also beats an opt-in that was forced earlier. Default true.
    pub force_opt_out: bool,
    /// What an address that bounced means. Default opted out, unforced: it must not be mailed, and it is repairable.
    pub cleaned: CleanedPolicy,
    /// What an archived member means. Default: our own opt-in is withdrawn and nothing is invented.
    pub archived: ArchivedPolicy,
}

impl Default for ConsentSettings {
    fn default() -> Self {
        Self {
            account: "ometria".to_owned(),
            audiences: Vec::new(),
            consent_audience: None,
            force_opt_out: true,
            cleaned: CleanedPolicy::default(),
            archived: ArchivedPolicy::default(),
        }
    }
}

/// What an address that bounced means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleanedPolicy {
    /// An unforced opt-out. Ometria counts it as an unsubscribe.
    #[default]
    OptOut,
    /// No claim; an opt-in sent earlier is withdrawn.
    Withdraw,
}

/// What an archived member means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArchivedPolicy {
    /// No claim; an opt-in sent earlier is withdrawn.
    #[default]
    Withdraw,
    /// An unforced opt-out.
    OptOut,
}

fn wrong(field: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "read settings", message).with("field", field)
}

impl ContactSettings {
    /// Whether these settings can work.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the field.
    pub fn validate(&self) -> Result<()> {
        if self
            .status_property
            .as_deref()
            .is_some_and(|name| name.trim().is_empty())
        {
            return Err(wrong(
                "status_property",
                "the name of a custom field must not be empty",
            ));
        }
        Ok(())
    }
}

impl ConsentSettings {
    /// Whether these settings can work.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the field.
    pub fn validate(&self) -> Result<()> {
        if self.account.trim().is_empty() {
            return Err(wrong(
                "account",
                "the name of the ometria account must not be empty",
            ));
        }
        for audience in &self.audiences {
            check_audience("audiences", audience)?;
        }
        if let Some(audience) = &self.consent_audience {
            check_audience("consent_audience", audience)?;
        }
        Ok(())
    }
}

pub(crate) fn check_audience(field: &'static str, audience: &str) -> Result<()> {
    if audience.is_empty() || audience.contains(|c: char| c == '/' || c.is_whitespace()) {
        return Err(wrong(
            field,
            "an audience id must not be empty nor hold a slash or white space",
        ));
    }
    if audience == OMETRIA_AUDIENCE {
        return Err(wrong(
            field,
            "this audience id is reserved for what ometria itself reports",
        ));
    }
    Ok(())
}

pub(crate) fn check_collection(collection: &str) -> Result<()> {
    if collection.trim().is_empty() {
        return Err(wrong("collection", "the collection must not be empty"));
    }
    let reserved = [
        ometria_client::SmsCollection::AskToConfirm,
        ometria_client::SmsCollection::AlreadyConfirmed,
    ];
    if reserved
        .iter()
        .any(|name| name.as_str().eq_ignore_ascii_case(collection.trim()))
    {
        return Err(wrong(
            "collection",
            "ometria reserves this collection for sms consent",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_hold_and_an_empty_object_means_them() {
        assert_eq!(
            serde_json::from_str::<ConsentSettings>("{}").unwrap(),
            ConsentSettings::default()
        );
        assert_eq!(
            serde_json::from_str::<ContactSettings>("{}").unwrap(),
            ContactSettings::default()
        );
        ConsentSettings::default().validate().unwrap();
        ContactSettings::default().validate().unwrap();
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(serde_json::from_str::<ConsentSettings>(r#"{"force_optin":true}"#).is_err());
        assert!(serde_json::from_str::<ContactSettings>(r#"{"statusproperty":"x"}"#).is_err());
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let named = |result: Result<()>, field: &str| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                error.context().any(|pair| pair == ("field", field)),
                "{error}"
            );
        };
        let consent = ConsentSettings::default();
        named(
            ConsentSettings {
                account: " ".into(),
                ..consent.clone()
            }
            .validate(),
            "account",
        );
        for bad in ["", "a/b", "a b", "ometria"] {
            let with = vec!["ok".into(), bad.into()];
            named(
                ConsentSettings {
                    audiences: with,
                    ..consent.clone()
                }
                .validate(),
                "audiences",
            );
            let with = Some(bad.into());
            named(
                ConsentSettings {
                    consent_audience: with,
                    ..consent.clone()
                }
                .validate(),
                "consent_audience",
            );
        }
        let contact = ContactSettings {
            status_property: Some(" ".into()),
            ..Default::default()
        };
        named(contact.validate(), "status_property");
        for bad in ["", " ", "optin:sms", "Double_OptIn:SMS"] {
            named(check_collection(bad), "collection");
        }
        check_collection("mailchimp:abc").unwrap();
    }
}
