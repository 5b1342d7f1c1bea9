//! The demo keeps its promises.

use crate::program::Place;

#[test]
fn the_demo_shows_three_passes_and_finds_nobody_opted_in_against_their_will() {
    let place = Place::new();
    let ended = place.run(&["demo", "--members", "3000", "--latency", "1ms"]);
    let text = ended.with_code(0);
    for promise in [
        "first pass",
        "second pass",
        "third pass",
        "Nobody who opted out is opted in",
    ] {
        assert!(text.contains(promise), "{promise:?} is not in {text}");
    }
    assert!(
        text.contains("0 pushes with 0 records"),
        "the third pass sends nothing: {text}"
    );
    assert_eq!(
        std::fs::read_dir(place.path()).unwrap().count(),
        0,
        "it leaves nothing behind"
    );
}
