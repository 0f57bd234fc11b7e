//! A file with a mistake is refused with what to write instead.

use imageref::admission::Configuration;

#[test]
fn a_whole_file_and_an_empty_one_are_read() {
    for good in [
        "",
        "\n",
        "{}",
        "
trust: any
sharedNamespaces: [ai-images]
exempt: [registry.k8s.io/]
mirrors: [{from: a.example, to: b.example/c}]
defaultArchitectures: [amd64]
pools: [{labels: {pool: arm}, architectures: [arm64]}]
accelerators: {vendor.example/gpu: GPU, 'vendor.example/npu-*': ASCEND}
workloads: [{group: example.com, kind: Farm, templates: [spec.template]}]
",
    ] {
        Configuration::read(good).unwrap();
    }
}

#[test]
fn each_mistake_is_answered_with_the_field_and_the_fix() {
    for (file, said) in [
        ("trusts: any", "unknown field `trusts`"),
        (
            "trust: all",
            "unknown variant `all`, expected one of cluster, any",
        ),
        ("mirrors: [{from: a.x}]", "missing field `to`"),
        (
            "mirrors: [{from: a.x, to: b}]",
            "mirrors: \"b\" is no HOST or HOST/PATH (the host is missing): write it such as registry.example.com/team",
        ),
        (
            "exempt: [busybox]",
            "exempt: \"busybox\" names no host: write it such as docker.io/library/busybox, or end it with / for everything under a host or path",
        ),
        ("exempt: [team/app]", "exempt: \"team/app\" names no host"),
        (
            "exempt: ['busybox:1']",
            "exempt: \"busybox:1\" names no host",
        ),
        (
            "exempt: [team/]",
            "exempt: \"team\" is no HOST or HOST/PATH (the host is missing): write it such as registry.example.com/team",
        ),
        (
            "exempt: ['a.x/B']",
            "write HOST/, HOST/PATH/, HOST/PATH or HOST/PATH:TAG",
        ),
        (
            "exempt: ['']",
            "exempt: \"\" is no image (it is empty): write HOST/, HOST/PATH/, HOST/PATH or HOST/PATH:TAG",
        ),
        (
            "sharedNamespaces: [A]",
            "sharedNamespaces: \"A\" is no name of a namespace",
        ),
        (
            "defaultArchitectures: [x86_64]",
            "defaultArchitectures: \"x86_64\" is no architecture: write it as the node label kubernetes.io/arch does, such as amd64 or arm64",
        ),
        (
            "defaultArchitectures: [aarch64]",
            "defaultArchitectures: \"aarch64\" is no architecture",
        ),
        (
            "pools: [{labels: {}, architectures: [arm64]}]",
            "pools[0].labels: empty: name the labels that select the pool, or use defaultArchitectures for pods that select none",
        ),
        (
            "pools: [{labels: {a: b}, architectures: []}]",
            "pools[0].architectures: empty: name those of the pool's nodes, such as arm64",
        ),
        (
            "pools: [{labels: {a: b}, architectures: [ARM]}]",
            "pools[0].architectures: \"ARM\" is no architecture",
        ),
        (
            "pools: [{labels: {a: b}, architectures: [arm64]}, {labels: {a: b}, architectures: [amd64]}]",
            "pools[1].labels: a pool with the same labels is there already: give that one both architectures",
        ),
        (
            "accelerators: {gpu: GPU}",
            "accelerators: \"gpu\" is no extended resource: write its whole name, or the beginning of one with * behind it, such as huawei.com/Ascend*",
        ),
        (
            "accelerators: {'a/*b': GPU}",
            "accelerators: \"a/*b\" is no extended resource",
        ),
        (
            "workloads: [{group: a.x, kind: K, templates: ['$.spec']}]",
            "workloads[0].templates: \"$.spec\" is no path: write field names joined by '.', with [*] behind a list or map, such as spec.tasks[*].template",
        ),
        (
            "workloads: [{group: a.x, kind: K, images: ['']}]",
            "workloads[0].images: \"\" is no path",
        ),
        (
            "workloads: [{group: a.x, kind: ''}]",
            "workloads[0].kind: empty: write it such as PyTorchJob",
        ),
        (
            "workloads: [{group: a.x/v1, kind: K}]",
            "workloads[0].group: \"a.x/v1\" has a version: write the group alone",
        ),
        (
            "workloads: [{group: '', kind: Pod}]",
            "workloads[0]: a Pod is read as it is: remove the entry",
        ),
    ] {
        let error = Configuration::read(file).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(said), "{file}\n{error}");
    }
}

#[test]
fn more_entries_than_are_read_are_refused() {
    let names: Vec<_> = (0..1001).map(|n| format!("n{n}")).collect();
    let file = format!("sharedNamespaces: [{}]", names.join(", "));
    assert_eq!(
        Configuration::read(&file).unwrap_err().message,
        "sharedNamespaces: 1001 entries, and 1000 are read"
    );
}

#[test]
fn the_example_of_the_documentation_is_read() {
    let page = include_str!("../../docs/admission.md");
    let (_, from) = page.split_once("```yaml configuration\ntrust: ").unwrap();
    let (example, _) = from.split_once("```").unwrap();
    Configuration::read(&format!("trust: {example}")).unwrap();
}
