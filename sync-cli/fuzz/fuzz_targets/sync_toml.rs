//! `sync.toml`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sync_cli::{Environment, Flags, Settings};
use sync_fuzz::{MARKER, directory_with};
use toml::{Table, Value};

/// Everything written as `api_key`, at any depth.
fn keys<'a>(table: &'a Table, found: &mut Vec<&'a str>) {
    for (name, value) in table {
        match value {
            Value::Table(table) => keys(table, found),
            Value::String(text) if name == "api_key" => found.push(text),
            _ => {}
        }
    }
}

fuzz_target!(|text: &[u8]| {
    let directory = directory_with("sync.toml", text);
    let environment = Environment::layered([], directory.path()).expect("there is no .env");
    let settings = Settings::load(Flags::default(), &environment, directory.path());
    let shown = match &settings {
        Ok(settings) => format!("{settings:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    let Some(table) = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<Table>().ok())
    else {
        // Where a text is no TOML nothing says that the marker is not a key.
        assert!(settings.is_err());
        assert!(!shown.contains(MARKER), "a value is shown: {shown}");
        return;
    };
    let mut found = Vec::new();
    keys(&table, &mut found);
    for key in found {
        // One that also stands elsewhere may be shown for what it is there.
        let places = text
            .windows(key.len().max(1))
            .filter(|window| *window == key.as_bytes())
            .count();
        if key.len() >= 6 && key.contains(MARKER) && places == 1 {
            assert!(!shown.contains(key), "a key is shown: {shown}");
        }
    }
    if let Ok(settings) = settings {
        assert!((0.0..=1.0).contains(&settings.config.delivery.max_removed_share));
        assert!(settings.config.delivery.commit_records > 0);
        assert!(
            settings
                .config
                .audiences
                .iter()
                .all(|id| sync_cli::check_list_id(id).is_ok())
        );
    }
});
