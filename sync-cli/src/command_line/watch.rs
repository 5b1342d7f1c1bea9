//! Starts what an operator sees while imports run.

use std::sync::Arc;

use indicatif::{MultiProgress, ProgressDrawTarget};
use sync_core::{Clock, Error, ErrorKind, SystemClock};

use super::exit::Failure;
use super::output::Terminal;
use crate::config::{MetricsAddress, Settings};
use crate::importer::ImporterBuilder;
use crate::telemetry::endpoint::Endpoint;
use crate::telemetry::health::Health;
use crate::telemetry::logs::{self, LogObserver, LogSettings};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::progress::ProgressBars;

/// Logs, metrics, health and progress bars of this process.
pub(super) struct Watch {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    bars: Option<MultiProgress>,
    /// Serves until this is dropped.
    _endpoint: Option<Endpoint>,
}

impl Watch {
    /// Starts logging, and the metrics port unless `with_port` is false.
    pub(super) async fn start(settings: &Settings, with_port: bool) -> Result<Self, Failure> {
        let terminal = Terminal::look(settings.no_color);
        // Lines in a file do not tear bars; bars beside JSON on the same terminal help nobody.
        let bars = (terminal.interactive && settings.log == crate::config::LogFormat::Text)
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        logs::start(LogSettings {
            format: settings.log,
            level: settings.log_level,
            file: settings.log_file.as_deref(),
            colour: terminal.colour,
            bars: bars.clone(),
        })?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::new(clock));
        let health = Arc::new(Health::default());
        let endpoint = if with_port {
            serve(settings.metrics, &metrics, &health).await?
        } else {
            None
        };
        Ok(Self {
            metrics,
            health,
            bars,
            _endpoint: endpoint,
        })
    }

    /// Lets an importer be watched.
    pub(super) fn attach(&self, builder: ImporterBuilder) -> ImporterBuilder {
        let mut builder = builder
            .health(self.health.clone())
            .metrics(self.metrics.clone());
        if let Some(bars) = &self.bars {
            builder = builder.observer(Arc::new(ProgressBars::new(bars.clone())));
        }
        // Last: whoever acts on a line finds metrics and health up to date.
        builder.observer(Arc::new(LogObserver::new(self.bars.is_none())))
    }
}

async fn serve(
    address: MetricsAddress,
    metrics: &Arc<Metrics>,
    health: &Arc<Health>,
) -> Result<Option<Endpoint>, Failure> {
    let (address, required) = match address {
        MetricsAddress::Off => return Ok(None),
        MetricsAddress::Preferred(address) => (address, false),
        MetricsAddress::Required(address) => (address, true),
    };
    match Endpoint::start(address, metrics.clone(), health.clone()).await {
        Ok(endpoint) => {
            tracing::info!(address = %endpoint.address(), "metrics and health are served");
            Ok(Some(endpoint))
        }
        Err(error) if required => Err(Failure::before_start(
            Error::new(
                ErrorKind::Config,
                "serve metrics",
                "the address given by --metrics, SYNC_METRICS or sync.toml cannot be used; choose another, or off",
            )
            .with("address", address)
            .caused_by(error),
        )),
        Err(error) => {
            tracing::warn!(
                %address,
                %error,
                "metrics are not served; choose an address with --metrics, or --metrics off"
            );
            Ok(None)
        }
    }
}
