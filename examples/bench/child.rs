//! The importer as a process of its own, and what it cost.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// How to start it.
pub(crate) struct Importer {
    pub(crate) binary: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) sink: String,
    /// The audience or the streams to read, as arguments.
    pub(crate) what: Vec<String>,
    pub(crate) profile: &'static str,
    pub(crate) mailchimp: String,
    pub(crate) ometria: String,
}

/// What a run cost.
pub(crate) struct Taken {
    pub(crate) elapsed: Duration,
    /// Bytes; the kernel's own high-water mark. 0 where there is no `/proc`.
    pub(crate) peak_memory: u64,
    /// Processor time of all threads.
    pub(crate) cpu: Duration,
    /// Bytes in the state directory afterwards.
    pub(crate) state_bytes: u64,
    pub(crate) success: bool,
    /// The end of what it wrote.
    pub(crate) last_words: String,
}

impl Importer {
    pub(crate) async fn run_once(&self) -> anyhow::Result<Taken> {
        let begun = Instant::now();
        let mut child = Command::new(&self.binary)
            .args([
                "run",
                "--once",
                "--metrics",
                "off",
                "--sink",
                &self.sink,
                "--state",
            ])
            .arg(&self.state)
            .args(&self.what)
            .env_clear()
            .env("MAILCHIMP_API_KEY", super::MAILCHIMP_KEY)
            .env("MAILCHIMP_BASE_URL", &self.mailchimp)
            .env("OMETRIA_API_KEY", super::OMETRIA_KEY)
            .env("OMETRIA_BASE_URL", &self.ometria)
            .env("OMETRIA_PROFILE", self.profile)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let process = child.id().map(|id| PathBuf::from(format!("/proc/{id}")));
        let mut stdout = child.stdout.take();
        let mut stderr = child.stderr.take();
        let listen = async {
            let (mut out, mut err) = (String::new(), String::new());
            if let (Some(stdout), Some(stderr)) = (&mut stdout, &mut stderr) {
                tokio::try_join!(
                    stdout.read_to_string(&mut out),
                    stderr.read_to_string(&mut err)
                )?;
            }
            anyhow::Ok(out + &err)
        };
        let watch = async {
            // A process that ended has no memory to look at, so look often. The mark itself never falls.
            let (mut peak_memory, mut cpu) = (0, Duration::ZERO);
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            loop {
                ticks.tick().await;
                if let Some(process) = &process {
                    peak_memory = high_water_mark(process).unwrap_or(0).max(peak_memory);
                    cpu = processor_time(process).unwrap_or_default().max(cpu);
                }
                if let Some(status) = child.try_wait()? {
                    return anyhow::Ok((status, begun.elapsed(), peak_memory, cpu));
                }
            }
        };
        let (words, (status, elapsed, peak_memory, cpu)) = tokio::try_join!(listen, watch)?;
        let tail = words.char_indices().rev().nth(2000).map_or(0, |(at, _)| at);
        Ok(Taken {
            elapsed,
            peak_memory,
            cpu,
            state_bytes: size_of(&self.state),
            success: status.success(),
            last_words: words[tail..].to_owned(),
        })
    }
}

/// Bytes; the most memory that a process ever had.
pub(crate) fn high_water_mark(process: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn processor_time(process: &Path) -> Option<Duration> {
    /// Linux counts in hundredths of a second on every platform that matters here.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    // The name in parentheses may hold anything; fields 14 and 15 follow it as the 12th and 13th.
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs_f64((user + system) / TICKS_A_SECOND))
}

fn size_of(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}
