//! What people read: tables, numbers, times.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use sync_core::{Outcome, RunRecord};

/// Which of the two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// What the command is for.
    Stdout,
    /// What goes beside it.
    Stderr,
}

/// Writes text. A reader that left is no error: `sync-cli history | head` ends well.
pub(super) fn print(stream: Stream, text: &str) {
    let _ = match stream {
        Stream::Stdout => io::stdout().write_all(text.as_bytes()),
        Stream::Stderr => io::stderr().write_all(text.as_bytes()),
    };
}

/// Whether people watch standard error, and whether it takes colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    pub(super) interactive: bool,
    pub(super) colour: bool,
}

impl Terminal {
    pub(super) fn look(no_color: bool) -> Self {
        let interactive = io::stderr().is_terminal();
        Self {
            interactive,
            colour: interactive && !no_color,
        }
    }
}

/// Rows of text in aligned columns. Columns of numbers stand to the right.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(titles: &[&str]) -> Self {
        Self {
            rows: vec![titles.iter().map(|title| (*title).to_owned()).collect()],
        }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(super) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        let mut numeric = vec![true; columns];
        for (index, row) in self.rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                widths[column] = widths[column].max(cell.chars().count());
                let number = |c: char| c.is_ascii_digit() || c == ',' || c == '-';
                numeric[column] &= index == 0 || cell.chars().all(number);
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                // Writing into memory cannot fail.
                let _ = if numeric[column] {
                    write!(line, "{cell:>width$}  ")
                } else {
                    write!(line, "{cell:<width$}  ")
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// `20000` as `20,000`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time to the second, or a dash.
pub(super) fn time(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(
        || "-".to_owned(),
        |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}

/// How long something took, in the unit a person would choose.
pub(super) fn took(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", elapsed.as_secs_f64()),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// One line for each run, and what went wrong below.
pub(super) fn runs_table(records: &[RunRecord]) -> String {
    let mut table = Table::new(&[
        "import",
        "started",
        "outcome",
        "read",
        "sent",
        "unchanged",
        "rejected",
        "removed",
        "unread windows",
        "took",
        "complete until",
    ]);
    for record in records {
        let counts = record.counts;
        table.row(vec![
            record.import.to_string(),
            time(Some(record.started)),
            record.outcome.map_or("running", Outcome::as_str).to_owned(),
            grouped(counts.read),
            grouped(counts.accepted),
            grouped(counts.unchanged),
            grouped(counts.rejected),
            grouped(counts.removed),
            grouped(counts.failed_parts),
            took(record.elapsed),
            time(record.complete_until),
        ]);
    }
    let mut text = table.render();
    for record in records {
        if let Some(error) = &record.error {
            let _ = writeln!(text, "{}: {error}", record.import);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (20_000, "20,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn numbers_stand_right_and_words_left() {
        let mut table = Table::new(&["name", "count"]);
        table.row(vec!["a".to_owned(), "1,000".to_owned()]);
        table.row(vec!["longer".to_owned(), "7".to_owned()]);
        assert_eq!(
            table.render(),
            "name    count\na       1,000\nlonger      7\n"
        );
    }
}
