//! Encrypted connections.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use sync_core::{Error, ErrorKind, Result};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::settings::{PostgresSettings, SslMode};

/// The connector for these settings; `None` for connections in the clear.
pub(crate) fn connector(settings: &PostgresSettings) -> Result<Option<MakeRustlsConnect>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let config = match (settings.ssl(), &settings.root_certificate) {
        (SslMode::Disable, _) => return Ok(None),
        (SslMode::Require, _) => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        (SslMode::VerifyFull, None) => config.with_platform_verifier().map_err(unusable)?,
        (SslMode::VerifyFull, Some(path)) => config.with_root_certificates(roots(path)?),
    };
    Ok(Some(MakeRustlsConnect::new(config.with_no_client_auth())))
}

fn unusable(cause: rustls::Error) -> Error {
    Error::new(
        ErrorKind::Config,
        "prepare encryption",
        "no certificates to trust were found: set root_certificate",
    )
    .caused_by(cause)
}

fn roots(path: &Path) -> Result<RootCertStore> {
    let unreadable = |message: &'static str| {
        Error::new(ErrorKind::Config, "prepare encryption", message)
            .with("root_certificate", path.display())
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(|cause| unreadable("the file cannot be read").caused_by(cause))?;
    for certificate in certificates {
        let certificate =
            certificate.map_err(|cause| unreadable("the file is no PEM").caused_by(cause))?;
        roots
            .add(certificate)
            .map_err(|cause| unreadable("a certificate in the file is broken").caused_by(cause))?;
    }
    if roots.is_empty() {
        return Err(unreadable("the file holds no certificate"));
    }
    Ok(roots)
}

/// Takes any certificate, for [`SslMode::Require`]. The handshake still proves that the server has the certificate's key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
