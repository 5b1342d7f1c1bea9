//! The simulators as programs of their own.

use crate::program::Place;

/// Takes the variables that a simulator prints, up to and including `last`.
#[cfg(unix)]
fn adopt(place: &mut Place, simulator: &mut crate::program::Started, last: &str) {
    loop {
        let line = simulator.printed_line();
        let Some((name, value)) = line.split_once('=') else {
            panic!("{line:?} sets no variable");
        };
        place.set(name, value);
        if name == last {
            return;
        }
    }
}

#[cfg(unix)]
#[test]
fn what_they_print_leads_a_run_to_them() {
    let mut place = Place::new();
    place.set("SYNC_METRICS", "off");
    let mut mailchimp = place.start(&["simulate", "mailchimp", "--members", "300"]);
    let mut ometria = place.start(&["simulate", "ometria"]);
    adopt(&mut place, &mut mailchimp, "MAILCHIMP_LIST_ID");
    adopt(&mut place, &mut ometria, "OMETRIA_API_KEY");
    place.run(&["run", "--once"]).with_code(0);
    mailchimp.signal("TERM");
    let text = mailchimp.wait().with_code(0);
    assert!(text.contains("GET /lists/{list_id}/members"), "{text}");
    ometria.signal("TERM");
    let text = ometria.wait().with_code(0);
    assert!(text.contains("300 records pushed, 300 listings"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_run_comes_through_a_bad_day() {
    let mut place = Place::new();
    place.set("SYNC_METRICS", "off");
    place.write("sync.toml", "[ometria]\npush_rate = 1000\n");
    // All but garbage: an answer that makes no sense is reported, not repeated.
    let bad = [
        "--fault-share",
        "0.1",
        "--faults",
        "429,403html,5xx,cut,reset,lost-reply",
        "--seed",
        "7",
    ];
    let of = |words: &[&'static str]| [words, &bad].concat();
    let mut mailchimp = place.start(&of(&[
        "simulate",
        "mailchimp",
        "--members",
        "3000",
        "--ties",
        "one-second",
    ]));
    let mut ometria = place.start(&of(&["simulate", "ometria"]));
    adopt(&mut place, &mut mailchimp, "MAILCHIMP_LIST_ID");
    adopt(&mut place, &mut ometria, "OMETRIA_API_KEY");
    place.run(&["run", "--once"]).with_code(0);
    assert!(place.run(&["verify"]).with_code(0).contains("agrees"));
    ometria.signal("TERM");
    let text = ometria.wait().with_code(0);
    assert!(text.contains("3,000 listings"), "{text}");
}

#[test]
fn a_port_that_is_taken_is_a_usage_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let text = Place::new()
        .run(&["simulate", "ometria", "--port", &port])
        .with_code(2);
    assert!(text.contains("--port"), "{text}");
}
