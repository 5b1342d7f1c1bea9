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
    fn from_row(list_id: &Arc<str>, identity: Identity, archived: bool, raw: Bytes)
    -> Option<Self>;
}

impl Item for Change<MemberRow> {
    fn from_row(
        list_id: &Arc<str>,
        identity: Identity,
        archived: bool,
        raw: Bytes,
    ) -> Option<Self> {
        MemberRow::new(list_id, identity, archived, raw).map(Change::Present)
    }
}

impl Item for Key {
    fn from_row(_: &Arc<str>, identity: Identity, _: bool, _: Bytes) -> Option<Self> {
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
    let mut reading = Reading::new(list_id, request.sweep);
    let page = client
        .list(&*reading.list_id.clone())
        .members()
        .list_raw_with(&query, Identity::FIELDS, |raw, values| {
            reading.take(raw, values);
        })
        .await
        .map_err(NoPage::Failed)?;
    reading.page(page.total_items).ok_or(NoPage::Timeless)
}

/// A page being put together.
struct Reading<T> {
    list_id: Arc<str>,
    archived: bool,
    rows: Vec<Row>,
    items: Vec<Option<T>>,
    /// Rows that do not say when they changed stand between others that do: they are sorted.
    at: Option<i64>,
    /// How many of them come first.
    leading: usize,
}

impl<T: Item> Reading<T> {
    fn new(list_id: Arc<str>, sweep: Sweep) -> Self {
        Self {
            list_id,
            archived: sweep == Sweep::Archived,
            rows: Vec::new(),
            items: Vec::new(),
            at: None,
            leading: 0,
        }
    }

    fn take(&mut self, raw: Bytes, values: [Option<&str>; Identity::FIELDS.len()]) {
        let identity = Identity::of(&raw, values);
        let id = identity
            .key
            .as_ref()
            .map_or(&raw[..], |key| key.as_str().as_bytes());
        let id = fingerprint(id);
        let changed = identity.last_changed.map(|at| at.timestamp());
        self.at = changed.or(self.at);
        self.leading += usize::from(self.at.is_none());
        self.rows.push(Row {
            id,
            at: self.at.unwrap_or_default(),
        });
        let item = T::from_row(&self.list_id, identity, self.archived, raw);
        self.items.push(item);
    }

    /// `None` if no row says when it changed.
    fn page(mut self, total: Option<u64>) -> Option<Page<T>> {
        let first = self.rows.get(self.leading).map(|row| row.at);
        match first {
            Some(first) => self.rows[..self.leading]
                .iter_mut()
                .for_each(|row| row.at = first),
            None if self.leading > 0 => return None,
            None => {}
        }
        Some(Page {
            rows: self.rows,
            items: self.items,
            total,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: &[&'static str]) -> Option<Page<Key>> {
        let mut reading = Reading::new(Arc::from("a1"), Sweep::Listed);
        for row in rows {
            let values = json_scan::fields(row, Identity::FIELDS).expect("an object");
            reading.take(Bytes::from_static(row.as_bytes()), values);
        }
        reading.page(None)
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
