//! COLD: TLS on both sides: certificates are always checked; there is no switch to turn that off.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{CipherSuite, ClientConfig, RootCertStore, ServerConfig};

/// Why a TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// The named CA file could not be read.
    #[error("CA file {path}: {source}; name a readable PEM file, or leave `ca_file` out for public venues")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The named CA file holds no usable certificate.
    #[error("CA file {path}: {problem}; it must hold at least one PEM certificate")]
    CaContent {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// rustls refused the configuration.
    #[error("TLS configuration: {0}")]
    Rustls(#[from] rustls::Error),
    /// A test certificate could not be made.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// Whom a client trusts: the public roots, or, for a private exchange, the CA of a named file alone.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Certificates of the named file; `None` for the public roots.
    private_roots: Option<Vec<CertificateDer<'static>>>,
}

impl Trust {
    /// The public roots.
    #[must_use]
    pub const fn public() -> Trust {
        Trust { private_roots: None }
    }

    /// The certificates of a PEM file and nobody else: a private exchange needs no public authority.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate.
    pub fn from_file(path: &Path) -> Result<Trust, TlsSetupError> {
        let pem = std::fs::read(path).map_err(|source| TlsSetupError::CaFile { path: path.to_owned(), source })?;
        Trust::from_pem(&pem).map_err(|problem| TlsSetupError::CaContent { path: path.to_owned(), problem })
    }

    /// The certificates of a PEM text and nobody else.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_pem(pem: &[u8]) -> Result<Trust, String> {
        let mut roots = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.push(certificate.map_err(|error| error.to_string())?);
        }
        if roots.is_empty() {
            return Err("no certificate found".to_owned());
        }
        Ok(Trust { private_roots: Some(roots) })
    }

    /// The private certificates in DER; `None` means the public roots.
    #[must_use]
    pub fn private_roots(&self) -> Option<&[CertificateDer<'static>]> {
        self.private_roots.as_deref()
    }

    /// The client configuration: TLS 1.3 or 1.2, this trust, no client certificate.
    ///
    /// # Errors
    /// A root certificate that rustls cannot use.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, TlsSetupError> {
        let mut roots = RootCertStore::empty();
        match &self.private_roots {
            Some(certificates) => {
                for certificate in certificates {
                    roots.add(certificate.clone())?;
                }
            }
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        let mut config = ClientConfig::builder_with_provider(client_provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Our own record layer goes on where the handshake ends.
        config.enable_secret_extraction = true;
        Ok(Arc::new(config))
    }
}

/// The one cryptography provider of the project.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The same, the cipher of our own record layer that costs least offered first.
fn client_provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}

/// A certificate authority of this project's own, for servers on this machine and in its neighbourhood.
pub struct LoopbackAuthority {
    key: KeyPair,
    /// Its certificate, PEM, for clients to trust.
    pub ca_pem: String,
}

impl LoopbackAuthority {
    /// A new one.
    ///
    /// # Errors
    /// Key generation or signing failed.
    pub fn generate() -> Result<LoopbackAuthority, TlsSetupError> {
        let key = KeyPair::generate()?;
        let ca_pem = authority_parameters().self_signed(&key)?.pem();
        Ok(LoopbackAuthority { key, ca_pem })
    }

    /// One that was made before: its private key ([`LoopbackAuthority::key_pem`]) and its certificate.
    ///
    /// # Errors
    /// The key cannot be read.
    pub fn from_pem(key_pem: &str, ca_pem: &str) -> Result<LoopbackAuthority, TlsSetupError> {
        Ok(LoopbackAuthority { key: KeyPair::from_pem(key_pem)?, ca_pem: ca_pem.to_owned() })
    }

    /// Its private key, PKCS#8 PEM: whoever has it can pretend to be any server to those that trust this authority.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A server certificate for `localhost`, `127.0.0.1`, `::1` and these further addresses and host names.
    ///
    /// # Errors
    /// A name that no certificate can have; key generation or signing failed.
    pub fn server(self, addresses: &[IpAddr], hosts: &[String]) -> Result<LoopbackIdentity, TlsSetupError> {
        let mut names = loopback_names()?;
        for address in addresses.iter().copied().map(SanType::IpAddress) {
            if !names.contains(&address) {
                names.push(address);
            }
        }
        for host in hosts {
            let name = SanType::DnsName(host.as_str().try_into()?);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        self.issue(&names, |_| {})
    }

    fn issue(
        self,
        names: &[SanType],
        adjust: impl FnOnce(&mut CertificateParams),
    ) -> Result<LoopbackIdentity, TlsSetupError> {
        let issuer = Issuer::new(authority_parameters(), self.key);
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = names.to_vec();
        leaf.distinguished_name.push(DnType::CommonName, "Spinbook simulated exchange");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Python from 3.13 on refuses a certificate that does not say who signed it.
        leaf.use_authority_key_identifier_extension = true;
        adjust(&mut leaf);
        let leaf_key = KeyPair::generate()?;
        let leaf_certificate = leaf.signed_by(&leaf_key, &issuer)?;
        let server_config =
            server_config(vec![leaf_certificate.der().clone()], PrivatePkcs8KeyDer::from(leaf_key.serialize_der()))?;
        Ok(LoopbackIdentity { server_config, ca_pem: self.ca_pem })
    }
}

fn authority_parameters() -> CertificateParams {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.distinguished_name.push(DnType::CommonName, "Spinbook loopback authority");
    authority
}

fn loopback_names() -> Result<Vec<SanType>, TlsSetupError> {
    Ok(vec![
        SanType::DnsName("localhost".try_into()?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ])
}

/// A server certificate with the authority that signed it.
pub struct LoopbackIdentity {
    /// What a server of this identity is configured with.
    pub server_config: Arc<ServerConfig>,
    /// The authority's certificate, PEM, for clients to trust.
    pub ca_pem: String,
}

impl LoopbackIdentity {
    /// Makes keys and certificates for `localhost`, `127.0.0.1` and `::1`, kept in memory alone.
    ///
    /// # Errors
    /// Key generation or signing failed.
    pub fn generate() -> Result<LoopbackIdentity, TlsSetupError> {
        LoopbackIdentity::for_names(&loopback_names()?, |_| {})
    }

    /// The same for other names; `adjust` may change the server certificate before it is signed.
    ///
    /// # Errors
    /// Key generation or signing failed.
    pub fn for_names(
        names: &[SanType],
        adjust: impl FnOnce(&mut CertificateParams),
    ) -> Result<LoopbackIdentity, TlsSetupError> {
        LoopbackAuthority::generate()?.issue(names, adjust)
    }
}

/// A server configuration from a chain and its key.
///
/// # Errors
/// rustls refuses the key.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsSetupError> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::Pkcs8(key))?;
    Ok(Arc::new(config))
}
