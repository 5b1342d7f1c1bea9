//! From an answer of the API to rows of the plan and items to deliver.

use std::sync::Arc;

use bytes::Bytes;
use mailchimp_client::{Client, ListMembers, MemberSort, MemberStatus, SortDir};
use sync_core::{Change, Key, fingerprint};

use crate::cursor::to_time;
use crate::member::{Identity, MemberRow};
use crate::plan::{Request, Row, Sweep};

/// What a reader makes of a row.
pub(crate) trait Item: Sized + Send + 'static {
    /// `None` if the row has no key.
    fn from_row(
        list_id: &Arc<str>,
        identity: Identity,
        archived: bool,
        raw: &Bytes,
    ) -> Option<Self>;
}

impl Item for Change<MemberRow> {
    fn from_row(
        list_id: &Arc<str>,
        identity: Identity,
        archived: bool,
        raw: &Bytes,
    ) -> Option<Self> {
        MemberRow::new(list_id, identity, archived, raw.clone()).map(Change::Present)
    }
}

impl Item for Key {
    fn from_row(_: &Arc<str>, identity: Identity, _: bool, _: &Bytes) -> Option<Self> {
        identity.key
    }
}

/// A page, ready for the plan.
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<Row>,
    /// For each row what to deliver; `None` where the row has no key.
    pub(crate) items: Vec<Option<T>>,
    pub(crate) total: Option<u64>,
}

/// Why there is no page.
pub(crate) enum NoPage {
    Failed(mailchimp_client::Error),
    /// There are rows and none says when it changed.
    Timeless,
}

/// What to send with each request beside the window.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) fields: Vec<String>,
    pub(crate) exclude_fields: Vec<String>,
}

pub(crate) async fn fetch<T: Item>(
    client: Client,
    list_id: Arc<str>,
    selection: Arc<Selection>,
    request: Request,
) -> Result<Page<T>, NoPage> {
    let status = match request.sweep {
        Sweep::Listed => None,
        Sweep::Archived => Some(MemberStatus::Archived),
        Sweep::Unsubscribed => Some(MemberStatus::Unsubscribed),
    };
    let query = ListMembers {
        count: Some(request.count),
        offset: Some(request.offset),
        fields: selection.fields.clone(),
        exclude_fields: selection.exclude_fields.clone(),
        status,
        since_last_changed: request.since.and_then(to_time),
        before_last_changed: to_time(request.before),
        sort_field: Some(MemberSort::LastChanged),
        sort_dir: Some(SortDir::Ascending),
        ..ListMembers::default()
    };
    let page = client
        .list(&*list_id)
        .members()
        .list_raw(&query)
        .await
        .map_err(NoPage::Failed)?;
    read(&list_id, request.sweep, &page.rows, page.total_items).ok_or(NoPage::Timeless)
}

/// `None` if no row says when it changed.
fn read<T: Item>(
    list_id: &Arc<str>,
    sweep: Sweep,
    raw: &[Bytes],
    total: Option<u64>,
) -> Option<Page<T>> {
    let archived = sweep == Sweep::Archived;
    let mut rows = Vec::with_capacity(raw.len());
    let mut items = Vec::with_capacity(raw.len());
    // Rows that do not say when they changed stand between others that do: they are sorted.
    let mut at = None;
    let mut leading = 0;
    for raw in raw {
        let identity = Identity::of(raw);
        let key = identity.as_ref().and_then(|identity| identity.key.as_ref());
        let id = fingerprint(key.map_or(raw, |key| key.as_str().as_bytes()));
        at = identity
            .as_ref()
            .and_then(|identity| identity.last_changed)
            .map(|at| at.timestamp())
            .or(at);
        leading += usize::from(at.is_none());
        rows.push(Row {
            id,
            at: at.unwrap_or_default(),
        });
        items.push(identity.and_then(|identity| T::from_row(list_id, identity, archived, raw)));
    }
    let first = rows.get(leading).map(|row| row.at);
    match first {
        Some(first) => rows[..leading].iter_mut().for_each(|row| row.at = first),
        None if leading > 0 => return None,
        None => {}
    }
    Some(Page { rows, items, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: &[&str]) -> Option<Page<Key>> {
        let raw: Vec<Bytes> = rows
            .iter()
            .map(|row| row.as_bytes().to_vec().into())
            .collect();
        read(&Arc::from("a1"), Sweep::Listed, &raw, None)
    }

    #[test]
    fn a_row_without_time_takes_its_neighbours() {
        let page = page(&[
            r#"{"id":"a"}"#,
            r#"{"id":"b","last_changed":"1970-01-01T00:00:05Z"}"#,
            r#"{"id":"c","last_changed":""}"#,
            r#"{"id":"d","last_changed":"1970-01-01T00:00:07Z"}"#,
        ])
        .expect("a page");
        assert_eq!(
            page.rows.iter().map(|row| row.at).collect::<Vec<_>>(),
            [5, 5, 5, 7]
        );
        assert!(page.items.iter().all(Option::is_some));
    }

    #[test]
    fn a_row_without_key_keeps_its_place() {
        let page = page(&[
            r#"{"email_address":"x","last_changed":"1970-01-01T00:00:05Z"}"#,
            r#"{"id":"b","last_changed":"1970-01-01T00:00:05Z"}"#,
        ])
        .expect("a page");
        assert_eq!(page.items, [None, Some(Key::new("b"))]);
    }

    #[test]
    fn rows_of_which_none_has_a_time_are_no_page() {
        assert!(page(&[r#"{"id":"a"}"#]).is_none());
        assert!(page(&[]).is_some());
    }
}
