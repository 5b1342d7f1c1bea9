//! What happens to everything that is neither a member nor a campaign: it is made, changed and deleted.

use crate::account::Account;
use crate::changes::Refused;
use crate::roster::Roster;
use crate::simulator::MailchimpSimulator;
use crate::stores::{self, Store, catalogue, customers, orders};
use crate::{files, landing_pages, templates};

/// A kind of thing that an account holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Thing<'a> {
    /// A template.
    Template,
    /// A file of the file manager.
    File,
    /// A landing page.
    LandingPage,
    /// A customer of the store with this id.
    Customer(&'a str),
    /// A product of the store with this id.
    Product(&'a str),
    /// An order of the store with this id.
    Order(&'a str),
    /// A cart of the store with this id.
    Cart(&'a str),
}

impl MailchimpSimulator {
    /// Makes one more, with generated content. Gives its id.
    pub fn make(&self, kind: Thing<'_>) -> Result<String, Refused> {
        let now = self.moment(None).stamp;
        self.with_account(|account| {
            let entry = kind.roster(account)?.add(now);
            Ok(kind.id(entry.number))
        })
    }

    /// Changes one: its content, and its time of change where it shows one.
    pub fn change(&self, kind: Thing<'_>, id: &str) -> Result<(), Refused> {
        let now = self.moment(None).stamp;
        self.each(kind, id, |roster, number| roster.touch(number, now))
    }

    /// Deletes one.
    pub fn delete(&self, kind: Thing<'_>, id: &str) -> Result<(), Refused> {
        self.each(kind, id, Roster::remove)
    }

    fn each(
        &self,
        kind: Thing<'_>,
        id: &str,
        act: impl FnOnce(&mut Roster, u32) -> bool,
    ) -> Result<(), Refused> {
        self.with_account(|account| {
            let number = kind.number(account, id).ok_or(Refused::UnknownThing)?;
            let done = act(kind.roster(account)?, number);
            done.then_some(()).ok_or(Refused::UnknownThing)
        })
    }
}

impl Thing<'_> {
    fn roster(self, account: &mut Account) -> Result<&mut Roster, Refused> {
        let store: fn(&mut Store) -> &mut Roster = match self {
            Self::Template => return Ok(&mut account.templates),
            Self::File => return Ok(&mut account.files.held),
            Self::LandingPage => return Ok(&mut account.landing_pages),
            Self::Customer(_) => |store| &mut store.customers,
            Self::Product(_) => |store| &mut store.products,
            Self::Order(_) => |store| &mut store.orders,
            Self::Cart(_) => |store| &mut store.carts,
        };
        let mut stores = account.stores.iter_mut();
        let found = stores.find(|held| Some(held.id.as_str()) == self.store());
        found.map(store).ok_or(Refused::UnknownThing)
    }

    fn store(&self) -> Option<&str> {
        match self {
            Self::Template | Self::File | Self::LandingPage => None,
            Self::Customer(store)
            | Self::Product(store)
            | Self::Order(store)
            | Self::Cart(store) => Some(store),
        }
    }

    /// The word that ids of a store's things begin with.
    fn word(self) -> &'static str {
        match self {
            Self::Template | Self::File | Self::LandingPage => "",
            Self::Customer(_) => customers::KIND,
            Self::Product(_) => catalogue::KIND,
            Self::Order(_) => orders::ORDER,
            Self::Cart(_) => orders::CART,
        }
    }

    fn id(self, number: u32) -> String {
        match self {
            Self::Template => templates::id(number).to_string(),
            Self::File => files::id(number).to_string(),
            Self::LandingPage => landing_pages::id(number),
            _ => stores::id(self.word(), number),
        }
    }

    fn number(self, account: &Account, id: &str) -> Option<u32> {
        match self {
            Self::Template => templates::number(id),
            Self::File => files::number(id),
            Self::LandingPage => {
                let mut pages = account.landing_pages.iter().map(|page| page.number);
                pages.find(|&number| landing_pages::id(number) == id)
            }
            _ => stores::number(self.word(), id),
        }
    }
}
