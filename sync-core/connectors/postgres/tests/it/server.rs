//! The server that the tests talk to.
//!
//! With `POSTGRES_TEST_URL` it is that one: a superuser's database that may be filled with schemas and roles. Otherwise, if the
//! server's programs are on this computer, a cluster of our own is started and goes away with the tests. Otherwise the tests
//! print that they did nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sync_postgres::{Host, PostgresSettings, PostgresSink, PostgresWarehouse};
use tokio_postgres::{Client, NoTls};

/// What all tests share.
struct Server {
    url: String,
    /// If it is our own.
    cluster: Option<Cluster>,
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match std::env::var("POSTGRES_TEST_URL") {
        Ok(url) => Some(Server { url, cluster: None }),
        Err(_) => Cluster::start().map(|cluster| Server {
            url: cluster.url(),
            cluster: Some(cluster),
        }),
    });
    server.as_ref()
}

/// The shared server, if it is our own: set up as `server/run.sh` says.
pub(crate) fn own() -> Option<&'static Cluster> {
    let own = server().and_then(|server| server.cluster.as_ref());
    if own.is_none() {
        println!("skipped: no server of our own");
    }
    own
}

/// A schema of its own at the server, made when the sink makes it.
pub(crate) struct Place {
    pub(crate) settings: PostgresSettings,
    pub(crate) admin: Client,
}

impl Place {
    /// `None` if there is no server.
    pub(crate) async fn fresh() -> Option<Self> {
        let Some(server) = server() else {
            println!("skipped: neither POSTGRES_TEST_URL nor the programs of a server");
            return None;
        };
        Some(Self::at(&server.url).await)
    }

    /// A new schema at this server.
    pub(crate) async fn at(url: &str) -> Self {
        static PLACES: AtomicU32 = AtomicU32::new(0);
        let settings = PostgresSettings::from_url(url).unwrap();
        let (admin, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        admin.batch_execute("SET timezone = 'UTC'").await.unwrap();
        let schema = format!(
            "test {} {}",
            std::process::id(),
            PLACES.fetch_add(1, Ordering::Relaxed)
        );
        let settings = PostgresSettings { schema, ..settings };
        Self { settings, admin }
    }

    pub(crate) fn warehouse(&self) -> PostgresWarehouse {
        PostgresWarehouse::new(self.settings.clone()).unwrap()
    }

    pub(crate) fn sink(&self) -> PostgresSink {
        self.warehouse().sink()
    }

    /// The table's name for a statement.
    pub(crate) fn table(&self, table: &str) -> String {
        format!("\"{}\".\"{table}\"", self.settings.schema)
    }

    /// Runs statements, `{}` in which stands for a table.
    pub(crate) async fn run(&self, table: &str, sql: &str) {
        let sql = sql.replace("{}", &self.table(table));
        self.admin.batch_execute(&sql).await.unwrap();
    }

    /// The one value of a query, as text; `{}` in it stands for a table.
    pub(crate) async fn ask(&self, table: &str, sql: &str) -> Option<String> {
        let sql = format!("SELECT ({})::text", sql.replace("{}", &self.table(table)));
        self.admin.query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// Waits until a session with the sink's application name is blocked by a lock, and gives its process.
    pub(crate) async fn blocked(&self) -> i32 {
        loop {
            let row = self
                .admin
                .query_opt(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'",
                    &[&self.settings.application_name],
                )
                .await
                .unwrap();
            if let Some(row) = row {
                return row.get(0);
            }
        }
    }

    /// Another session of the superuser.
    pub(crate) async fn another(&self) -> Client {
        let host = &self.settings.hosts[0];
        let mut config = tokio_postgres::Config::new();
        config
            .host(&host.name)
            .port(host.port)
            .user(&self.settings.user)
            .dbname(&self.settings.database);
        if let Some(password) = &self.settings.password {
            config.password(secrecy::ExposeSecret::expose_secret(password));
        }
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

/// A server of our own. Ends with the process that started it.
pub(crate) struct Cluster {
    port: u16,
    /// The certificate that signed the server's.
    pub(crate) authority: String,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    script: Child,
}

impl Cluster {
    /// `None` if the server's programs are not on this computer.
    pub(crate) fn start() -> Option<Self> {
        Some(Self::start_with(&programs()?, None))
    }

    /// Another server that repeats what this one does, and takes no writes until it is promoted.
    pub(crate) fn standby(&self) -> Self {
        Self::start_with(&programs().unwrap(), Some(self.port))
    }

    fn start_with(bin: &Path, primary: Option<u16>) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("sync-postgres")
            .tempdir()
            .unwrap()
            .keep();
        let authority = certify(&dir);
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let mut command = as_ordinary_user(&dir);
        let mut script = command
            .args(["sh", "-c", include_str!("server/run.sh"), "server"])
            .args([bin, &dir])
            .arg(port.to_string())
            .args(primary.map(|port| port.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .current_dir(&dir)
            .spawn()
            .unwrap();
        let mut cluster = Self {
            port,
            authority,
            commands: script.stdin.take().unwrap(),
            answers: BufReader::new(script.stdout.take().unwrap()),
            script,
        };
        cluster.ready();
        cluster
    }

    pub(crate) fn host(&self) -> Host {
        Host::new("localhost", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@localhost:{}/postgres", self.port)
    }

    /// As a crash: no session is asked to end.
    pub(crate) fn stop_server(&mut self) {
        self.tell("stop");
    }

    pub(crate) fn start_server(&mut self) {
        self.tell("start");
    }

    /// Makes a standby a server that takes writes.
    pub(crate) fn promote(&mut self) {
        self.tell("promote");
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
        self.ready();
    }

    fn ready(&mut self) {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(
            answer.trim_end(),
            "ready",
            "the server did not start: {:?}",
            self.script.try_wait()
        );
    }
}

fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    versions.extend(std::env::split_paths(&path));
    versions
        .into_iter()
        .find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
}

/// A command that runs as a user who may run a server: the superuser may not. That user gets the folder.
fn as_ordinary_user(dir: &Path) -> Command {
    let id = |flag: &str, user: &str| -> Option<u32> {
        let output = Command::new("id").args([flag, user]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    let me = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    if me.trim() != "root" {
        return Command::new("env");
    }
    let user = "postgres";
    let (uid, gid) = (id("-u", user), id("-g", user));
    for path in fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        chown(path, uid, gid).unwrap();
    }
    chown(dir, uid, gid).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--init-groups", "--"]);
    command
}

/// Writes key and certificate of a server called `localhost`, and gives the certificate of their authority.
fn certify(dir: &Path) -> String {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    fs::write(dir.join("server.crt"), certificate.pem()).unwrap();
    let path = dir.join("server.key");
    fs::write(&path, key.serialize_pem()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    authority.pem()
}
