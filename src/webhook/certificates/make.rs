//! Makes a serving certificate, and an authority for it alone.
//!
//! Owns what is in them. Must not know when one is due. The invariant that would break first: the
//! authority's key signs once and is gone when [`make`] returns, so nobody can ever sign a second
//! certificate that clients of the webhook trust.

use super::bundle::{Authority, NAME};
use super::pair::{BadPair, Pair};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use std::time::Duration;
use zeroize::{Zeroize as _, Zeroizing};

/// How long before it was made a certificate counts as valid already: it is accepted by whose clock
/// is behind the maker's by less.
const BACKDATED: Duration = Duration::from_secs(365 * 24 * 3600);

/// The last day that a certificate may end, in seconds: dates have four digits for the year.
const LAST: u64 = 253_370_764_800;

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum MakeError {
    #[error("making a certificate: {0}")]
    Refused(#[from] rcgen::Error),
    #[error("making a certificate: what was made cannot be read: {0}")]
    Unreadable(#[from] BadPair),
    #[error("making a certificate: the authority that was made cannot be read")]
    NoAuthority,
}

/// A certificate with its key, and who signed it.
pub(super) struct Made {
    pub(super) pair: Pair,
    pub(super) authority: Authority,
}

/// Makes both. They end together, `lifetime` after `now`.
///
/// # Errors
/// If a name is neither a DNS name nor an address.
pub(super) fn make(
    names: &[String],
    now: Timestamp,
    lifetime: Duration,
) -> Result<Made, MakeError> {
    let mut authority_key = KeyPair::generate()?; // ECDSA P-256
    let mut params = valid(CertificateParams::default(), now, lifetime);
    // A name of its own: clients find the right one of several by it.
    let id = hex::encode(params.key_identifier(&authority_key));
    let name = format!("{NAME}{}", id.get(..16).unwrap_or(&id));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(params, &authority_key)?;

    let mut key = KeyPair::generate()?;
    let mut params = valid(CertificateParams::new(names)?, now, lifetime);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "imageref webhook");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, &authority)?;
    let der = authority.der().clone();
    drop(authority);
    authority_key.zeroize();

    let text = Zeroizing::new(key.serialize_pem());
    key.zeroize();
    Ok(Made {
        pair: Pair::read(certificate.pem().as_bytes(), text.as_bytes())?,
        authority: Authority::read(der).ok_or(MakeError::NoAuthority)?,
    })
}

fn valid(mut params: CertificateParams, now: Timestamp, lifetime: Duration) -> CertificateParams {
    // A clock that stands at the beginning of time, or at its end, makes a certificate all the same.
    let now = u64::try_from(now.as_second()).unwrap_or(0).min(LAST);
    let end = now.saturating_add(lifetime.as_secs()).min(LAST);
    let date = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    params.not_before = date(now.saturating_sub(BACKDATED.as_secs()));
    params.not_after = date(end);
    params
}
