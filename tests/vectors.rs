//! Every signature vector, compared with what the signers make of it: each intermediate result, and
//! everything that goes on the wire.
//!
//! `IMAGEREF_VECTORS` names another folder of vectors than the committed one.

mod made;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use imageref::registry::swr_login::long_term_login;
use made::{alibaba_made, huawei_made};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

type Pairs = Vec<(String, String)>;

const SCHEMES: [&str; 4] = [
    "SDK-HMAC-SHA256",
    "V11-HMAC-SHA256",
    "ACS3-HMAC-SHA256",
    "SWR long-term login key",
];

#[derive(Deserialize)]
struct File {
    algorithm: String,
    count: usize,
    vectors: Vec<Value>,
}

#[derive(Deserialize)]
struct Vector {
    algorithm: String,
    datetime: String,
    nonce: Option<String>,
    credentials: Credentials,
    derived: Option<Derived>,
    action: Option<String>,
    version: Option<String>,
    signed_header_rule: Option<Rule>,
    request: Request,
    expected: Expected,
}

#[derive(Deserialize)]
struct Credentials {
    ak: String,
    sk: String,
    security_token: Option<String>,
    project_id: Option<String>,
    domain_id: Option<String>,
}

#[derive(Deserialize)]
struct Derived {
    region: String,
    service: String,
    info: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Rule {
    AcsHostContentType,
    AllHeaders,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    host: String,
    wire_path: String,
    query: Pairs,
    wire_query: String,
    #[serde(default)]
    headers: Pairs,
    #[serde(default)]
    headers_added_after_signing: Pairs,
    content_type: Option<String>,
    #[serde(default)]
    extra_headers: Pairs,
    #[serde(default)]
    unsigned_headers: Pairs,
    body: String,
}

#[derive(Deserialize)]
struct Expected {
    canonical_request: String,
    canonical_request_sha256: String,
    string_to_sign: String,
    derived_key_hex: Option<String>,
    signed_headers: String,
    signature: String,
    authorization: String,
    request_headers: Pairs,
}

#[derive(Deserialize)]
struct LoginVector {
    region: String,
    ak: String,
    sk: String,
    expected: ExpectedLogin,
}

#[derive(Deserialize)]
struct ExpectedLogin {
    username: String,
    password: String,
    basic_authorization: String,
}

/// What a signer made of a vector, whichever scheme it is.
struct Made {
    canonical_request: SecretString,
    string_to_sign: String,
    derived_key: Option<SecretString>,
    signed_headers: String,
    signature: SecretString,
    query: String,
    headers: Vec<(String, SecretString)>,
}

/// Differences found, each with field and both values.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare(&mut self, field: &str, made: &str, expected: &str) {
        if made != expected {
            self.0.push(format!(
                "{field}\n    made:     {made:?}\n    expected: {expected:?}"
            ));
        }
    }
}

/// Checks the text of one file. Gives the number of its vectors by scheme, or all that is wrong.
fn check_file(name: &str, text: &str) -> Result<(String, usize), Vec<String>> {
    let file: File =
        serde_json::from_str(text).map_err(|error| vec![format!("{name}: {error}")])?;
    if !SCHEMES.contains(&file.algorithm.as_str()) {
        return Err(vec![format!("{name}: unknown scheme {:?}", file.algorithm)]);
    }
    let mut wrong = Vec::new();
    if file.count != file.vectors.len() {
        let (count, found) = (file.count, file.vectors.len());
        wrong.push(format!(
            "{name}: count is {count}, but there are {found} vectors"
        ));
    }
    for (index, vector) in file.vectors.iter().enumerate() {
        let title = vector["name"]
            .as_str()
            .map_or_else(|| format!("#{index}"), str::to_owned);
        match check_vector(&file.algorithm, vector) {
            Ok(Differences(fields)) => {
                wrong.extend(
                    fields
                        .iter()
                        .map(|field| format!("{name}: {title}: {field}")),
                );
            }
            Err(error) => wrong.push(format!("{name}: {title}: {error}")),
        }
    }
    if wrong.is_empty() {
        Ok((file.algorithm, file.vectors.len()))
    } else {
        Err(wrong)
    }
}

fn check_vector(algorithm: &str, vector: &Value) -> Result<Differences, String> {
    let unreadable = |error: serde_json::Error| error.to_string();
    if algorithm == "SWR long-term login key" {
        return Ok(check_login(
            &LoginVector::deserialize(vector).map_err(unreadable)?,
        ));
    }
    let vector = Vector::deserialize(vector).map_err(unreadable)?;
    if vector.algorithm != algorithm {
        return Err(format!(
            "algorithm {:?} in a file of {algorithm:?}",
            vector.algorithm
        ));
    }
    let made = match algorithm {
        "ACS3-HMAC-SHA256" => alibaba_made(&vector)?,
        _ => huawei_made(&vector)?,
    };
    Ok(compare(&vector, &made))
}

fn check_login(vector: &LoginVector) -> Differences {
    let (mut differences, expected) = (Differences::default(), &vector.expected);
    let login = long_term_login(&vector.region, &vector.ak, &vector.sk.as_str().into());
    let basic = login.basic_authorization();
    differences.compare("username", &login.username, &expected.username);
    differences.compare(
        "password",
        login.password.expose_secret(),
        &expected.password,
    );
    let expected = &expected.basic_authorization;
    differences.compare("basic_authorization", basic.expose_secret(), expected);
    differences
}

fn compare(vector: &Vector, made: &Made) -> Differences {
    let (mut differences, expected) = (Differences::default(), &vector.expected);
    let canonical_request = made.canonical_request.expose_secret();
    let hash = hex::encode(Sha256::digest(canonical_request));
    let authorization = made
        .headers
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case("authorization"));
    let authorization = authorization.map_or("", |(_, value)| value.expose_secret());
    for (field, made, expected) in [
        (
            "canonical_request",
            canonical_request,
            &expected.canonical_request,
        ),
        (
            "canonical_request_sha256",
            &hash,
            &expected.canonical_request_sha256,
        ),
        (
            "string_to_sign",
            &made.string_to_sign,
            &expected.string_to_sign,
        ),
        (
            "signed_headers",
            &made.signed_headers,
            &expected.signed_headers,
        ),
        (
            "signature",
            made.signature.expose_secret(),
            &expected.signature,
        ),
        ("authorization", authorization, &expected.authorization),
        ("wire_query", &made.query, &vector.request.wire_query),
    ] {
        differences.compare(field, made, expected);
    }
    let derived_key = made.derived_key.as_ref().map(ExposeSecret::expose_secret);
    let (derived_key, expected_key) = (
        format!("{derived_key:?}"),
        format!("{:?}", expected.derived_key_hex.as_deref()),
    );
    differences.compare("derived_key_hex", &derived_key, &expected_key);
    if let Some(derived) = &vector.derived {
        let info = made.string_to_sign.lines().nth(2).unwrap_or_default();
        differences.compare("derived.info", info, &derived.info);
    }

    let sent: Pairs = made
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
        .collect();
    let (sent, expected) = (as_received(&sent), as_received(&expected.request_headers));
    differences.compare(
        "request_headers",
        &format!("{sent:?}"),
        &format!("{expected:?}"),
    );
    differences
}

/// Headers as the other side reads them: in HTTP the case of a name, blanks around a value and the
/// order of different names mean nothing, while the order of one name's values does.
fn as_received(headers: &Pairs) -> BTreeMap<String, Vec<&str>> {
    let mut received: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        let value = value.trim_matches([' ', '\t']);
        received
            .entry(name.to_ascii_lowercase())
            .or_default()
            .push(value);
    }
    received
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vectors")
}

/// Checks all files of a folder. Gives the number of vectors by scheme, or all that is wrong.
fn check_folder(folder: &Path) -> Result<BTreeMap<String, usize>, Vec<String>> {
    let unreadable = |error: std::io::Error| vec![format!("{}: {error}", folder.display())];
    let (mut found, mut wrong) = (BTreeMap::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name == "README.md" {
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "json") {
            wrong.push(format!("{name}: neither vectors (.json) nor README.md"));
            continue;
        }
        match check_file(&name, &fs::read_to_string(&path).map_err(unreadable)?) {
            Ok((scheme, vectors)) => *found.entry(scheme).or_insert(0) += vectors,
            Err(errors) => wrong.extend(errors),
        }
    }
    if wrong.is_empty() && found.values().sum::<usize>() == 0 {
        wrong.push(format!("{}: no vectors", folder.display()));
    }
    if wrong.is_empty() {
        Ok(found)
    } else {
        Err(wrong)
    }
}

#[test]
fn every_vector_is_signed_as_the_vendors_do() {
    let folder = env::var_os("IMAGEREF_VECTORS").map_or_else(committed, PathBuf::from);
    if let Err(wrong) = check_folder(&folder) {
        panic!(
            "{} differences in {}:\n{}",
            wrong.len(),
            folder.display(),
            wrong.join("\n")
        );
    }
}

#[test]
fn the_committed_vectors_cover_every_scheme() {
    let found = check_folder(&committed()).unwrap_or_default();
    for scheme in SCHEMES {
        assert!(
            found.get(scheme).is_some_and(|vectors| *vectors > 0),
            "{scheme}: {found:?}"
        );
    }
}

#[test]
fn vectors_that_cannot_be_checked_are_failures() {
    let failure = |text: &str| check_file("f.json", text).unwrap_err().join("\n");
    let unknown = failure(r#"{"algorithm": "SDK-HMAC-SM3", "count": 0, "vectors": []}"#);
    assert_eq!(unknown, r#"f.json: unknown scheme "SDK-HMAC-SM3""#);
    let count = failure(r#"{"algorithm": "SDK-HMAC-SHA256", "count": 1, "vectors": []}"#);
    assert_eq!(count, "f.json: count is 1, but there are 0 vectors");
    let unreadable = r#"{"algorithm": "ACS3-HMAC-SHA256", "count": 1, "vectors": [{"name": "v"}]}"#;
    assert!(failure(unreadable).starts_with("f.json: v: missing field"));

    let folder = tempfile::tempdir().unwrap();
    assert!(check_folder(folder.path()).unwrap_err()[0].ends_with("no vectors"));
    fs::write(folder.path().join("vectors.yaml"), "").unwrap();
    assert!(check_folder(folder.path()).unwrap_err()[0].starts_with("vectors.yaml: neither"));
    assert!(check_folder(&folder.path().join("absent")).is_err());
}

#[test]
fn a_difference_names_file_vector_field_and_both_values() {
    let text = fs::read_to_string(committed().join("swr-login-key.json")).unwrap();
    let wrong = check_file("f.json", &text.replace("cn-north-4@", "cn-north-1@")).unwrap_err();
    assert!(
        wrong[0].starts_with("f.json: swr-login-1: username\n"),
        "{}",
        wrong[0]
    );
    assert!(
        wrong[0].contains("cn-north-4@") && wrong[0].contains("cn-north-1@"),
        "{}",
        wrong[0]
    );
}
