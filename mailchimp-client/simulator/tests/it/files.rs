//! The file manager, and downloads of its files.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use loopback::Simulator as _;
use mailchimp_simulator::{AccountSpec, Fault, Refused, Rule, Thing};

use crate::api::{Api, KEY, full, rows, whole};

fn fetch(api: &Api, method: &Method, url: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    whole(api.simulator.handle(request.body(Bytes::new()).unwrap()))
}

fn get(api: &Api, url: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    fetch(api, &Method::GET, url, headers)
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_file_has_the_size_that_the_manager_says() {
    let api = full();
    let files = rows(&api, "/file-manager/files", "files");
    assert_eq!(files.len(), 6);
    let mut total = 0;
    for file in &files {
        let size = file["size"].as_u64().unwrap();
        let response = get(&api, file["full_size_url"].as_str().unwrap(), &[]);
        assert_eq!(
            (response.status().as_u16(), response.body().len() as u64),
            (200, size)
        );
        total += size;
    }
    assert_eq!(files[1]["size"], 0, "one of them is empty");
    assert_eq!(api.read("/file-manager/files")["total_file_size"], total);
    let images = rows(&api, "/file-manager/files?type=image", "files");
    assert!(images.iter().all(|file| file["width"] != 0) && images.len() == 3);
}

#[test]
fn ranges_are_parts_of_the_whole() {
    let api = full();
    let url = rows(&api, "/file-manager/files", "files")[0]["full_size_url"].clone();
    let url = url.as_str().unwrap();
    let all = get(&api, url, &[]);
    let size = all.body().len();
    for (range, from, to) in [
        ("bytes=0-0".to_owned(), 0, 1),
        ("bytes=5-20".to_owned(), 5, 21),
        ("bytes=1001-".to_owned(), 1001, size),
        ("bytes=-7".to_owned(), size - 7, size),
    ] {
        let part = get(&api, url, &[("range", &range)]);
        assert_eq!(part.status(), 206);
        assert_eq!(part.body(), &all.body()[from..to], "{range}");
        let expected = format!("bytes {from}-{}/{size}", to - 1);
        assert_eq!(header(part.headers(), "content-range"), expected);
        assert_eq!(part.headers().get("etag"), all.headers().get("etag"));
    }
    let past = get(&api, url, &[("range", &format!("bytes={size}-"))]);
    assert_eq!(past.status(), 416);
    let head = fetch(&api, &Method::HEAD, url, &[]);
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
}

#[test]
fn the_host_of_files_refuses_a_credential_and_knows_no_others() {
    let api = full();
    let url = rows(&api, "/file-manager/files", "files")[0]["full_size_url"].clone();
    let bearer = format!("Bearer {KEY}");
    let refused = get(&api, url.as_str().unwrap(), &[("authorization", &bearer)]);
    assert_eq!(refused.status(), 400);
    assert_eq!(get(&api, "/file-host/1", &[]).status(), 404);
}

#[test]
fn a_changed_file_has_other_content_and_a_deleted_one_is_gone() {
    let api = full();
    let id = api.simulator.make(Thing::File).unwrap();
    let path = format!("/file-manager/files/{id}");
    let url = api.read(&path)["full_size_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let before = get(&api, &url, &[]);
    api.simulator.change(Thing::File, &id).unwrap();
    let after = get(&api, &url, &[]);
    assert_ne!(before.body(), after.body());
    assert_ne!(before.headers().get("etag"), after.headers().get("etag"));
    api.simulator.delete(Thing::File, &id).unwrap();
    assert_eq!(api.get(&path).status, 404);
    assert_eq!(get(&api, &url, &[]).status(), 404);
    assert_eq!(
        api.simulator.delete(Thing::File, &id),
        Err(Refused::UnknownThing)
    );
}

#[test]
fn a_large_file_is_not_kept() {
    let api = Api::new();
    let mut spec = AccountSpec::default();
    spec.content.files = 1;
    spec.content.file_bytes = u32::MAX;
    api.simulator.fill(spec);
    let file = rows(&api, "/file-manager/files", "files")[0].clone();
    assert!(file["size"].as_u64().unwrap() > 1 << 30);
    let url = file["full_size_url"].as_str().unwrap();
    let part = get(&api, url, &[("range", "bytes=1000000000-1000000009")]);
    assert_eq!((part.status().as_u16(), part.body().len()), (206, 10));
}

#[test]
fn downloads_meet_faults_and_are_counted() {
    let api = full();
    let url = rows(&api, "/file-manager/files", "files")[0]["full_size_url"].clone();
    let url = url.as_str().unwrap();
    let all = get(&api, url, &[]);
    let rule = |fault| Rule::new(fault).on("GET /file-host/{file_id}").times(1);
    api.simulator.faults().add(rule(Fault::Truncated));
    api.simulator
        .faults()
        .add(rule(Fault::Redirect("http://10.0.0.1/x")));
    let half = get(&api, url, &[]);
    assert_eq!(
        (half.status().as_u16(), half.body().len()),
        (200, all.body().len() / 2)
    );
    let elsewhere = get(&api, url, &[]);
    assert_eq!(elsewhere.status(), 302);
    assert_eq!(header(elsewhere.headers(), "location"), "http://10.0.0.1/x");
    assert_eq!(api.simulator.stats().of("GET /file-host/{file_id}"), 3);
}
