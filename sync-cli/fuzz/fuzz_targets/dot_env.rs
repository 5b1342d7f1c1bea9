//! `.env`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sync_cli::{Environment, Flags, Settings};
use sync_fuzz::{MARKER, directory_with};

/// Variables that hold keys.
const KEYS: [&str; 2] = ["MAILCHIMP_API_KEY", "OMETRIA_API_KEY"];

fuzz_target!(|text: &[u8]| {
    const NAMES_A_FILE: &[u8] = b"SYNC_CONFIG";
    // A file anywhere on this computer would be read, and a value may name another variable: sixty lines that each name the one
    // before twice fill any memory. It is the operator's own file and memory.
    if text.contains(&b'$')
        || text
            .windows(NAMES_A_FILE.len())
            .any(|window| window == NAMES_A_FILE)
    {
        return;
    }
    let directory = directory_with(".env", text);
    let environment = match Environment::layered([], directory.path()) {
        Ok(environment) => environment,
        Err(error) => {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(MARKER), "a line is shown: {shown}");
            return;
        }
    };
    assert!(!format!("{environment:?}").contains(MARKER));
    let settings = Settings::load(Flags::default(), &environment, directory.path());
    let shown = match &settings {
        Ok(settings) => format!("{settings:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    for name in KEYS {
        let Some((key, place)) = environment.get(name) else {
            continue;
        };
        assert!(!key.trim().is_empty());
        assert_eq!(place, "in .env");
        let places = text
            .windows(key.len())
            .filter(|window| *window == key.as_bytes())
            .count();
        if key.contains(MARKER) && places == 1 {
            assert!(!shown.contains(key), "a key is shown: {shown}");
        }
    }
});
