//! Digests and platforms: what is one, and that both are read back as written.

use imageref::facts::{Arch, Digest, Platform};
use proptest::prelude::*;

#[test]
fn a_digest_is_sha256_with_64_lower_case_hexadecimal_digits() {
    let digits = "0123456789abcdef".repeat(4);
    let whole = format!("sha256:{digits}");
    let digest = Digest::parse(&whole).unwrap();
    assert_eq!(
        (digest.as_str(), digest.to_string()),
        (&*whole, whole.clone())
    );
    for odd in [
        digits.clone(),
        format!("sha512:{digits}"),
        format!("{whole}0"),
        whole.replacen('0', "", 1),
        whole.replace('a', "A"),
        whole.replace('f', "g"),
        whole.replace('9', "/"),
    ] {
        assert_eq!(Digest::parse(&odd), None, "{odd}");
    }
}

#[test]
fn the_architecture_of_a_platform_is_one_that_nodes_have_or_none() {
    let arch = |text: &str| Platform::parse(text).unwrap().arch();
    assert_eq!(arch("linux/amd64"), Some(Arch::Amd64));
    assert_eq!(arch("linux/arm64/v8"), Some(Arch::Arm64));
    assert_eq!(arch("linux/arm/v7"), None);
    assert_eq!(Platform::parse("linux"), None);
}

proptest! {
    #[test]
    fn a_platform_is_read_back_as_written(
        os in "[a-z]{1,9}",
        architecture in "[a-z0-9]{1,9}",
        variant in proptest::option::of("[a-z0-9/]{1,5}"),
    ) {
        let platform = Platform { os, architecture, variant };
        prop_assert_eq!(Platform::parse(&platform.to_string()), Some(platform));
    }
}
