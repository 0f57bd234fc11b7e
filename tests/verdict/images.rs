//! Images are compared as a node reads them, not as text.

use super::world::{A, World, declared, pod};
use imageref::admission::image::{Mirror, Mirrors, PodImage};
use imageref::admission::{Decision, Reason};

fn read(text: &str) -> Result<String, String> {
    PodImage::as_written(text).map(|image| image.to_string())
}

#[test]
fn dockers_defaults_are_filled_in() {
    for (text, whole) in [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1", "docker.io/library/nginx:1"),
        ("cafe", "docker.io/library/cafe:latest"),
        ("team/app", "docker.io/team/app:latest"),
        ("docker.io/nginx:1", "docker.io/library/nginx:1"),
        ("index.docker.io/nginx:1", "docker.io/library/nginx:1"),
        ("Docker.IO/team/app:1", "docker.io/team/app:1"),
        ("localhost/app:1", "localhost/app:1"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        (
            "SWR.example.COM/Ai/x".to_lowercase().leak(),
            "swr.example.com/ai/x:latest",
        ),
        ("SWR.example.COM/ai/x:Tag", "swr.example.com/ai/x:Tag"),
        ("a.example:443/x:1", "a.example/x:1"),
        ("a.example:8443/x:1", "a.example:8443/x:1"),
    ] {
        assert_eq!(read(text).as_deref(), Ok(whole), "{text}");
    }
    let long = "x".repeat(64);
    assert_eq!(read(&long), Ok(format!("docker.io/library/{long}:latest")));
    assert_eq!(
        read(&format!("nginx@{A}")),
        Ok(format!("docker.io/library/nginx@{A}"))
    );
}

#[test]
fn what_no_node_would_pull_is_no_image() {
    for (text, why) in [
        ("", "empty"),
        (" nginx", "white space"),
        ("nginx\n", "white space"),
        ("Nginx", "lower-case"),
        ("Team/app", "host is missing"),
        ("a.example/Team/app", "lower-case"),
        ("a.example:x/app", "host must be"),
        ("a.example:443:443/app", "host must be"),
        ("docker.io:443:443/app", "host must be"),
        ("a.example/app:", "tag must be"),
        ("a.example/app@sha256:00", "behind @"),
        ("https://a.example/app", "https://"),
        (&"a".repeat(64), "image id"),
        (&format!("a.example/{}", "a".repeat(250)), "255"),
        (&format!("a.example/{}", "a".repeat(1014)), "255"),
        (&format!("a.example/{}", "a".repeat(1015)), "too long"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(why), "{text:?}: {error}");
    }
}

#[test]
fn equal_references_match_whatever_their_spelling() {
    for (of_ref, of_pod) in [
        ("docker.io/library/nginx:latest", "nginx"),
        ("nginx", "index.docker.io/library/nginx"),
        ("swr.example.com/ai/x:1", "SWR.EXAMPLE.COM:443/ai/x:1"),
    ] {
        let world = World::of([declared("x", of_ref)]);
        assert_eq!(world.says(&pod(of_pod)), "Allow", "{of_ref} {of_pod}");
    }
    for (of_ref, of_pod, reason) in [
        (
            "swr.example.com/ai/x:a",
            "swr.example.com/ai/x:A",
            Reason::OtherTag,
        ),
        (
            "swr.example.com/ai/x:1",
            "swr.example.com/ai/x",
            Reason::OtherTag,
        ),
        (
            "swr.example.com/ai/x:1",
            "swr.example.com:8443/ai/x:1",
            Reason::UnknownImage,
        ),
        (
            "swr.example.com/ai/x:1",
            "swr.example.com/ai/x/y:1",
            Reason::UnknownImage,
        ),
        ("swr.example.com/ai/x:1", "ai/x:1", Reason::UnknownImage),
    ] {
        let world = World::of([declared("x", of_ref)]);
        assert_eq!(
            world.judge(&pod(of_pod)).findings[0].reason,
            reason,
            "{of_pod}"
        );
    }
}

const MIRRORED: &str = "
mirrors:
- {from: dsw-registry-vpc.cn-shanghai.cr.aliyuncs.com, to: dsw-registry.cn-shanghai.cr.aliyuncs.com}
- {from: mirror.example/hub, to: docker.io}
- {from: mirror.example/hub/special, to: quay.io/special}
";

#[test]
fn mirrors_stand_for_their_originals_on_both_sides() {
    let (vpc, public) = (
        "dsw-registry-vpc.cn-shanghai.cr.aliyuncs.com/pai/x:1",
        "dsw-registry.cn-shanghai.cr.aliyuncs.com/pai/x:1",
    );
    for (of_ref, of_pod) in [
        (vpc, public),
        (public, vpc),
        (vpc, vpc),
        ("nginx:1", "mirror.example/hub/library/nginx:1"),
        ("nginx:1", "mirror.example/hub/nginx:1"),
        ("mirror.example/hub/nginx:1", "nginx:1"),
        ("quay.io/special/x:1", "mirror.example:443/hub/special/x:1"),
    ] {
        let world = World::of([declared("x", of_ref)]).configured(MIRRORED);
        assert_eq!(world.says(&pod(of_pod)), "Allow", "{of_ref} {of_pod}");
    }
    let lines = [Mirror {
        from: "mirror.example/hub".into(),
        to: "quay.io".into(),
    }];
    let own = PodImage::parse("mirror.example/hub:1", &Mirrors::new(&lines).unwrap()).unwrap();
    assert_eq!(own.repository(), "mirror.example/hub", "no host alone");
    let world = World::of([declared("x", "docker.io/a/b:1")]).configured(MIRRORED);
    assert_eq!(
        world.judge(&pod("mirror.example/hubs/a/b:1")).decision,
        Decision::Deny
    );
}

#[test]
fn a_mirror_may_be_exempt_by_either_name() {
    let file = "{mirrors: [{from: m.example/hub, to: docker.io}], exempt: [EXEMPT]}";
    for (exempt, passes) in [
        ("m.example/hub/", true),
        ("docker.io/library/", true),
        ("m.example/other/", false),
    ] {
        let world = World::of([]).configured(&file.replace("EXEMPT", exempt));
        assert_eq!(
            world.says(&pod("m.example/hub/library/nginx")) == "Allow",
            passes,
            "{exempt}"
        );
    }
}

#[test]
fn an_exemption_with_a_tag_is_of_that_tag_alone_and_latest_is_one() {
    let (untagged, latest) = ("a.example/b", "a.example/b:latest");
    let whole = format!("{latest}@{A}");
    for (exempt, image, passes) in [
        (untagged, "a.example/b:1", true),
        (untagged, untagged, true),
        (latest, "a.example/b:1", false),
        (latest, untagged, true),
        (&whole, "a.example/b:1", false),
        (&whole, latest, false),
        (&whole, &whole, true),
    ] {
        let world = World::of([]).configured(&format!("exempt: ['{exempt}']"));
        assert_eq!(
            world.says(&pod(image)) == "Allow",
            passes,
            "{exempt} {image}"
        );
    }
}

#[test]
fn mirrors_that_would_depend_on_their_order_are_refused() {
    let line = |from: &str, to: &str| Mirror {
        from: from.into(),
        to: to.into(),
    };
    let refuse = |lines: &[Mirror]| Mirrors::new(lines).unwrap_err();
    assert_eq!(
        refuse(&[line("a.x", "b.x/team"), line("b.x", "c.x")]),
        "a.x leads to b.x/team, which lies under b.x and leads on: write the last one in its place"
    );
    assert_eq!(
        refuse(&[line("a.x", "a.x/team")]),
        "a.x leads to a.x/team, which lies under a.x and leads on: write the last one in its place"
    );
    assert_eq!(
        refuse(&[line("a.x", "b.x"), line("A.x:443", "c.x")]),
        "A.x:443 is there twice: keep one line"
    );
    assert_eq!(
        refuse(&[line("team", "b.x")]),
        "\"team\" is no HOST or HOST/PATH (the host is missing): write it such as registry.example.com/team"
    );
    assert_eq!(
        refuse(&[line("a.x/b:1", "b.x")]),
        "\"a.x/b:1\" is no HOST or HOST/PATH (it has a tag or a digest): write it such as registry.example.com/team"
    );
    assert!(refuse(&[line("a.x/b/", "b.x")]).contains("the repository must be"));
}
