//! What a client may be made of.

use std::time::Duration;

use mailchimp_client::{AuthScheme, Client, ClientBuilder, Credential, DataCenter, Error};
use url::Url;

use crate::script::{Reply, SECRET, Script, key};

fn refusal(result: Result<Client, Error>) -> String {
    let error = result.expect_err("must be refused");
    assert!(matches!(error, Error::Configuration(_)), "{error:?}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains("evil"), "{text}");
    error.to_string()
}

#[test]
fn the_data_centre_is_checked_before_it_becomes_a_host() {
    for name in ["us6", "us21", "eu1", "abcd123"] {
        assert_eq!(name.parse::<DataCenter>().unwrap().as_str(), name);
    }
    for name in [
        "",
        "us",
        "6",
        "u6",
        "abcde6",
        "us1234",
        "US6",
        "us6 ",
        " us6",
        "us6.",
        "us6/",
        "évil6",
        "evil.example/",
        "us6\n",
        "6us",
        "us6x",
        "us６",
    ] {
        assert!(name.parse::<DataCenter>().is_err(), "{name:?}");
    }
}

#[test]
fn a_key_with_a_hostile_ending_is_refused_with_a_clear_message() {
    let message = refusal(Client::builder("abc-evil.example/").build());
    assert!(
        message.contains("API key") && message.contains("us6"),
        "{message}"
    );
    refusal(Client::builder("evil").build());
    refusal(Client::builder("").build());
}

#[tokio::test]
async fn the_key_names_the_host() {
    let script = Script::new(|_, _| Reply::json(200, "{}"));
    script.client().ping().await.unwrap();
    assert_eq!(script.seen()[0].host, "us6.api.mailchimp.com");
    assert_eq!(script.seen()[0].path, "/3.0/ping");
}

#[test]
fn plain_http_is_for_loopback_hosts_only() {
    let with_base = |url: &str| {
        Client::builder(key())
            .base_url(Url::parse(url).unwrap())
            .build()
    };
    for url in [
        "http://127.0.0.1:8080",
        "http://localhost/3.0",
        "http://[::1]:1/",
        "https://evil.example",
    ] {
        assert!(with_base(url).is_ok(), "{url}");
    }
    for url in [
        "http://us6.api.mailchimp.com/3.0",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "ftp://localhost/evil",
        "https://evil@us6.api.mailchimp.com",
        "https://us6.api.mailchimp.com/?evil",
        "https://us6.api.mailchimp.com/#evil",
    ] {
        let message = refusal(with_base(url));
        assert!(message.starts_with("invalid base_url"), "{message}");
    }
}

#[test]
fn settings_outside_their_range_are_refused_by_name() {
    let build = |change: fn(ClientBuilder) -> ClientBuilder| {
        refusal(change(Client::builder(key())).build())
    };
    assert!(build(|b| b.max_concurrency(0)).contains("max_concurrency"));
    assert!(build(|b| b.max_concurrency(11)).contains("max_concurrency"));
    assert!(build(|b| b.timeout(Duration::ZERO)).contains("timeout"));
    assert!(build(|b| b.abandoned_grace(Duration::MAX)).contains("abandoned_grace"));
    assert!(build(|b| b.body_limit(0)).contains("body_limit"));
    assert!(build(|b| b.user_agent("a\nb")).contains("user_agent"));
    let token = Credential::oauth_token("a\nb");
    let us6 = "us6".parse().unwrap();
    assert!(refusal(Client::builder(token).data_center(us6).build()).contains("credential"));
}

#[tokio::test]
async fn both_schemes_carry_both_kinds_of_credential() {
    let script = Script::new(|_, _| Reply::json(200, "{}"));
    let us6: DataCenter = "us6".parse().unwrap();
    let credentials = [
        (Credential::api_key(format!(" {} \n", key())), "Basic "),
        (
            Credential::api_key(key()).scheme(AuthScheme::Bearer),
            "Bearer ",
        ),
        (Credential::oauth_token(SECRET), "Bearer "),
        (
            Credential::oauth_token(SECRET).scheme(AuthScheme::Basic),
            "Basic ",
        ),
    ];
    for (credential, scheme) in credentials {
        let client = Client::builder(credential)
            .data_center(us6.clone())
            .transport(std::sync::Arc::new(script.clone()))
            .build()
            .unwrap();
        client.ping().await.unwrap();
        let value = script.seen().last().unwrap().headers["authorization"].clone();
        assert!(value.is_sensitive());
        assert!(value.to_str().unwrap().starts_with(scheme));
        assert!(!value.to_str().unwrap().ends_with('\n'));
    }
}

#[test]
fn an_oauth_token_alone_does_not_name_a_host() {
    let message = refusal(Client::builder(Credential::oauth_token("evil-us6")).build());
    assert!(message.contains("data_center"), "{message}");
}

#[tokio::test]
async fn the_oauth_service_names_the_data_centre() {
    let script = Script::new(|_, _| {
        Reply::json(
            200,
            r#"{"dc":"us21","role":"owner","accountname":"Acme","user_id":7,
                "login":{"email":"ann@corp.invalid"},"api_endpoint":"https://evil.example"}"#,
        )
    });
    let builder = Client::builder(Credential::oauth_token(SECRET))
        .transport(std::sync::Arc::new(script.clone()));
    let metadata = builder.oauth_metadata().await.unwrap();
    assert_eq!(metadata.data_center.as_str(), "us21");
    assert_eq!(metadata.role.as_deref(), Some("owner"));
    let seen = &script.seen()[0];
    assert_eq!(
        (seen.host.as_str(), seen.path.as_str()),
        ("login.mailchimp.com", "/oauth2/metadata")
    );
    assert_eq!(seen.headers["authorization"], format!("OAuth {SECRET}"));
}

#[tokio::test]
async fn a_dead_oauth_token_is_an_error_although_the_status_is_200() {
    for (answer, word) in [
        (
            r#"{"error":"invalid_token","error_description":"ann@corp.invalid"}"#,
            Some("invalid_token"),
        ),
        (
            r#"{"error":"invalid_token","dc":"us6"}"#,
            Some("invalid_token"),
        ),
        (r#"{"error":"","dc":"us6"}"#, None),
        (r#"{"error":"unknown user ann@corp.invalid"}"#, None),
        (r#"{"role":"owner","dc":""}"#, None),
        ("{}", None),
    ] {
        let script = Script::new(move |_, _| Reply::json(200, answer));
        let error = Client::builder(Credential::oauth_token(SECRET))
            .transport(std::sync::Arc::new(script))
            .oauth_metadata()
            .await
            .unwrap_err();
        assert!(error.is_unauthorized());
        let Error::OAuth(dead) = &error else {
            panic!("{error}")
        };
        assert_eq!(dead.error.as_deref(), word, "{answer}");
        assert!(!format!("{error} {error:?}").contains('@'));
    }
}

#[tokio::test]
async fn a_hostile_data_centre_from_the_oauth_service_is_refused() {
    let script = Script::new(|_, _| Reply::json(200, r#"{"dc":"evil.example/"}"#));
    let error = Client::builder(Credential::oauth_token(SECRET))
        .transport(std::sync::Arc::new(script))
        .oauth_metadata()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Configuration(_)));
}

#[test]
fn nothing_a_client_is_made_of_shows_the_key() {
    let credential = Credential::from(key());
    let builder = Client::builder(credential.clone());
    let client = builder.clone().build().unwrap();
    let shown = format!(
        "{credential:?} {builder:?} {client:?} {:?}",
        client.list("a").members()
    );
    assert!(!shown.contains(SECRET), "{shown}");
}
