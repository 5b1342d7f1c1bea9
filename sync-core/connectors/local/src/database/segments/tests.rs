use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Model = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;
type Change = (Vec<u8>, Option<(u64, Vec<u8>)>);

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&tables("main")).unwrap();
    connection
}

/// The same with a table of what was written to `blocks`.
fn database_that_counts() -> Connection {
    let connection = database();
    connection
        .execute_batch(
            "CREATE TABLE written (bytes INTEGER);
             CREATE TRIGGER block AFTER INSERT ON blocks
             BEGIN INSERT INTO written VALUES (length(new.data)); END;",
        )
        .unwrap();
    connection
}

fn tree(connection: &Connection) -> Tree {
    Tree::load(connection, "main", 1).unwrap()
}

fn append(
    connection: &Connection,
    tree: &mut Tree,
    changes: &BTreeMap<Vec<u8>, Option<(u64, Vec<u8>)>>,
) {
    let entries = changes.iter().map(|(key, value)| Entry {
        key,
        value: value.as_ref().map(|(fingerprint, note)| Value {
            fingerprint: *fingerprint,
            note,
        }),
    });
    tree.append(connection, entries).unwrap();
}

fn all(connection: &Connection, tree: &Tree, after: Option<&[u8]>) -> Model {
    let mut walk = tree.walk(connection, after).unwrap();
    let mut found = Model::new();
    let mut last: Option<Vec<u8>> = None;
    while let Some(entry) = walk.next().unwrap() {
        assert!(
            last.as_deref().is_none_or(|last| last < entry.key),
            "in order"
        );
        last = Some(entry.key.to_vec());
        if let Some(value) = entry.value {
            found.insert(entry.key.to_vec(), (value.fingerprint, value.note.to_vec()));
        }
    }
    found
}

fn count(connection: &Connection, what: &str) -> i64 {
    let sql = format!("SELECT {what}");
    connection.query_row(&sql, [], |row| row.get(0)).unwrap()
}

fn assert_holds(connection: &Connection, tree: &Tree, model: &Model, asked: &[Vec<u8>]) {
    assert_eq!(&all(connection, tree, None), model);
    assert_eq!(tree.len(connection).unwrap(), model.len() as u64);
    let mut keys: Vec<&[u8]> = asked
        .iter()
        .chain(model.keys())
        .map(|key| &key[..])
        .collect();
    keys.sort_unstable();
    let mut found = vec![None; keys.len()];
    tree.get(connection, &keys, |place, value| {
        found[place] = Some((value.fingerprint, value.note.to_vec()));
    })
    .unwrap();
    for (key, found) in keys.iter().zip(&found) {
        assert_eq!(found.as_ref(), model.get(*key));
    }
    if let Some(after) = asked.first() {
        let behind = (
            std::ops::Bound::Excluded(after.clone()),
            std::ops::Bound::Unbounded,
        );
        let expected: Model = model
            .range(behind)
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        assert_eq!(all(connection, tree, Some(after)), expected);
    }
    assert_eq!(
        count(connection, "count(*) FROM blocks"),
        count(connection, "coalesce(sum(blocks), 0) FROM segments"),
        "no block is left over"
    );
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let text = proptest::collection::vec(0..4_u8, 0..4);
    let digest = (0..4_u8, any::<u8>()).prop_map(|(first, last)| vec![0xff, first << 6, last & 3]);
    let key = prop_oneof![text, digest];
    let note = prop_oneof![
        9 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => Just(vec![7; 5000]),
    ];
    proptest::collection::vec(
        (key, proptest::option::weighted(0.7, (any::<u64>(), note))),
        0..12,
    )
}

proptest! {
    #[test]
    fn segments_are_a_map(
        commits in proptest::collection::vec(changes(), 0..25),
        asked in changes(),
        enough in prop_oneof![Just(8), Just(30), Just(ENOUGH_TO_SPREAD)],
    ) {
        let connection = database();
        let mut kept = tree(&connection);
        kept.enough = enough;
        let mut model = Model::new();
        for commit in commits {
            for (key, value) in &commit {
                match value {
                    Some(value) => model.insert(key.clone(), value.clone()),
                    None => model.remove(key),
                };
            }
            append(&connection, &mut kept, &commit.into_iter().collect());
        }
        let asked: Vec<_> = asked.into_iter().map(|(key, _)| key).collect();
        assert_holds(&connection, &kept, &model, &asked);
        assert_holds(&connection, &tree(&connection), &model, &asked);

        kept.forget_fingerprints(&connection).unwrap();
        for value in model.values_mut() {
            value.0 = 0;
        }
        assert_holds(&connection, &kept, &model, &asked);
        assert_holds(&connection, &tree(&connection), &model, &asked);

        kept.clear(&connection).unwrap();
        assert_holds(&connection, &kept, &Model::new(), &asked);
        prop_assert_eq!(count(&connection, "count(*) FROM segments"), 0);
        prop_assert_eq!(count(&connection, "count(*) FROM filters"), 0);
    }
}

fn mixed(n: u64) -> Vec<u8> {
    let spread = filter::hash(&n.to_le_bytes());
    [&[0xff], &spread.to_be_bytes()[..], &n.to_be_bytes()].concat()
}

#[test]
fn many_commits_make_few_segments_and_write_each_entry_a_few_times() {
    let connection = database_that_counts();
    let mut tree = tree(&connection);
    for commit in 0..200_u64 {
        let entries = (0..500).map(|n| (mixed(commit * 500 + n), Some((n, vec![]))));
        append(&connection, &mut tree, &entries.collect());
        let longest = tree.parts.iter().map(Vec::len).max().unwrap_or_default();
        let segments = tree.mixed.len() + longest;
        assert!(segments <= 14, "a look-up asks {segments} segments");
    }
    assert_eq!(tree.len(&connection).unwrap(), 100_000);
    let stored = count(&connection, "sum(length(data)) FROM blocks");
    let written = count(&connection, "sum(bytes) FROM written");
    assert!(
        written <= 6 * stored,
        "{written} bytes written for {stored}"
    );
}

#[test]
fn small_commits_do_not_rewrite_the_rest() {
    let from = |lengths: &[u64]| first_to_merge(SMALL, lengths.iter().copied());
    assert_eq!(from(&[]), 0);
    assert_eq!(from(&[5]), 1);
    assert_eq!(from(&[1_000_000, 1, 1, 1]), 4);
    assert_eq!(from(&[1_000_000, 1, 1, 1, 1]), 1);
    assert_eq!(from(&[1_000_000, 999, 1]), 3);
    assert_eq!(from(&[1_000_000, 999, 250]), 1);
    assert_eq!(from(&[20_000; 3]), 3);
    assert_eq!(from(&[20_000; 4]), 0);
    assert_eq!(from(&[80_000, 80_000, 20_000, 20_000, 20_000, 20_000]), 2);
    assert_eq!(
        from(&[80_000, 80_000, 80_000, 20_000, 20_000, 20_000, 20_000]),
        0
    );
}

#[test]
fn keys_that_change_over_and_over_are_not_all_written_each_time() {
    let connection = database_that_counts();
    let mut tree = tree(&connection);
    // A little less than where a tier ends.
    let keys = 15_900;
    let load = (0..keys).map(|n| (mixed(n), Some((n, vec![]))));
    append(&connection, &mut tree, &load.collect());
    let stored = count(&connection, "sum(length(data)) FROM blocks");
    connection.execute("DELETE FROM written", []).unwrap();
    tree.enough = u64::MAX;
    for commit in 0..106 {
        let changed = (0..150).map(|n| (mixed((commit * 150 + n) % keys), Some((7, vec![]))));
        append(&connection, &mut tree, &changed.collect());
    }
    assert_eq!(tree.len(&connection).unwrap(), keys);
    let written = count(&connection, "sum(bytes) FROM written");
    assert!(
        written <= 12 * stored,
        "{written} bytes written to change {stored}"
    );
}

#[test]
fn no_commit_writes_much_of_what_is_there() {
    let connection = database_that_counts();
    let mut tree = tree(&connection);
    let mut most = 0;
    for commit in 0..25_u64 {
        let entries = (0..20_000).map(|n| (mixed(commit * 20_000 + n), Some((n, vec![]))));
        append(&connection, &mut tree, &entries.collect());
        most = most.max(count(&connection, "sum(bytes) FROM written"));
        connection.execute("DELETE FROM written", []).unwrap();
    }
    assert_eq!(tree.len(&connection).unwrap(), 500_000);
    let stored = count(&connection, "sum(length(data)) FROM blocks");
    assert!(most < stored / 4, "{most} bytes at once of {stored}");
}

#[test]
fn a_segment_says_about_how_much_of_each_part_it_holds() {
    let connection = database();
    let mut tree = tree(&connection);
    let digests = (0..8_000).map(|n| (mixed(n), Some((n, vec![]))));
    let texts = (0..2_000_u64).map(|n| (n.to_be_bytes().to_vec(), Some((n, vec![]))));
    append(&connection, &mut tree, &texts.chain(digests).collect());
    let mut room = [0; PARTS];
    for segment in &tree.mixed {
        segment.add_to(&mut room);
    }
    // 2,000 short ones, and of the others 250 each, about two blocks.
    assert!((1_500..2_500).contains(&room[0]), "{room:?}");
    assert!(
        room[1..].iter().all(|room| (250..700).contains(room)),
        "{room:?}"
    );
}

#[test]
fn a_damaged_block_is_an_error() {
    let connection = database();
    let mut kept = tree(&connection);
    append(
        &connection,
        &mut kept,
        &[(vec![1; 9], Some((1, vec![2])))].into(),
    );
    connection
        .execute("UPDATE blocks SET data = x'05'", [])
        .unwrap();
    assert!(kept.get(&connection, &[&[1; 9]], |_, _| {}).is_err());
    assert!(kept.walk(&connection, None).is_err());
    connection
        .execute("UPDATE filters SET data = x'05'", [])
        .unwrap();
    assert!(Tree::load(&connection, "main", 1).is_err());
}
