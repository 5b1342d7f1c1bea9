//! `state show`, `state rewind`, `state reset`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;
use sync_core::{Clock, Error, ErrorKind, Position, Reset, StateStore, SystemClock};
use sync_local::LocalState;

use super::args::StateCommand;
use super::exit::{Exit, Failure};
use super::listing::{self, json_text, meant};
use super::output::{Stream, grouped, print, time};
use crate::config::{ConfigError, Settings};

pub(super) async fn execute(settings: &Settings, command: &StateCommand) -> Result<Exit, Failure> {
    match command {
        StateCommand::Show => show(settings).await,
        StateCommand::Rewind { import, to, resend } => rewind(settings, import, to, *resend).await,
        StateCommand::Reset { import, yes } => reset(settings, import, *yes).await,
    }
}

async fn show(settings: &Settings) -> Result<Exit, Failure> {
    let state = listing::open(settings).await?;
    let mut imports = Vec::new();
    for entry in state.imports() {
        let stored = state.load(&entry.id).await?;
        imports.push(json!({
            "import": entry.id,
            "list_id": entry.list_id,
            "latest_timestamp": entry.latest_timestamp,
            "revision": stored.as_ref().map(|stored| stored.revision),
            "checkpoint": stored.map(|stored| stored.checkpoint),
            "records": state.ledger_len(&entry.id.scope()).await?,
            "rejected": state.rejected_len(&entry.id).await?,
        }));
    }
    for id in listing::streams(&state).await? {
        let stored = state.load(&id).await?;
        imports.push(json!({
            "import": id,
            "revision": stored.as_ref().map(|stored| stored.revision),
            "checkpoint": stored.map(|stored| stored.checkpoint),
            "records": state.ledger_len(&id.scope()).await?,
            "rejected": state.rejected_len(&id).await?,
        }));
    }
    print(Stream::Stdout, &json_text(&imports)?);
    Ok(Exit::Good)
}

async fn rewind(
    settings: &Settings,
    import: &str,
    to: &str,
    resend: bool,
) -> Result<Exit, Failure> {
    let position = match to {
        "start" => Position::Start,
        text => Position::Since(text.parse::<DateTime<Utc>>().map_err(|_| {
            ConfigError::new(
                "--to",
                "it is neither a time nor start",
                "give a time with a zone, such as 2024-05-01T00:00:00Z, or start",
            )
        })?),
    };
    let state = exclusive(settings).await?;
    let id = meant(&state, import).await?;
    let from = match &position {
        Position::Since(since) => time(Some(*since)),
        _ => "the start".to_owned(),
    };
    if resend {
        state.reset(&id, Reset::Fingerprints).await?;
    }
    state.rewind(&id, position).await?;
    let again = if resend {
        ", and sends everything again"
    } else {
        ""
    };
    print(
        Stream::Stdout,
        &format!("{id}: the next run reads from {from}{again}\n"),
    );
    Ok(Exit::Good)
}

async fn reset(settings: &Settings, import: &str, yes: bool) -> Result<Exit, Failure> {
    let state = exclusive(settings).await?;
    let id = meant(&state, import).await?;
    let known = grouped(state.ledger_len(&id.scope()).await?);
    let rejected = grouped(state.rejected_len(&id).await?);
    if !yes {
        let problem = format!(
            "it would forget the position, {known} records that were sent and {rejected} that were rejected; add --yes to do it"
        );
        return Err(Error::new(ErrorKind::Config, "reset import", problem)
            .with("import", &id)
            .into());
    }
    state.reset(&id, Reset::Everything).await?;
    let text = format!(
        "{id}: forgot {known} records and {rejected} rejected ones; the next run is a full load\n"
    );
    print(Stream::Stdout, &text);
    Ok(Exit::Good)
}

/// Opens the state for changing it.
async fn exclusive(settings: &Settings) -> Result<LocalState, Failure> {
    let directory = settings.config.state.clone();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    tokio::task::spawn_blocking(move || LocalState::open(directory, &clock))
        .await
        .map_err(|cause| {
            Failure::from(
                Error::new(
                    ErrorKind::State,
                    "open state directory",
                    "the work was stopped",
                )
                .caused_by(cause),
            )
        })?
        .map_err(Failure::before_start)
}
