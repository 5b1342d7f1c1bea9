//! A process killed after each step of a commit, and edits that cross each step.

use std::fs;

use chrono::DateTime;
use sync_core::{Checkpoint, Cursor};
use tempfile::TempDir;

use super::*;

const ENTRY: &str = r#"[
  {
    "note": "mine",
    "list_id": "a",
    "latest_timestamp": "1970-01-01T00:00:10Z",
    "x": 1e2
  }
]
"#;

/// A directory with `state.json`, and the store in it as it is after a start.
struct Bench {
    dir: TempDir,
    store: Option<Store>,
    import: ImportId,
}

impl Bench {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("state.json"), text).expect("state.json");
        let mut bench = Self {
            dir,
            store: None,
            import: ImportId::new("a"),
        };
        bench.restart();
        bench
    }

    /// Kills the process, as far as the store can tell, and starts it again.
    fn restart(&mut self) {
        self.store = None;
        let database =
            Database::open(self.dir.path(), &Steps::default()).expect("the database opens");
        self.store = Some(
            Store::open(self.dir.path(), database, Steps::default()).expect("the store opens"),
        );
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().expect("the store is open")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.dir.path().join("state.json")).expect("state.json")
    }

    /// What an editor does.
    fn edit(&self, change: impl FnOnce(String) -> String) {
        let next = change(self.text());
        fs::write(self.dir.path().join("state.json"), next).expect("state.json");
    }

    fn stored(&mut self) -> Stored {
        let import = self.import.clone();
        self.store()
            .load(&import)
            .expect("load")
            .expect("a checkpoint")
    }

    fn expected(&mut self) -> Option<Revision> {
        let import = self.import.clone();
        self.store()
            .load(&import)
            .expect("load")
            .map(|stored| stored.revision)
    }

    /// A commit up to this second, with everything after it.
    fn commit(&mut self, second: i64) -> Result<Revision> {
        let (import, expected) = (self.import.clone(), self.expected());
        self.store().commit(&import, expected, up_to(second))
    }

    /// The first steps of a commit up to this second: it is in the database and not in the file.
    fn commit_without_publishing(&mut self, second: i64) -> Revision {
        let (import, expected) = (self.import.clone(), self.expected());
        self.store().take_edits().expect("edits");
        self.store()
            .store(&import, expected, up_to(second))
            .expect("commit")
    }
}

fn cursor(second: i64) -> Position {
    Position::Cursor(Cursor {
        state: serde_json::json!({ "at": second }),
        complete_until: DateTime::from_timestamp(second, 0),
    })
}

fn up_to(second: i64) -> Commit {
    let checkpoint = Checkpoint {
        position: cursor(second),
        ..Checkpoint::default()
    };
    Commit {
        checkpoint,
        ..Commit::default()
    }
}

fn since(second: i64) -> Position {
    Position::Since(DateTime::from_timestamp(second, 0).expect("a time"))
}

fn shows(second: i64) -> String {
    ENTRY.replace("00:00:10Z", &format!("00:00:{second}Z"))
}

#[test]
fn a_commit_moves_the_timestamp_and_no_other_byte() {
    let mut bench = Bench::new(ENTRY);
    bench.commit(20).unwrap();
    assert_eq!(bench.text(), shows(20));
    bench.restart();
    assert_eq!(bench.stored().checkpoint.position, cursor(20));
}

#[test]
fn killed_before_the_commit_everything_is_as_before() {
    let mut bench = Bench::new(ENTRY);
    bench.commit(20).unwrap();
    bench.store().take_edits().unwrap();
    bench.restart();
    assert_eq!(
        (bench.stored().checkpoint.position, bench.text()),
        (cursor(20), shows(20))
    );
}

#[test]
fn killed_between_commit_and_file_publishing_is_repeated() {
    let mut bench = Bench::new(ENTRY);
    bench.commit(20).unwrap();
    let revision = bench.commit_without_publishing(30);
    assert_eq!(bench.text(), shows(20), "not published yet");
    bench.restart();
    let stored = bench.stored();
    assert_eq!(
        (stored.revision, stored.checkpoint.position),
        (revision, cursor(30))
    );
    assert_eq!(bench.text(), shows(30));
}

#[test]
fn killed_while_the_new_file_is_written_publishing_is_repeated() {
    let mut bench = Bench::new(ENTRY);
    bench.commit_without_publishing(30);
    fs::write(
        bench.dir.path().join(".state.json.new"),
        "[{\"list_id\": \"a\", \"late",
    )
    .unwrap();
    bench.restart();
    assert_eq!(
        (bench.stored().checkpoint.position, bench.text()),
        (cursor(30), shows(30))
    );
    bench.commit(40).unwrap();
    assert_eq!(bench.text(), shows(40));
}

#[test]
fn killed_between_file_and_note_the_value_is_known_as_ours() {
    let mut bench = Bench::new(ENTRY);
    bench.commit(20).unwrap();
    let revision = bench.commit_without_publishing(30);
    let (next, _) = bench
        .store()
        .next_text()
        .unwrap()
        .expect("something to publish");
    assert!(bench.store().replace(next).unwrap());
    bench.restart();
    let stored = bench.stored();
    assert_eq!(
        (stored.revision, stored.checkpoint.position),
        (revision, cursor(30))
    );

    // The note was made at the start, so the replaced value is an edit from now on.
    bench.edit(|_| shows(20));
    bench.restart();
    assert_eq!(bench.stored().checkpoint.position, since(20));
}

#[test]
fn an_edit_while_nobody_runs_wins_over_an_unpublished_value() {
    let mut bench = Bench::new(ENTRY);
    bench.commit(20).unwrap();
    bench.commit_without_publishing(30);
    bench.edit(|_| shows(15));
    bench.restart();
    assert_eq!(
        (bench.stored().checkpoint.position, bench.text()),
        (since(15), shows(15))
    );
}

#[test]
fn an_edit_between_commit_and_file_wins() {
    let mut bench = Bench::new(ENTRY);
    let revision = bench.commit_without_publishing(30);
    bench.edit(|_| shows(15));
    bench.store().look();
    let stored = bench.stored();
    assert_eq!(stored.checkpoint.position, since(15));
    assert!(
        stored.revision > revision,
        "the next commit of the run meets a conflict"
    );
    assert_eq!(bench.text(), shows(15));
}

#[test]
fn an_edit_of_something_else_between_commit_and_file_is_kept() {
    let mut bench = Bench::new(ENTRY);
    bench.commit_without_publishing(30);
    bench.edit(|text| text.replace("mine", "theirs"));
    bench.store().look();
    assert_eq!(bench.text(), shows(30).replace("mine", "theirs"));
    assert_eq!(bench.stored().checkpoint.position, cursor(30));
}

#[test]
fn an_edit_between_reading_and_writing_the_file_is_never_overwritten() {
    let mut bench = Bench::new(ENTRY);
    bench.commit_without_publishing(30);
    let (next, _) = bench
        .store()
        .next_text()
        .unwrap()
        .expect("something to publish");
    bench.edit(|text| text.replace("mine", "theirs"));
    assert!(
        !bench.store().replace(next).unwrap(),
        "the file is not what we read"
    );
    assert_eq!(bench.text(), ENTRY.replace("mine", "theirs"));
    bench.store().look();
    assert_eq!(bench.text(), shows(30).replace("mine", "theirs"));
}

#[test]
fn an_edit_during_a_run_is_a_conflict_at_the_next_commit() {
    for (edited, position) in [
        (shows(15), since(15)),
        (
            ENTRY.replace("\"1970-01-01T00:00:10Z\"", "null"),
            Position::Start,
        ),
    ] {
        let mut bench = Bench::new(ENTRY);
        let revision = bench.commit(20).unwrap();
        bench.edit(|_| edited.clone());
        let import = bench.import.clone();
        let late = bench
            .store()
            .commit(&import, Some(revision), up_to(30))
            .unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Conflict);
        assert_eq!(
            (bench.stored().checkpoint.position, bench.text()),
            (position, edited)
        );
        bench.commit(40).unwrap();
    }
}

#[test]
fn writing_the_same_instant_another_way_is_no_edit_of_the_position() {
    let mut bench = Bench::new(ENTRY);
    let revision = bench.commit(20).unwrap();
    bench.edit(|text| text.replace("1970-01-01T00:00:20Z", "1970-01-01 02:00:20+02:00"));
    assert_eq!(bench.stored().revision, revision);
    bench.commit(30).unwrap();
    assert_eq!(bench.text(), shows(30));
}

#[test]
fn a_timestamp_that_stood_there_first_is_where_the_first_run_starts() {
    let mut bench = Bench::new(ENTRY);
    assert_eq!(bench.stored().checkpoint.position, since(10));
}

#[test]
fn a_broken_file_is_told_once_left_alone_and_stops_no_commit() {
    let mut bench = Bench::new(ENTRY);
    let half = &ENTRY[..ENTRY.len() / 2];
    bench.edit(|_| half.to_owned());
    bench.commit(20).unwrap();
    let problem = bench.store().news.problem.take().expect("a problem");
    assert_eq!(problem.kind(), ErrorKind::Config);
    bench.commit(30).unwrap();
    assert!(
        bench.store().news.problem.is_none(),
        "the same problem is told once"
    );
    assert_eq!(bench.text(), half);
    assert_eq!(
        bench.store().entries().len(),
        1,
        "the last good one stays in force"
    );

    bench.edit(|_| ENTRY.to_owned());
    bench.store().look();
    assert_eq!(
        bench.text(),
        shows(30),
        "what was not published is, once the file is whole"
    );
    assert_eq!(bench.stored().checkpoint.position, cursor(30));
}

#[test]
fn a_file_that_comes_back_with_another_position_is_an_edit() {
    let mut bench = Bench::new(ENTRY);
    bench.commit(20).unwrap();
    bench.edit(|_| String::new());
    bench.commit(30).unwrap();
    bench.edit(|_| shows(15));
    assert_eq!(bench.stored().checkpoint.position, since(15));
}

#[test]
fn a_deleted_file_is_not_written_anew_and_comes_back_as_it_was() {
    let mut bench = Bench::new(ENTRY);
    bench.commit(20).unwrap();
    let path = bench.dir.path().join("state.json");
    fs::remove_file(&path).unwrap();
    bench.commit(30).unwrap();
    assert!(!path.exists());
    assert!(bench.store().news.problem.is_some());
    fs::write(&path, shows(20)).unwrap();
    assert_eq!(bench.stored().checkpoint.position, cursor(30));
    assert_eq!(bench.text(), shows(30));
}

#[test]
fn an_import_without_an_entry_keeps_its_state() {
    let mut bench = Bench::new("[]");
    let revision = bench.commit(20).unwrap();
    bench.restart();
    assert_eq!(bench.stored().revision, revision);
    assert_eq!(bench.text(), "[]");
}

#[test]
fn an_entry_that_was_removed_and_comes_back_as_it_was_goes_on() {
    let mut bench = Bench::new(ENTRY);
    bench.commit(20).unwrap();
    bench.edit(|_| "[]".to_owned());
    bench.commit(30).unwrap();
    bench.edit(|_| shows(20));
    assert_eq!(bench.stored().checkpoint.position, cursor(30));
    assert_eq!(bench.text(), shows(30));
}

#[test]
fn rewinding_and_resetting_show_in_the_file() {
    let mut bench = Bench::new(ENTRY);
    let import = bench.import.clone();
    bench.commit(20).unwrap();
    bench.store().rewind(&import, since(12)).unwrap();
    assert_eq!(bench.text(), shows(12));
    bench.store().reset(&import, Reset::Everything).unwrap();
    assert_eq!(
        bench.text(),
        ENTRY.replace("\"1970-01-01T00:00:10Z\"", "null")
    );
    bench.restart();
    assert_eq!(
        bench.store().load(&import).unwrap(),
        None,
        "a reset is no edit of the file"
    );
}

#[test]
fn killed_between_reset_and_file_the_reset_holds() {
    let mut bench = Bench::new(ENTRY);
    let import = bench.import.clone();
    bench.commit(20).unwrap();
    let shown = bench.store().shown(&import);
    bench
        .store()
        .database
        .reset(&import, Reset::Everything, shown)
        .unwrap();
    bench.restart();
    assert_eq!(bench.store().load(&import).unwrap(), None);
    assert_eq!(
        bench.text(),
        ENTRY.replace("\"1970-01-01T00:00:10Z\"", "null")
    );
}

#[test]
fn fractions_of_seconds_are_cut_and_no_edit() {
    let mut bench = Bench::new(ENTRY);
    let import = bench.import.clone();
    let time = DateTime::from_timestamp(20, 999_000_000).unwrap();
    let revision = bench
        .store()
        .rewind(&import, Position::Since(time))
        .unwrap();
    assert_eq!(bench.text(), shows(20));
    bench.restart();
    let stored = bench.stored();
    assert_eq!(
        (stored.revision, stored.checkpoint.position),
        (revision, Position::Since(time))
    );
}

#[test]
fn each_of_two_entries_of_one_list_has_its_own_position() {
    let mut bench = Bench::new(r#"[{"list_id":"a"}, {"list_id":"a", "latest_timestamp":null}]"#);
    let second = ImportId::new("a#2");
    bench.commit(20).unwrap();
    bench.store().commit(&second, None, up_to(30)).unwrap();
    assert_eq!(
        bench.text(),
        r#"[{"list_id":"a", "latest_timestamp": "1970-01-01T00:00:20Z"}, {"list_id":"a", "latest_timestamp":"1970-01-01T00:00:30Z"}]"#
    );
}
