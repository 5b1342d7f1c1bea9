//! Keys as a store keeps them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sync_core::Key;

fuzz_target!(|compact: &[u8]| {
    let Some(key) = Key::from_compact(compact) else {
        return;
    };
    let again = key.to_compact();
    assert_eq!(Key::from_compact(&again).as_ref(), Some(&key));
    assert!(again.len() <= compact.len());
    // Only a digest that was kept as text has a shorter form; all else is kept as it came.
    if again != compact {
        assert_eq!((compact.len(), again.len()), (32, 17));
        assert_eq!(key.as_str().as_bytes(), compact);
    }
});
