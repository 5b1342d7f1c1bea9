//! Lets a mapping of subscribers take rows of an audience.

use mailchimp_client::Member;
use sync_core::{Change, Keyed, LedgerEntry, LedgerKey, LedgerView, Mapping, Prepared};
use sync_mailchimp::MemberRow;
use sync_ometria::Subscriber;

use super::fields::FieldMapping;

/// Turns each row into a [`Subscriber`] and asks `inner`.
///
/// A row that cannot be one is rejected with the reason; the others go on.
#[derive(Clone, Debug)]
pub struct AudienceMapping<M> {
    fields: FieldMapping,
    inner: M,
}

impl<M> AudienceMapping<M> {
    /// Rows become subscribers by `fields` and are judged by `inner`.
    pub fn new(fields: FieldMapping, inner: M) -> Self {
        Self { fields, inner }
    }

    fn subscriber(&self, change: &Change<MemberRow>) -> Result<Change<Subscriber>, String> {
        let row = match change {
            Change::Removed(key) => return Ok(Change::Removed(key.clone())),
            Change::Present(row) => row,
        };
        let member: Member = serde_json::from_slice(row.raw())
            .map_err(|_| "the member is not a JSON object as documented".to_owned())?;
        // Without this time no opt-in could be told from an older opt-out.
        let changed = row
            .last_changed()
            .ok_or("last_changed: missing at the member or not a time")?;
        self.fields
            .subscriber(row.key(), changed, &member)
            .map(Change::Present)
    }
}

impl<M, O> Mapping<MemberRow, O> for AudienceMapping<M>
where
    M: Mapping<Subscriber, O>,
{
    fn lookups(&self, change: &Change<MemberRow>) -> Vec<LedgerKey> {
        self.subscriber(change)
            .map_or_else(|_| Vec::new(), |change| self.inner.lookups(&change))
    }

    fn prepare(&self, change: Change<MemberRow>, ledger: &LedgerView<'_>) -> Prepared<O> {
        match self.subscriber(&change) {
            Ok(change) => self.inner.prepare(change, ledger),
            Err(reason) => Prepared::reject(reason),
        }
    }

    fn meanwhile(&self, known: Option<&LedgerEntry>, next: &LedgerEntry) -> Option<Box<[u8]>> {
        self.inner.meanwhile(known, next)
    }
}
