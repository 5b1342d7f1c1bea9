//! What happens to everything that is neither a member nor a campaign: it is made, changed and deleted.

use crate::account::Account;
use crate::changes::Refused;
use crate::roster::Roster;
use crate::simulator::MailchimpSimulator;
use crate::templates;

/// A kind of thing that an account holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Thing {
    /// A template.
    Template,
}

impl MailchimpSimulator {
    /// Makes one more, with generated content. Gives its id.
    pub fn make(&self, kind: Thing) -> String {
        let now = self.moment(None).stamp;
        self.with_account(|account| {
            let entry = kind.roster(account).add(now);
            kind.id(entry.number)
        })
    }

    /// Changes one: its content, and its time of change where it shows one.
    pub fn change(&self, kind: Thing, id: &str) -> Result<(), Refused> {
        let now = self.moment(None).stamp;
        self.each(kind, id, |roster, number| roster.touch(number, now))
    }

    /// Deletes one.
    pub fn delete(&self, kind: Thing, id: &str) -> Result<(), Refused> {
        self.each(kind, id, Roster::remove)
    }

    fn each(
        &self,
        kind: Thing,
        id: &str,
        act: impl FnOnce(&mut Roster, u32) -> bool,
    ) -> Result<(), Refused> {
        self.with_account(|account| {
            let number = kind.number(id).ok_or(Refused::UnknownThing)?;
            let done = act(kind.roster(account), number);
            done.then_some(()).ok_or(Refused::UnknownThing)
        })
    }
}

impl Thing {
    fn roster(self, account: &mut Account) -> &mut Roster {
        match self {
            Self::Template => &mut account.templates,
        }
    }

    fn id(self, number: u32) -> String {
        match self {
            Self::Template => templates::id(number).to_string(),
        }
    }

    fn number(self, id: &str) -> Option<u32> {
        match self {
            Self::Template => templates::number(id),
        }
    }
}
