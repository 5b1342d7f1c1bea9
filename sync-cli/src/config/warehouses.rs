//! Warehouses: where they are and what proves that we may write there, from tables and variables.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sync_object_store::{Format, StoreSettings};
use sync_postgres::PostgresSettings;
use sync_snowflake::{Credential, SnowflakeSettings};

use super::accounts::account_layers;
use super::error::ConfigError;
use super::file::secret;
use super::layers::Layers;
use super::parse_base_url;

/// A Snowflake account and the login to it.
#[derive(Clone, Debug)]
pub struct SnowflakeAccount {
    /// Where the tables are.
    pub settings: SnowflakeSettings,
    /// What the login is proved with.
    pub credential: Credential,
}

/// How files are written, and how object stores are reached.
#[derive(Clone, Debug)]
pub struct FilesAccount {
    /// What is written. Default Parquet.
    pub format: Format,
    /// Endpoint, region and credentials of the object store. A directory needs none.
    pub store: StoreSettings,
}

impl Default for FilesAccount {
    fn default() -> Self {
        Self {
            format: Format::Parquet,
            store: StoreSettings::default(),
        }
    }
}

/// `[postgres]` and `[postgres_accounts.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PostgresTable {
    #[serde(deserialize_with = "secret")]
    url: Option<SecretString>,
}

/// `[snowflake]` and `[snowflake_accounts.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SnowflakeTable {
    account: Option<String>,
    user: Option<String>,
    database: Option<String>,
    schema: Option<String>,
    warehouse: Option<String>,
    role: Option<String>,
    url: Option<String>,
    query_tag: Option<String>,
    private_key_file: Option<String>,
    #[serde(deserialize_with = "secret")]
    private_key_passphrase: Option<SecretString>,
    #[serde(deserialize_with = "secret")]
    token: Option<SecretString>,
    #[serde(deserialize_with = "secret")]
    password: Option<SecretString>,
}

/// `[files]`: files in directories and object stores.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FilesTable {
    format: Option<String>,
    endpoint: Option<String>,
    region: Option<String>,
}

pub(super) fn postgres(
    layers: &Layers<'_>,
    default: PostgresTable,
    others: BTreeMap<String, PostgresTable>,
) -> Result<BTreeMap<String, PostgresSettings>, ConfigError> {
    let mut found = BTreeMap::new();
    for account in account_layers(layers, "postgres", "POSTGRES_URL_", default, others)? {
        let url = layers.key(
            &format!("POSTGRES_URL{}", account.suffix),
            &format!("{}.url", account.prefix),
            account.table.url,
        );
        let Some((url, from)) = url else { continue };
        let mut settings = PostgresSettings::from_url(url.expose_secret())
            .map_err(|error| ConfigError::new(from, error.to_string(), POSTGRES_EXAMPLE))?;
        if settings.application_name == PostgresSettings::default().application_name {
            "sync-cli".clone_into(&mut settings.application_name);
        }
        found.insert(account.name, settings);
    }
    Ok(found)
}

const POSTGRES_EXAMPLE: &str =
    "give it as in postgres://user:password@host:5432/database?schema=mailchimp";

pub(super) fn snowflake(
    layers: &Layers<'_>,
    default: SnowflakeTable,
    others: BTreeMap<String, SnowflakeTable>,
) -> Result<BTreeMap<String, SnowflakeAccount>, ConfigError> {
    let mut found = BTreeMap::new();
    for layer in account_layers(layers, "snowflake", "SNOWFLAKE_ACCOUNT_", default, others)? {
        let (suffix, prefix, table) = (layer.suffix, layer.prefix, layer.table);
        let word = |name: &str, entry: Option<String>| {
            let variable = format!("SNOWFLAKE_{}{suffix}", name.to_ascii_uppercase());
            let found = layers.variable(&variable);
            found.map(|found| found.text.trim().to_owned()).or(entry)
        };
        let secret = |name: &str, entry: Option<SecretString>| {
            let variable = format!("SNOWFLAKE_{}{suffix}", name.to_ascii_uppercase());
            let found = layers.key(&variable, &format!("{prefix}.{name}"), entry);
            found.map(|(secret, _)| secret)
        };
        let missing = |name: &str| {
            ConfigError::new(
                format!("SNOWFLAKE_{}{suffix}", name.to_ascii_uppercase()),
                "it is not set",
                format!("set it, or {prefix}.{name} in sync.toml"),
            )
        };
        let Some(account) = word("account", table.account) else {
            continue;
        };
        let user = word("user", table.user).ok_or_else(|| missing("user"))?;
        let database = word("database", table.database).ok_or_else(|| missing("database"))?;
        let mut settings = SnowflakeSettings::new(account, user, database);
        if let Some(schema) = word("schema", table.schema) {
            settings.schema = schema;
        }
        settings.warehouse = word("warehouse", table.warehouse);
        settings.role = word("role", table.role);
        settings.query_tag = word("query_tag", table.query_tag).unwrap_or("sync-cli".to_owned());
        if let Some(url) = word("url", table.url) {
            let url = parse_base_url(&url).map_err(|problem| {
                let name = format!("SNOWFLAKE_URL{suffix}");
                ConfigError::new(name, problem, "give an https URL")
            })?;
            settings.url = Some(url);
        }
        settings.validate().map_err(|error| {
            let remedy = "correct the setting that is named";
            ConfigError::new(layers.entry(&prefix), error.to_string(), remedy)
        })?;
        let passphrase = secret("private_key_passphrase", table.private_key_passphrase);
        let key_file = word("private_key_file", table.private_key_file);
        let private_key = match secret("private_key", None) {
            Some(key) => Some(key),
            None => key_file.map(|path| read_key(&path)).transpose()?,
        };
        let credential = if let Some(private_key) = private_key {
            Credential::KeyPair {
                private_key,
                passphrase,
            }
        } else if let Some(token) = secret("token", table.token) {
            Credential::AccessToken(token)
        } else if let Some(password) = secret("password", table.password) {
            Credential::Password(password)
        } else {
            return Err(ConfigError::new(
                format!("SNOWFLAKE_PRIVATE_KEY_FILE{suffix}"),
                "nothing proves the login",
                format!("set it, or SNOWFLAKE_TOKEN{suffix}, or SNOWFLAKE_PASSWORD{suffix}"),
            ));
        };
        found.insert(
            layer.name,
            SnowflakeAccount {
                settings,
                credential,
            },
        );
    }
    Ok(found)
}

fn read_key(path: &str) -> Result<SecretString, ConfigError> {
    std::fs::read_to_string(Path::new(path))
        .map(SecretString::from)
        .map_err(|error| {
            ConfigError::new(
                "SNOWFLAKE_PRIVATE_KEY_FILE",
                format!("the file {path} cannot be read ({})", error.kind()),
                "name a file with a private key in PEM",
            )
        })
}

/// Variables by which other programs know object stores, and what the store's builder calls them.
const STORE_VARIABLES: [(&str, &str); 12] = [
    ("AWS_ACCESS_KEY_ID", "aws_access_key_id"),
    ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key"),
    ("AWS_SESSION_TOKEN", "aws_session_token"),
    (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "google_application_credentials",
    ),
    ("GOOGLE_SERVICE_ACCOUNT", "google_service_account"),
    ("GOOGLE_SERVICE_ACCOUNT_KEY", "google_service_account_key"),
    ("AZURE_STORAGE_ACCOUNT_NAME", "azure_storage_account_name"),
    ("AZURE_STORAGE_ACCOUNT_KEY", "azure_storage_account_key"),
    ("AZURE_STORAGE_SAS_KEY", "azure_storage_sas_key"),
    ("AZURE_STORAGE_CLIENT_ID", "azure_storage_client_id"),
    ("AZURE_STORAGE_CLIENT_SECRET", "azure_storage_client_secret"),
    ("AZURE_STORAGE_TENANT_ID", "azure_storage_tenant_id"),
];

pub(super) fn files(layers: &Layers<'_>, table: FilesTable) -> Result<FilesAccount, ConfigError> {
    let mut account = FilesAccount::default();
    let format = ("files.format", table.format);
    if let Some(found) = layers.word(("", None), "SYNC_FILES_FORMAT", format) {
        account.format = found.text.parse().map_err(|_| {
            found.wrong(
                "there is no such format",
                "choose parquet, jsonl, jsonl.gz or jsonl.zst",
            )
        })?;
    }
    let endpoint = ("files.endpoint", table.endpoint);
    if let Some(found) = layers.word(("", None), "AWS_ENDPOINT_URL", endpoint) {
        let url = parse_base_url(&found.text)
            .map_err(|problem| found.wrong(problem, "give an https URL"))?;
        account.store.endpoint = Some(url);
    }
    let region = ("files.region", table.region);
    account.store.region = layers
        .word(("", None), "AWS_REGION", region)
        .or_else(|| layers.variable("AWS_DEFAULT_REGION"))
        .map(|found| found.text);
    for (variable, option) in STORE_VARIABLES {
        if let Some(found) = layers.variable(variable) {
            let value = SecretString::from(found.text);
            account.store.options.insert(option.to_owned(), value);
        }
    }
    Ok(account)
}
