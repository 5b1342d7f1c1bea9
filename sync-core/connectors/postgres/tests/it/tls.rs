//! Encrypted connections.

use secrecy::SecretString;
use sync_core::{Error, ErrorKind, Sink};
use sync_postgres::{Host, PostgresSettings, PostgresWarehouse, SslMode};

use crate::rights;
use crate::server::{self, Place};

async fn check(settings: &PostgresSettings) -> Result<(), Error> {
    PostgresWarehouse::new(settings.clone())?
        .sink()
        .check()
        .await
}

#[tokio::test]
async fn only_a_server_with_the_right_certificate_is_taken_for_it() {
    let (Some(cluster), Some(place)) = (server::own(), Place::fresh().await) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("authority.pem");
    std::fs::write(&path, &cluster.authority).unwrap();
    let mut settings = place.settings.clone();

    settings.sslmode = Some(SslMode::VerifyFull);
    let error = check(&settings).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.to_string().contains("root_certificate"), "{error}");

    settings.root_certificate = Some(path.clone());
    check(&settings).await.unwrap();

    // The certificate is for `localhost`.
    settings.hosts = vec![Host::new("127.0.0.1", settings.hosts[0].port)];
    let error = check(&settings).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");

    settings.root_certificate = None;
    settings.sslmode = Some(SslMode::Require);
    check(&settings).await.unwrap();
}

#[tokio::test]
async fn a_session_is_encrypted_when_it_says_so() {
    let (Some(_), Some(place)) = (server::own(), Place::fresh().await) else {
        return;
    };
    let mut settings = place.settings.clone();
    settings.sslmode = Some(SslMode::Require);
    settings.application_name = format!("tls {}", settings.schema);
    let mut sink = PostgresWarehouse::new(settings.clone()).unwrap().sink();
    let stream = crate::records::stream("members");
    crate::records::deliver(
        &mut sink,
        vec![crate::records::record(&stream, "a", &serde_json::json!({}))],
    )
    .await;
    let sql = format!(
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = '{}'",
        settings.application_name
    );
    assert_eq!(place.ask("", &sql).await.as_deref(), Some("true"));
}

#[tokio::test]
async fn a_login_can_be_bound_to_its_connection() {
    let (Some(_), Some(place)) = (server::own(), Place::fresh().await) else {
        return;
    };
    let mut settings = rights::locked(&place, "right").await;
    settings.password = Some(SecretString::from("right"));
    settings.sslmode = Some(SslMode::Require);
    settings.require_channel_binding = true;
    let schema = format!(
        "CREATE SCHEMA \"{}\" AUTHORIZATION {}",
        settings.schema, settings.user
    );
    place.run("", &schema).await;
    check(&settings).await.unwrap();
    // This one logs in without a password, so there is nothing to bind.
    settings.user.clone_from(&place.settings.user);
    let error = check(&settings).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
}

#[tokio::test]
async fn an_unreadable_authority_is_a_wrong_setting() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("authority.pem");
    let settings = PostgresSettings {
        sslmode: Some(SslMode::VerifyFull),
        root_certificate: Some(path.clone()),
        ..PostgresSettings::default()
    };
    for content in [
        None,
        Some(""),
        Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let error = PostgresWarehouse::new(settings.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("authority.pem"), "{error}");
    }
}
