//! Logging in, and what a role may do.

use secrecy::SecretString;
use serde_json::json;
use sync_core::{Error, ErrorKind, Sink};
use sync_postgres::{Host, PostgresSettings, PostgresWarehouse};

use crate::records::{deliver, record, stream};
use crate::server::{self, Place};

const PASSWORD: &str = "hunter2";

async fn failed(settings: PostgresSettings) -> Error {
    let error = PostgresWarehouse::new(settings)
        .unwrap()
        .sink()
        .check()
        .await
        .unwrap_err();
    let shown = format!("{error:?} {}", error.chain());
    assert!(!shown.contains(PASSWORD), "{shown}");
    error
}

/// The place for a new role that has a password, which the server asks for.
pub(crate) async fn locked(place: &Place, password: &str) -> PostgresSettings {
    let group = "DO $$ BEGIN CREATE ROLE locked; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$";
    place.run("", group).await;
    let options = format!("PASSWORD '{password}' IN ROLE locked");
    let mut settings = role(place, &options).await;
    // The rule is about addresses, not about sockets.
    settings.hosts = vec![Host::new("127.0.0.1", settings.hosts[0].port)];
    settings
}

/// The place for a new role that may log in and nothing else.
async fn role(place: &Place, options: &str) -> PostgresSettings {
    let role = format!("role_{}", place.settings.schema.replace(' ', "_"));
    place
        .run("", &format!("CREATE ROLE {role} LOGIN {options}"))
        .await;
    PostgresSettings {
        user: role,
        password: Some(SecretString::from(PASSWORD)),
        ..place.settings.clone()
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_from_a_missing_one() {
    let (Some(_), Some(place)) = (server::own(), Place::fresh().await) else {
        return;
    };
    let mut settings = locked(&place, "right").await;
    let error = failed(settings.clone()).await;
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("28P01"), "{error}");
    settings.password = None;
    let error = failed(settings.clone()).await;
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("wants a password"), "{error}");
    settings.password = Some(SecretString::from("right"));
    place
        .run(
            "",
            &format!(
                "CREATE SCHEMA \"{}\" AUTHORIZATION {}",
                settings.schema, settings.user
            ),
        )
        .await;
    PostgresWarehouse::new(settings)
        .unwrap()
        .sink()
        .check()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let mut settings = place.settings.clone();
    settings.database = "no such database".to_owned();
    let error = failed(settings).await;
    assert_eq!(error.kind(), ErrorKind::Missing);
    assert!(
        error.chain().contains("no such database"),
        "{}",
        error.chain()
    );
}

#[tokio::test]
async fn nobody_at_the_address_is_unavailable() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let error = failed(PostgresSettings {
        hosts: vec![Host::new("127.0.0.1", port)],
        password: Some(SecretString::from(PASSWORD)),
        ..PostgresSettings::default()
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.to_string().contains(&format!("127.0.0.1:{port}")),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = failed(PostgresSettings {
        hosts: vec![Host::new("127.0.0.1", port)],
        connect_seconds: 1,
        ..PostgresSettings::default()
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("in time"), "{error}");
}

#[tokio::test]
async fn every_missing_right_is_named() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let settings = role(&place, "").await;
    let (schema, user) = (settings.schema.clone(), settings.user.clone());
    let denied = async |says: &str| {
        let error = failed(settings.clone()).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    let run = async |sql: &str| place.admin.batch_execute(sql).await.unwrap();

    denied("GRANT CREATE ON DATABASE").await;
    run(&format!("CREATE SCHEMA \"{schema}\"")).await;
    denied("GRANT USAGE, CREATE ON SCHEMA").await;
    run(&format!(
        "GRANT USAGE, CREATE ON SCHEMA \"{schema}\" TO {user}"
    ))
    .await;
    let mut sink = PostgresWarehouse::new(settings.clone()).unwrap().sink();
    sink.check().await.unwrap();
    let members = stream("members");
    deliver(&mut sink, vec![record(&members, "a", &json!({"n": 1}))]).await;
    sink.check().await.unwrap();

    place
        .run(
            "members",
            &format!("ALTER TABLE {{}} OWNER TO {}", place.settings.user),
        )
        .await;
    denied("table members").await;
    sink.write(vec![record(&members, "b", &json!({"n": 2}))])
        .await
        .unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.chain().contains("members"), "{}", error.chain());
}

#[tokio::test]
async fn temporary_tables_and_every_character_are_needed() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let mut settings = role(&place, "").await;
    let database = format!("base_{}", settings.user);
    settings.database.clone_from(&database);
    let run = async |sql: &str| place.admin.batch_execute(sql).await.unwrap();
    run(&format!(
        "CREATE DATABASE {database} OWNER {}",
        settings.user
    ))
    .await;
    PostgresWarehouse::new(settings.clone())
        .unwrap()
        .sink()
        .check()
        .await
        .unwrap();
    run(&format!(
        "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC, {}",
        settings.user
    ))
    .await;
    let error = failed(settings.clone()).await;
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("TEMPORARY"), "{error}");

    settings.database = format!("ascii_{}", settings.user);
    let ascii = "ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'";
    run(&format!("CREATE DATABASE {} {ascii}", settings.database)).await;
    let error = failed(settings).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("UTF8"), "{error}");
}

#[tokio::test]
async fn too_many_connections_are_waited_for_and_then_named() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let mut settings = role(&place, "CONNECTION LIMIT 0").await;
    let error = failed(settings.clone()).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("53300"), "{error}");
    settings.retry_seconds = 0;
    let mut sink = PostgresWarehouse::new(settings).unwrap().sink();
    sink.write(vec![record(&stream("members"), "a", &json!({}))])
        .await
        .unwrap();
    assert_eq!(
        sink.flush().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn what_the_server_runs_out_of_is_named() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let members = stream("members");
    let mut sink = place.sink();
    deliver(&mut sink, vec![record(&members, "a", &json!({"n": 1}))]).await;
    for (state, says) in [("53100", "disk is full"), ("57014", "statement_seconds")] {
        let schema = &place.settings.schema;
        let sql = format!(
            "CREATE OR REPLACE FUNCTION \"{schema}\".fails() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$; \
             CREATE OR REPLACE TRIGGER fails BEFORE INSERT ON {{}} FOR EACH ROW EXECUTE FUNCTION \"{schema}\".fails()"
        );
        place.run("members", &sql).await;
        sink.write(vec![record(&members, "b", &json!({"n": 2}))])
            .await
            .unwrap();
        let error = sink.flush().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains(says), "{error}");
    }
    place.run("members", "DROP TRIGGER fails ON {}").await;
    sink.flush().await.unwrap();
    assert_eq!(
        place
            .ask("members", "SELECT count(*) FROM {}")
            .await
            .as_deref(),
        Some("2")
    );
}
