//! Which places can be opened, and what is refused before anything is sent.

use secrecy::SecretString;
use sync_core::ErrorKind;
use sync_object_store::{Place, StoreSettings};
use url::Url;

fn with(options: &[(&str, &str)]) -> StoreSettings {
    let options = options.iter();
    StoreSettings {
        options: options
            .map(|(name, value)| ((*name).to_owned(), SecretString::from(*value)))
            .collect(),
        ..StoreSettings::default()
    }
}

#[test]
fn each_kind_of_store_has_its_scheme() {
    let account = r#"{"private_key": "k", "private_key_id": "i", "client_email": "e", "disable_oauth": true}"#;
    let table = [
        (
            "s3://bucket",
            with(&[("aws_access_key_id", "a"), ("AWS_SECRET_ACCESS_KEY", "b")]),
        ),
        ("s3://bucket/a/prefix/", with(&[])),
        (
            "gs://bucket/prefix",
            with(&[("google_service_account_key", account)]),
        ),
        (
            "az://container/prefix",
            with(&[
                ("azure_storage_account_name", "a"),
                ("azure_storage_account_key", "a2V5"),
            ]),
        ),
    ];
    for (url, settings) in table {
        let place = Place::open(url, &settings);
        assert!(place.is_ok(), "{url}: {place:?}");
    }
}

#[test]
fn what_is_no_place_is_refused() {
    for url in [
        "",
        "files:",
        "s3:bucket",
        "s3://",
        "ftp://host/x",
        "/tmp",
        "http://host/x",
        "s3:///x",
    ] {
        let error = Place::open(url, &StoreSettings::default()).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
    }
}

#[test]
fn a_url_with_a_password_is_refused_without_repeating_it() {
    let error = Place::open("s3://user:hunter2@bucket/x", &StoreSettings::default());
    let error = error.expect_err("a password");
    assert!(!format!("{error:?} {}", error.chain()).contains("hunter2"));
}

#[test]
fn plain_http_goes_to_this_machine_only_unless_allowed() {
    let endpoint = |url: &str, allow_http| StoreSettings {
        endpoint: Some(Url::parse(url).expect("a URL")),
        allow_http,
        ..with(&[("aws_access_key_id", "a"), ("aws_secret_access_key", "b")])
    };
    let opens = |settings| Place::open("s3://bucket/x", &settings).is_ok();
    for local in [
        "http://127.0.0.1:9000",
        "http://[::1]:9000",
        "http://localhost:9000",
    ] {
        assert!(opens(endpoint(local, false)), "{local}");
    }
    assert!(opens(endpoint("https://minio.example", false)));
    assert!(!opens(endpoint("http://minio.example", false)));
    assert!(!opens(endpoint("http://127.0.0.1.example", false)));
    assert!(opens(endpoint("http://minio.example", true)));
    assert!(!opens(endpoint("ftp://minio.example", true)));
}

#[test]
fn options_cannot_undo_what_is_checked() {
    for name in [
        "aws_endpoint",
        "AWS_ALLOW_HTTP",
        "endpoint_url",
        "aws_bucket",
        "proxy_url",
    ] {
        let error = Place::open("s3://bucket/x", &with(&[(name, "http://evil.example")]));
        let error = error.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.chain().contains("evil"), "{error}");
    }
}

#[test]
fn an_unknown_option_is_named_and_its_value_is_not() {
    let error = Place::open(
        "s3://bucket/x",
        &with(&[("aws_secret_acess_key", "hunter2")]),
    );
    let error = error.expect_err("a slip of the pen");
    assert!(
        error.to_string().contains("aws_secret_acess_key"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn settings_and_places_show_no_secret() {
    let settings = with(&[
        ("aws_access_key_id", "AKIA1"),
        ("aws_secret_access_key", "hunter2"),
    ]);
    let place = Place::open("s3://bucket/x", &settings).expect("a place");
    let shown = format!("{settings:?} {place:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("AKIA1"),
        "{shown}"
    );
    assert!(shown.contains("aws_secret_access_key"));
}
