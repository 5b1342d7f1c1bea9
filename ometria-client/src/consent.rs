//! What a record claims about a person's consent to e-mail marketing.

use serde::Serialize;

use crate::contact::Contact;

/// The values of `marketing_optin`, exactly as Ometria spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Optin {
    /// The person said yes.
    #[serde(rename = "EXPLICITLY_OPTEDIN")]
    ExplicitlyOptedIn,
    /// The person said no.
    #[serde(rename = "EXPLICITLY_OPTEDOUT")]
    ExplicitlyOptedOut,
    /// Nothing is known.
    #[serde(rename = "NOT_SPECIFIED")]
    NotSpecified,
}

impl Optin {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExplicitlyOptedIn => "EXPLICITLY_OPTEDIN",
            Self::ExplicitlyOptedOut => "EXPLICITLY_OPTEDOUT",
            Self::NotSpecified => "NOT_SPECIFIED",
        }
    }
}

/// What an ordinary record may claim.
///
/// A forced opt-in is not among them: `@force_optin` makes a listing win over every other listing of the person, the
/// preference centre included, so forcing an opt-in can subscribe someone who opted out. See
/// [Force opt-in](https://support.ometria.com/hc/en-gb) in Ometria's help centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Consent {
    /// Opted in; loses against any opt-out Ometria knows of.
    OptIn,
    /// Opted out; loses against an opt-in that was forced earlier.
    OptOut,
    /// Opted out, whatever other listings say.
    ForcedOptOut,
    /// Nothing is claimed any more. It replaces what this listing claimed before, an opt-out too; to leave a stored claim
    /// alone, set no consent at all.
    NotSpecified,
}

impl Consent {
    /// The value of `marketing_optin`.
    pub fn optin(self) -> Optin {
        match self {
            Self::OptIn => Optin::ExplicitlyOptedIn,
            Self::OptOut | Self::ForcedOptOut => Optin::ExplicitlyOptedOut,
            Self::NotSpecified => Optin::NotSpecified,
        }
    }

    /// Whether `@force_optin` goes with it.
    pub fn is_forced(self) -> bool {
        self == Self::ForcedOptOut
    }
}

/// A contact that is opted in whatever anyone said before, the person included.
///
/// It exists for an operator who holds fresh proof of consent and has to repair one wrong opt-out. No automatic mapping
/// should ever make one, and making one belongs in an audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorForcedOptIn {
    contact: Contact,
}

impl OperatorForcedOptIn {
    /// Takes a contact and replaces its consent by the forced opt-in.
    pub fn overriding_every_opt_out(contact: Contact) -> Self {
        Self { contact }
    }

    /// The contact, without the override.
    pub fn contact(&self) -> &Contact {
        &self.contact
    }
}
