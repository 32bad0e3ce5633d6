//! Authorities and certificates made on the spot, for the integration tests too.
#![allow(dead_code, reason = "a kit: no binary needs each of its helpers")]

use std::net::IpAddr;

use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::der::asn1::{
    Any, BitString, GeneralizedTime, Ia5String, Null, ObjectIdentifier, OctetString, UtcTime,
};
use x509_cert::der::pem::{self, LineEnding};
use x509_cert::der::{DateTime, Encode as _, EncodePem as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{AsExtension, Extension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// The years whose first of January a certificate is valid between, where none are said.
const YEARS: (u16, u16) = (2000, 4000);

/// A certificate authority.
pub(crate) struct CertAuthority {
    name: Name,
    key: Key,
    cert: Certificate,
}

/// A certificate and its key. `cert` may be followed by those that vouch for it.
pub(crate) struct Identity {
    /// In PEM.
    pub(crate) cert: String,
    /// In PEM.
    pub(crate) key: String,
    pub(crate) cert_der: Vec<u8>,
    /// In PKCS#8.
    pub(crate) key_der: Vec<u8>,
}

/// What a certificate says.
pub(crate) struct Leaf {
    host: String,
    years: (u16, u16),
    usage: Option<ObjectIdentifier>,
}

/// For a name or an address.
pub(crate) fn for_host(host: &str) -> Leaf {
    Leaf { host: host.to_owned(), years: YEARS, usage: None }
}

impl Leaf {
    /// Valid from the first of January of one year to that of another.
    pub(crate) fn valid(mut self, from: u16, to: u16) -> Self {
        self.years = (from, to);
        self
    }

    /// That no server may show.
    pub(crate) fn for_clients_only(mut self) -> Self {
        self.usage = Some(CLIENT_AUTH);
        self
    }

    pub(crate) fn self_signed(&self) -> Identity {
        let key = Key::generate();
        let cert = self.signed(&key.public, &name(&self.host), &key);
        identity(&cert, &key.pkcs8)
    }

    fn signed(
        &self,
        public: &SubjectPublicKeyInfoOwned,
        issuer: &Name,
        signer: &Key,
    ) -> Certificate {
        let subject = name(&self.host);
        let host = match self.host.parse() {
            Ok(IpAddr::V4(ip)) => GeneralName::IpAddress(OctetString::new(ip.octets()).unwrap()),
            Ok(IpAddr::V6(ip)) => GeneralName::IpAddress(OctetString::new(ip.octets()).unwrap()),
            Err(_) => GeneralName::DnsName(Ia5String::new(&self.host).unwrap()),
        };
        let mut extensions = vec![extension(&SubjectAltName(vec![host]), &subject)];
        extensions
            .extend(self.usage.map(|usage| extension(&ExtendedKeyUsage(vec![usage]), &subject)));
        sign(subject, public, self.years, extensions, issuer, signer)
    }
}

impl CertAuthority {
    pub(crate) fn new() -> Self {
        let (name, key) = (name("siot test authority"), Key::generate());
        let cert = sign_authority(&name, &key, &name, &key);
        Self { name, key, cert }
    }

    /// An authority that this one vouches for.
    pub(crate) fn intermediate(&self) -> Self {
        let (name, key) = (name("siot test intermediate"), Key::generate());
        let cert = sign_authority(&name, &key, &self.name, &self.key);
        Self { name, key, cert }
    }

    pub(crate) fn pem(&self) -> String {
        self.cert.to_pem(LineEnding::LF).unwrap()
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.cert.to_der().unwrap()
    }

    /// A certificate for a name or an address.
    pub(crate) fn issue(&self, host: &str) -> Identity {
        self.certify(&for_host(host))
    }

    /// A certificate for a host that is valid in these years.
    pub(crate) fn valid(&self, host: &str, from: u16, to: u16) -> Identity {
        self.certify(&for_host(host).valid(from, to))
    }

    /// A certificate with a key of its own.
    pub(crate) fn certify(&self, leaf: &Leaf) -> Identity {
        let key = Key::generate();
        identity(&leaf.signed(&key.public, &self.name, &self.key), &key.pkcs8)
    }

    /// A certificate for a key in PKCS#8 and PEM: of RSA, or of the curve P-256.
    pub(crate) fn issue_for_key(&self, host: &str, key: &str) -> Identity {
        let (_, pkcs8) = pem::decode_vec(key.as_bytes()).unwrap();
        let public = match rsa::KeyPair::from_pkcs8(&pkcs8) {
            Ok(key) => public_key(RSA_ENCRYPTION, Any::from(Null), key.public().as_ref()),
            Err(_) => Key::from_pkcs8(pkcs8.clone()).public,
        };
        identity(&for_host(host).signed(&public, &self.name, &self.key), &pkcs8)
    }
}

/// A key that signs.
struct Key {
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
    public: SubjectPublicKeyInfoOwned,
}

impl Key {
    fn generate() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        Self::from_pkcs8(pkcs8.as_ref().to_vec())
    }

    fn from_pkcs8(pkcs8: Vec<u8>) -> Self {
        let random = SystemRandom::new();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8, &random).unwrap();
        let public = public_key(EC_PUBLIC_KEY, Any::from(P256), pair.public_key().as_ref());
        Self { pair, pkcs8, public }
    }

    fn sign(&self, message: &[u8]) -> BitString {
        let signature = self.pair.sign(&SystemRandom::new(), message).unwrap();
        BitString::from_bytes(signature.as_ref()).unwrap()
    }
}

fn public_key(oid: ObjectIdentifier, parameters: Any, bytes: &[u8]) -> SubjectPublicKeyInfoOwned {
    SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned { oid, parameters: Some(parameters) },
        subject_public_key: BitString::from_bytes(bytes).unwrap(),
    }
}

fn sign_authority(subject: &Name, key: &Key, issuer: &Name, signer: &Key) -> Certificate {
    let constraints = BasicConstraints { ca: true, path_len_constraint: None };
    let of_key = SubjectKeyIdentifier(key_identifier(&key.public));
    let extensions = vec![extension(&constraints, subject), extension(&of_key, subject)];
    sign(subject.clone(), &key.public, YEARS, extensions, issuer, signer)
}

fn sign(
    subject: Name,
    public: &SubjectPublicKeyInfoOwned,
    (from, to): (u16, u16),
    mut extensions: Vec<Extension>,
    issuer: &Name,
    signer: &Key,
) -> Certificate {
    // OpenSSL tells authorities of the same name apart by it.
    let of_issuer = AuthorityKeyIdentifier {
        key_identifier: Some(key_identifier(&signer.public)),
        ..AuthorityKeyIdentifier::default()
    };
    extensions.push(extension(&of_issuer, &subject));
    let algorithm = AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None };
    let serial: [u8; 16] = ring::rand::generate(&SystemRandom::new()).unwrap().expose();
    let tbs_certificate = TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::new(&serial).unwrap(),
        signature: algorithm.clone(),
        issuer: issuer.clone(),
        validity: Validity { not_before: january(from), not_after: january(to) },
        subject,
        subject_public_key_info: public.clone(),
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions),
    };
    let signature = signer.sign(&tbs_certificate.to_der().unwrap());
    Certificate { tbs_certificate, signature_algorithm: algorithm, signature }
}

fn identity(cert: &Certificate, pkcs8: &[u8]) -> Identity {
    Identity {
        cert: cert.to_pem(LineEnding::LF).unwrap(),
        key: pem::encode_string("PRIVATE KEY", LineEnding::LF, pkcs8).unwrap(),
        cert_der: cert.to_der().unwrap(),
        key_der: pkcs8.to_vec(),
    }
}

fn name(common: &str) -> Name {
    format!("CN={common}").parse().unwrap()
}

fn extension(extension: &impl AsExtension, subject: &Name) -> Extension {
    extension.to_extension(subject, &[]).unwrap()
}

fn key_identifier(public: &SubjectPublicKeyInfoOwned) -> OctetString {
    let digest = ring::digest::digest(&ring::digest::SHA256, public.subject_public_key.raw_bytes());
    OctetString::new(&digest.as_ref()[..20]).unwrap()
}

/// The first of January. Years before 2050 are written in the older form.
fn january(year: u16) -> Time {
    let at = DateTime::new(year, 1, 1, 0, 0, 0).unwrap();
    match UtcTime::from_date_time(at) {
        Ok(time) => Time::UtcTime(time),
        Err(_) => Time::GeneralTime(GeneralizedTime::from_date_time(at)),
    }
}
