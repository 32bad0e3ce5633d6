//! Certificates made on the spot.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd,
};
use serde_json::{Value, json};
use siot::TlsBackend;

/// The backends of TLS that this build has.
pub(crate) const TLS_BACKENDS: &[TlsBackend] = &[
    TlsBackend::Rustls,
    #[cfg(feature = "native-tls")]
    TlsBackend::Native,
];

/// A certificate authority.
pub(crate) struct CertAuthority {
    cert: Certificate,
    key: KeyPair,
}

/// A certificate and its key, both in PEM.
pub(crate) struct Identity {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl CertAuthority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "siot test authority");
        Self { cert: params.self_signed(&key).unwrap(), key }
    }

    pub(crate) fn pem(&self) -> String {
        self.cert.pem()
    }

    /// A certificate for a host that is valid in these years.
    pub(crate) fn valid(&self, host: &str, from: i32, to: i32) -> Identity {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        self.sign(params, &KeyPair::generate().unwrap())
    }

    /// An authority that this one vouches for.
    pub(crate) fn intermediate(&self) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "siot test intermediate");
        params.use_authority_key_identifier_extension = true;
        let cert = params.signed_by(&key, &self.cert, &self.key).unwrap();
        Self { cert, key }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.cert.der().to_vec()
    }

    /// A certificate for a host.
    pub(crate) fn issue(&self, host: &str) -> Identity {
        self.valid(host, 2000, 4000)
    }

    /// A certificate for a host and a key in PKCS#8.
    pub(crate) fn issue_for_key(&self, host: &str, key: &str) -> Identity {
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        self.sign(params, &KeyPair::from_pem(key).unwrap())
    }

    fn sign(&self, mut params: CertificateParams, key: &KeyPair) -> Identity {
        // OpenSSL tells authorities of the same name apart by it.
        params.use_authority_key_identifier_extension = true;
        let cert = params.signed_by(key, &self.cert, &self.key).unwrap();
        Identity { cert: cert.pem(), key: key.serialize_pem() }
    }
}

impl Identity {
    /// What the test server takes as `tls`.
    pub(crate) fn server(&self) -> Value {
        json!({ "key": self.key, "cert": self.cert })
    }

    /// The same, for clients with a certificate of this authority only.
    pub(crate) fn mutual(&self, clients: &str) -> Value {
        let mut tls = self.server();
        tls["ca"] = json!(clients);
        tls["requestCert"] = json!(true);
        tls["rejectUnauthorized"] = json!(true);
        tls
    }
}
