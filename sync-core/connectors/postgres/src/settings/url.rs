//! Settings written as a URL.

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use sync_core::Result;

use super::{Host, PostgresSettings, SslMode, default_port, wrong};

/// Parses by hand: a URL for Postgres may name several hosts, which no URL of the web may.
pub(super) fn parse(text: &str) -> Result<PostgresSettings> {
    let rest = text
        .strip_prefix("postgres://")
        .or_else(|| text.strip_prefix("postgresql://"))
        .ok_or_else(|| wrong("url", "it must begin with postgres:// or postgresql://"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    // A password may hold an unescaped @; a host cannot.
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (login, hosts),
        None => ("", authority),
    };
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };

    let mut settings = PostgresSettings::default();
    if !hosts.is_empty() {
        settings.hosts = hosts.split(',').map(host).collect::<Result<_>>()?;
    }
    if !user.is_empty() {
        settings.user = decoded("user", user)?;
    }
    if let Some(password) = password {
        settings.password = Some(SecretString::from(decoded("password", password)?));
    }
    if !database.is_empty() {
        settings.database = decoded("database", database)?;
    } else if !user.is_empty() {
        // As every client of Postgres does.
        settings.database.clone_from(&settings.user);
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        parameter(&mut settings, name, value)?;
    }
    Ok(settings)
}

fn parameter(settings: &mut PostgresSettings, name: &str, value: &str) -> Result<()> {
    match name {
        "host" => {
            let names = decoded("host", value)?;
            let ports: Vec<u16> = settings.hosts.iter().map(|host| host.port).collect();
            settings.hosts = names
                .split(',')
                .enumerate()
                .map(|(place, name)| {
                    let port = ports.get(place).or(ports.first());
                    Host::new(name, port.copied().unwrap_or_else(default_port))
                })
                .collect();
        }
        "port" => {
            let ports: Vec<u16> = value
                .split(',')
                .map(|port| number("port", port))
                .collect::<Result<_>>()?;
            for (place, host) in settings.hosts.iter_mut().enumerate() {
                if let Some(port) = ports.get(place).or(ports.first()) {
                    host.port = *port;
                }
            }
        }
        "user" => settings.user = decoded("user", value)?,
        "password" => {
            settings.password = Some(SecretString::from(decoded("password", value)?));
        }
        "dbname" => settings.database = decoded("dbname", value)?,
        "schema" => settings.schema = decoded("schema", value)?,
        "sslmode" => settings.sslmode = Some(sslmode(value)?),
        "sslrootcert" => {
            settings.root_certificate = Some(decoded("sslrootcert", value)?.into());
        }
        "application_name" => settings.application_name = decoded("application_name", value)?,
        "connect_timeout" => settings.connect_seconds = number("connect_timeout", value)?,
        "statement_seconds" => settings.statement_seconds = number("statement_seconds", value)?,
        "retry_seconds" => settings.retry_seconds = number("retry_seconds", value)?,
        "channel_binding" => {
            settings.require_channel_binding = match value {
                "require" => true,
                "prefer" => false,
                _ => return Err(wrong("channel_binding", "it must be prefer or require")),
            };
        }
        // We look for such a server in any case.
        "target_session_attrs" if matches!(value, "any" | "primary" | "read-write") => {}
        _ => {
            // The name may be a part of a password with an unescaped character, so it is not shown.
            return Err(wrong(
                "url",
                "a parameter is not known, or its value; a ? or & in a password is written %3F or %26",
            ));
        }
    }
    Ok(())
}

fn host(text: &str) -> Result<Host> {
    let (name, port) = match text.strip_prefix('[') {
        Some(inside) => {
            let (name, rest) = inside
                .split_once(']')
                .ok_or_else(|| wrong("url", "a [ without ] among the hosts"))?;
            (name, rest.strip_prefix(':').unwrap_or(""))
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let port = match port {
        "" => default_port(),
        port => number("port", port)?,
    };
    let name = match name {
        "" => "localhost".to_owned(),
        name => decoded("host", name)?,
    };
    Ok(Host { name, port })
}

fn sslmode(value: &str) -> Result<SslMode> {
    match value {
        "disable" => Ok(SslMode::Disable),
        "require" => Ok(SslMode::Require),
        "verify-full" => Ok(SslMode::VerifyFull),
        "allow" | "prefer" => Err(wrong(
            "sslmode",
            "allow and prefer let anybody on the way switch encryption off: choose verify-full, or disable",
        )),
        "verify-ca" => Err(wrong(
            "sslmode",
            "verify-ca takes any server of the authority: choose verify-full",
        )),
        _ => Err(wrong(
            "sslmode",
            "it must be disable, require or verify-full",
        )),
    }
}

fn decoded(part: &'static str, text: &str) -> Result<String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| wrong(part, "its percent-encoding is not UTF-8"))
}

fn number<N: std::str::FromStr>(part: &'static str, text: &str) -> Result<N> {
    text.parse()
        .map_err(|_| wrong(part, "it must be a whole number that is not too large"))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use sync_core::ErrorKind;

    use super::*;

    fn of(text: &str) -> PostgresSettings {
        PostgresSettings::from_url(text).unwrap()
    }

    #[test]
    fn a_whole_url_is_read() {
        let settings = of(
            "postgresql://ada:p%40ss%3Aw@db.example.com:6432/analytics?sslmode=verify-full&schema=crm\
             &sslrootcert=%2Fetc%2Fca.pem&application_name=nightly%20load&connect_timeout=3&retry_seconds=0",
        );
        assert_eq!(settings.hosts, [Host::new("db.example.com", 6432)]);
        assert_eq!(settings.user, "ada");
        assert_eq!(settings.password.unwrap().expose_secret(), "p@ss:w");
        assert_eq!(settings.database, "analytics");
        assert_eq!(settings.schema, "crm");
        assert_eq!(settings.sslmode, Some(SslMode::VerifyFull));
        assert_eq!(
            settings.root_certificate.unwrap().to_str(),
            Some("/etc/ca.pem")
        );
        assert_eq!(settings.application_name, "nightly load");
        assert_eq!((settings.connect_seconds, settings.retry_seconds), (3, 0));
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let settings = of("postgres://");
        assert_eq!(settings.hosts, [Host::new("localhost", 5432)]);
        assert_eq!(
            (&*settings.user, &*settings.database),
            ("postgres", "postgres")
        );
        assert!(settings.password.is_none());
        assert_eq!(of("postgres://ada@localhost").database, "ada");
        assert_eq!(of("postgres://ada@localhost/").database, "ada");
    }

    #[test]
    fn hosts_come_in_several_forms() {
        let hosts = |text: &str| of(text).hosts;
        assert_eq!(
            hosts("postgres://u@a,b:6000,[::1]:7000/d"),
            [
                Host::new("a", 5432),
                Host::new("b", 6000),
                Host::new("::1", 7000)
            ]
        );
        let socket = [Host::new("/run/postgresql", 5432)];
        assert_eq!(hosts("postgres://u@%2Frun%2Fpostgresql/d"), socket);
        assert_eq!(hosts("postgres:///d?host=/run/postgresql"), socket);
        assert_eq!(
            hosts("postgres:///d?host=/run/postgresql&port=6000"),
            [Host::new("/run/postgresql", 6000)]
        );
    }

    #[test]
    fn the_url_of_a_hosted_server_is_read() {
        let settings =
            of("postgresql://u:p@ep-x.example.com/d?sslmode=require&channel_binding=require");
        assert_eq!(settings.sslmode, Some(SslMode::Require));
        assert!(settings.require_channel_binding);
        assert!(!of("postgres://u@h/d?target_session_attrs=primary").require_channel_binding);
    }

    #[test]
    fn a_password_may_hold_an_at_sign() {
        let settings = of("postgres://u:a@b@host/d");
        assert_eq!(settings.password.unwrap().expose_secret(), "a@b");
        assert_eq!(settings.hosts, [Host::new("host", 5432)]);
    }

    #[test]
    fn a_wrong_url_is_named_and_never_shown() {
        for bad in [
            "mysql://u:hunter2@h/d",
            "u:hunter2@h/d",
            "postgres://u:hunter2@h:port/d",
            "postgres://u:hunter2@h:99999/d",
            "postgres://u:hunter2@[::1/d",
            "postgres://u:%ffhunter2@h/d",
            "postgres://u:hu?nter2@h/d",
            "postgres://u:hunter2@h/d?sslmode=prefer",
            "postgres://u:hunter2@h/d?sslmode=verify-ca",
            "postgres://u:hunter2@h/d?sslmode=hunter2",
            "postgres://u:hunter2@h/d?hunter2=1",
            "postgres://u:hunter2@h/d?channel_binding=hunter2",
            "postgres://u:hunter2@localhost/d?channel_binding=require",
            "postgres://u:hunter2@h/d?target_session_attrs=read-only",
            "postgres://u:hunter2@h/d?connect_timeout=hunter2",
            "postgres://u:hunter2@h/d?schema=pg_x",
        ] {
            let error = PostgresSettings::from_url(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
            let shown = format!("{error:?} {}", error.chain());
            assert!(!shown.contains("nter2"), "{shown}");
        }
    }
}
