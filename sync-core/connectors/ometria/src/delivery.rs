//! What a mapping gives the sink: one record to push, and what the operator should hear about it.

use std::fmt;

use ometria_client::{Consent, Record};
use sync_core::{Key, Keyed};

/// One record for the push API.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    key: Key,
    record: Record,
    notices: Vec<Notice>,
}

impl Delivery {
    pub(crate) fn new(key: Key, record: impl Into<Record>, notices: Vec<Notice>) -> Self {
        Self {
            key,
            record: record.into(),
            notices,
        }
    }

    /// What is pushed.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What the operator should hear once it is pushed.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// What it claims about e-mail consent.
    pub fn consent(&self) -> Option<Consent> {
        match &self.record {
            Record::Contact(contact) => contact.consent,
            _ => None,
        }
    }

    /// Whether it carries an opt-out, by e-mail or SMS: these go first.
    pub fn is_opt_out(&self) -> bool {
        match &self.record {
            Record::SmsConsent(sms) => !sms.allow_marketing,
            _ => matches!(
                self.consent(),
                Some(Consent::OptOut | Consent::ForcedOptOut)
            ),
        }
    }

    /// Takes the place of an older record of the same listing that was never sent.
    ///
    /// This record was made in the belief that the older one had arrived. Where it makes no claim of its own, it carries on
    /// the older one's, or an opt-out would be lost. The exception is an opt-in: it is never sent for a state that has passed.
    pub(crate) fn replace(&mut self, older: Self) {
        let (Record::Contact(new), Record::Contact(old)) = (&mut self.record, older.record) else {
            return;
        };
        if new.consent.is_some() || old.consent == Some(Consent::OptIn) {
            return;
        }
        new.consent = old.consent;
        new.timestamp_unsubscribed = new.timestamp_unsubscribed.or(old.timestamp_unsubscribed);
        self.notices.extend(older.notices);
    }
}

impl Keyed for Delivery {
    fn key(&self) -> Key {
        self.key.clone()
    }
}

/// Something about one record that an operator may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notice {
    /// The member is subscribed and was not opted in.
    OptInWithheld(Withheld),
    /// The person opted in again after an opt-out that we had forced. Ometria does not say whether the opt-in, which is not
    /// forced, lifts it: it may have to be confirmed there.
    MayNeedConfirmation,
    /// The source used a status word this crate does not know; no claim was made.
    UnknownStatus,
    /// The phone number is not in international form and was left out.
    PhoneLeftOut,
    /// Custom fields beyond Ometria's limit were left out.
    PropertiesLeftOut,
}

/// Why a subscribed member is not opted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Withheld {
    /// The marketing permission that the operator requires is not given.
    NoPermission,
    /// Another audience has the address unsubscribed.
    UnsubscribedElsewhere,
    /// There was an opt-out, and the source does not say when the person opted in.
    NoOptInTime,
    /// There was an opt-out, and the opt-in is not later.
    NotNewerThanOptOut,
    /// What was remembered cannot be read, so an opt-out may be among it.
    UnreadableState,
}

impl Notice {
    /// A short constant word, fit for a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OptInWithheld(reason) => match reason {
                Withheld::NoPermission => "opt_in_withheld_no_permission",
                Withheld::UnsubscribedElsewhere => "opt_in_withheld_unsubscribed_elsewhere",
                Withheld::NoOptInTime => "opt_in_withheld_no_opt_in_time",
                Withheld::NotNewerThanOptOut => "opt_in_withheld_not_newer_than_opt_out",
                Withheld::UnreadableState => "opt_in_withheld_unreadable_state",
            },
            Self::MayNeedConfirmation => "may_need_confirmation",
            Self::UnknownStatus => "unknown_status",
            Self::PhoneLeftOut => "phone_left_out",
            Self::PropertiesLeftOut => "properties_left_out",
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use ometria_client::Contact;

    use super::*;

    fn delivery(consent: Option<Consent>) -> Delivery {
        let mut contact = Contact::new("c", "i");
        contact.consent = consent;
        Delivery::new(Key::new("k"), contact, Vec::new())
    }

    #[test]
    fn a_replaced_opt_out_lives_on_and_a_replaced_opt_in_does_not() {
        let all = [
            None,
            Some(Consent::OptIn),
            Some(Consent::OptOut),
            Some(Consent::ForcedOptOut),
            Some(Consent::NotSpecified),
        ];
        for older in all {
            for newer in all {
                let mut replacing = delivery(newer);
                replacing.replace(delivery(older));
                let expected = match (newer, older) {
                    (None, Some(Consent::OptIn)) => None,
                    (None, older) => older,
                    (newer, _) => newer,
                };
                assert_eq!(replacing.consent(), expected, "{older:?} then {newer:?}");
            }
        }
    }

    #[test]
    fn the_time_of_a_replaced_opt_out_lives_on_with_it() {
        let mut older = Contact::new("c", "i").consent(Consent::ForcedOptOut);
        older.timestamp_unsubscribed = DateTime::from_timestamp(5, 0);
        let mut newer = delivery(None);
        newer.replace(Delivery::new(Key::new("k"), older, Vec::new()));
        let Record::Contact(contact) = newer.record() else {
            panic!("not a contact")
        };
        assert_eq!(
            contact.timestamp_unsubscribed,
            DateTime::from_timestamp(5, 0)
        );
        assert!(newer.is_opt_out());
    }
}
