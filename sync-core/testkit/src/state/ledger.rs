//! The ledger and the search for removals in it.

use sync_core::{Commit, ImportId, Key, LedgerChange, LedgerEntry, Scope, StateStore};

use super::{at, change_ledger, commit_at, delete, entry, put};

pub(super) async fn entries_come_back_in_the_order_asked(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let scope = import.scope();
    let other = Scope::shared("other");
    let ledger = vec![
        put(&scope, "x", 1, b""),
        put(&scope, "y", u64::MAX, b"\0\xff"),
        put(&other, "x", 3, &[7; 1000]),
    ];
    change_ledger(store, &import, ledger).await;
    let asked = [
        at(&other, "x"),
        at(&scope, "y"),
        at(&scope, "missing"),
        at(&scope, "x"),
        at(&Scope::shared("no such scope"), "x"),
        at(&scope, "y"),
    ];
    let found = store.ledger(&asked).await.expect("ledger");
    let entry = |fingerprint, note: &[u8]| {
        Some(LedgerEntry {
            fingerprint,
            note: note.into(),
        })
    };
    assert_eq!(
        found,
        [
            entry(3, &[7; 1000]),
            entry(u64::MAX, b"\0\xff"),
            None,
            entry(1, b""),
            None,
            entry(u64::MAX, b"\0\xff"),
        ],
        "one answer for each place asked, in that order"
    );
    assert_eq!(
        store.ledger(&[]).await.expect("ledger"),
        [],
        "no question, no answer"
    );
}

pub(super) async fn the_last_change_of_a_key_holds(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let scope = import.scope();
    let ledger = vec![
        put(&scope, "written twice", 1, b"old"),
        put(&scope, "written, deleted", 1, b""),
        delete(&scope, "deleted, written"),
        put(&scope, "written twice", 2, b"new"),
        delete(&scope, "written, deleted"),
        put(&scope, "deleted, written", 3, b""),
        delete(&scope, "never there"),
    ];
    change_ledger(store, &import, ledger).await;
    let expected = Some(LedgerEntry {
        fingerprint: 2,
        note: b"new"[..].into(),
    });
    assert_eq!(entry(store, &scope, "written twice").await, expected);
    assert_eq!(entry(store, &scope, "written, deleted").await, None);
    assert!(entry(store, &scope, "deleted, written").await.is_some());
    assert_eq!(store.ledger_len(&scope).await.expect("ledger_len"), 2);

    change_ledger(store, &import, vec![put(&scope, "written twice", 4, b"")]).await;
    let expected = Some(LedgerEntry {
        fingerprint: 4,
        note: Box::default(),
    });
    assert_eq!(
        entry(store, &scope, "written twice").await,
        expected,
        "a later commit holds"
    );
    change_ledger(store, &import, vec![delete(&scope, "written twice")]).await;
    assert_eq!(
        entry(store, &scope, "written twice").await,
        None,
        "a deleted entry is gone"
    );
}

/// Keys that a store could confuse: digests and texts that look like them, cases, scripts, lengths.
const KEYS: [&str; 12] = [
    "0123456789abcdef0123456789abcdef",
    "0123456789ABCDEF0123456789ABCDEF",
    "0123456789abcdef0123456789abcdeg",
    "ffffffffffffffffffffffffffffffff",
    "ab",
    "AB",
    "",
    " ",
    "\0",
    "日本語 \u{1f980}",
    "e\u{301}",
    "é",
];

pub(super) async fn every_kind_of_key_is_kept(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let scope = import.scope();
    let ledger: Vec<LedgerChange> = KEYS
        .iter()
        .zip(1..)
        .map(|(key, n)| put(&scope, key, n, key.as_bytes()))
        .collect();
    change_ledger(store, &import, ledger).await;
    for (key, n) in KEYS.iter().zip(1..) {
        let expected = Some(LedgerEntry {
            fingerprint: n,
            note: key.as_bytes().into(),
        });
        assert_eq!(
            entry(store, &scope, key).await,
            expected,
            "the entry of key {key:?}"
        );
    }
    let mut unseen = store.unseen(&scope, None, 100).await.expect("unseen");
    unseen.sort();
    let mut all: Vec<Key> = KEYS.iter().map(|key| Key::new(*key)).collect();
    all.sort();
    assert_eq!(unseen, all, "keys come back as they were given");
}

pub(super) async fn scopes_are_separate(store: &dyn StateStore) {
    let (a, b) = (ImportId::new("a"), ImportId::new("b"));
    let shared = Scope::shared("account/1");
    change_ledger(
        store,
        &a,
        vec![put(&a.scope(), "k", 1, b""), put(&shared, "k", 2, b"")],
    )
    .await;
    change_ledger(
        store,
        &b,
        vec![put(&b.scope(), "k", 3, b""), put(&shared, "l", 4, b"")],
    )
    .await;
    change_ledger(store, &a, vec![delete(&a.scope(), "k")]).await;
    assert_eq!(entry(store, &a.scope(), "k").await, None);
    assert_eq!(
        entry(store, &b.scope(), "k")
            .await
            .map(|entry| entry.fingerprint),
        Some(3)
    );
    assert_eq!(store.ledger_len(&a.scope()).await.expect("ledger_len"), 0);
    assert_eq!(store.ledger_len(&b.scope()).await.expect("ledger_len"), 1);
    assert_eq!(
        store.ledger_len(&shared).await.expect("ledger_len"),
        2,
        "imports share a scope"
    );
}

pub(super) async fn a_large_commit_is_whole(store: &dyn StateStore) {
    const MANY: u64 = 5_000;
    let import = ImportId::new("a");
    let scope = import.scope();
    // Multiplying by an odd number visits the keys in no order.
    let key = |n: u64| format!("{:032x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let all: Vec<LedgerChange> = (0..MANY)
        .map(|n| put(&scope, &key(n), n + 1, b"note"))
        .collect();
    change_ledger(store, &import, all).await;
    assert_eq!(store.ledger_len(&scope).await.expect("ledger_len"), MANY);
    let asked: Vec<_> = (0..MANY).map(|n| at(&scope, &key(n))).collect();
    let found = store.ledger(&asked).await.expect("ledger");
    let fingerprints: Vec<_> = found
        .iter()
        .flatten()
        .map(|entry| entry.fingerprint)
        .collect();
    assert!(
        fingerprints.into_iter().eq(1..=MANY),
        "every entry of a large commit is there"
    );
}

pub(super) async fn a_sweep_finds_what_was_not_seen(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let scope = import.scope();
    let keys = |keys: &[&str]| keys.iter().map(|key| Key::new(*key)).collect::<Vec<_>>();
    let ledger = ["a", "b", "c", "d"]
        .map(|key| put(&scope, key, 1, b""))
        .to_vec();
    change_ledger(store, &import, ledger).await;

    store.begin_sweep(&scope).await.expect("begin_sweep");
    assert_eq!(
        unseen(store, &scope).await,
        keys(&["a", "b", "c", "d"]),
        "at first none is marked"
    );
    store
        .mark_seen(&scope, &keys(&["a", "not in the ledger"]))
        .await
        .expect("mark_seen");
    store
        .mark_seen(&scope, &keys(&["c", "a"]))
        .await
        .expect("a key may be marked twice");
    assert_eq!(unseen(store, &scope).await, keys(&["b", "d"]));
    change_ledger(
        store,
        &import,
        vec![delete(&scope, "b"), put(&scope, "a", 2, b"changed")],
    )
    .await;
    assert_eq!(
        unseen(store, &scope).await,
        keys(&["d"]),
        "commits during a sweep keep the marks"
    );

    store.begin_sweep(&scope).await.expect("begin_sweep");
    let again = unseen(store, &scope).await;
    assert_eq!(
        again,
        keys(&["a", "c", "d"]),
        "a new sweep forgets the marks of the last"
    );
    store
        .mark_seen(&scope, &keys(&["a", "c", "d"]))
        .await
        .expect("mark_seen");
    assert_eq!(unseen(store, &scope).await, []);
    store.end_sweep(&scope).await.expect("end_sweep");
    store
        .end_sweep(&scope)
        .await
        .expect("ending twice is harmless");
    store.begin_sweep(&scope).await.expect("begin_sweep");
    assert_eq!(
        unseen(store, &scope).await.len(),
        3,
        "an ended sweep leaves no marks"
    );
}

/// All unseen keys, sorted, after checking their number.
async fn unseen(store: &dyn StateStore, scope: &Scope) -> Vec<Key> {
    let mut keys = store.unseen(scope, None, usize::MAX).await.expect("unseen");
    let len = store.unseen_len(scope).await.expect("unseen_len");
    assert_eq!(
        len,
        keys.len() as u64,
        "unseen_len counts what unseen lists"
    );
    keys.sort();
    keys
}

pub(super) async fn a_sweep_is_separate_for_each_scope(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let (scope, other) = (import.scope(), Scope::shared("other"));
    change_ledger(
        store,
        &import,
        vec![put(&scope, "k", 1, b""), put(&other, "k", 1, b"")],
    )
    .await;
    store.begin_sweep(&scope).await.expect("begin_sweep");
    store.begin_sweep(&other).await.expect("begin_sweep");
    store
        .mark_seen(&scope, &[Key::new("k")])
        .await
        .expect("mark_seen");
    assert_eq!(store.unseen_len(&scope).await.expect("unseen_len"), 0);
    assert_eq!(store.unseen_len(&other).await.expect("unseen_len"), 1);
    store.end_sweep(&other).await.expect("end_sweep");
    assert_eq!(
        store.unseen_len(&scope).await.expect("unseen_len"),
        0,
        "the other sweep goes on"
    );
}

pub(super) async fn unseen_keys_come_in_pages(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let scope = import.scope();
    let mut keys: Vec<String> = (0..25_u32).map(|n| format!("{:032x}", n * 7919)).collect();
    keys.extend(KEYS.iter().map(|key| (*key).to_owned()));
    let ledger = keys.iter().map(|key| put(&scope, key, 1, b"")).collect();
    let expected = store
        .load(&import)
        .await
        .expect("load")
        .map(|stored| stored.revision);
    store
        .commit(
            &import,
            expected,
            Commit {
                ledger,
                ..commit_at(1)
            },
        )
        .await
        .expect("commit");
    store.begin_sweep(&scope).await.expect("begin_sweep");
    let whole = store
        .unseen(&scope, None, usize::MAX)
        .await
        .expect("unseen");
    let mut paged: Vec<Key> = Vec::new();
    loop {
        let page = store.unseen(&scope, paged.last(), 4).await.expect("unseen");
        assert!(page.len() <= 4, "a page has at most as many as asked");
        if page.is_empty() {
            break;
        }
        paged.extend(page);
        assert!(paged.len() <= keys.len(), "paging ends");
    }
    assert_eq!(paged, whole, "pages in order give the whole, once");
    assert_eq!(store.unseen(&scope, None, 0).await.expect("unseen"), []);
    // What was found may be deleted before the next page is asked for.
    let first = &whole[..10];
    change_ledger(
        store,
        &import,
        first
            .iter()
            .map(|key| delete(&scope, key.as_str()))
            .collect(),
    )
    .await;
    let rest = store
        .unseen(&scope, first.last(), usize::MAX)
        .await
        .expect("unseen");
    assert_eq!(
        rest,
        whole[10..],
        "a page may start after a key that is gone"
    );
}
