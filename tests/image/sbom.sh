#!/usr/bin/env bash
# Prints what the program for TARGET is made of, as CycloneDX 1.5: every crate that is compiled in, with
# version, licence and the checksum of Cargo.lock. The same sources give the same text.
#   sbom.sh TARGET [FEATURES]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=$1
features=${2:-}
rust=$(rustc --version | cut -d ' ' -f 2)
# Neither crates that only build or test others, nor procedural macros: they are not in the program.
crates=$(cargo tree --locked --package imageref --target "$target" --features "$features" \
  --edges normal,no-proc-macro --prefix none --no-dedupe --format $'{p}\t{l}' | LC_ALL=C sort -u)
# "name version" of each crate and its checksum; what is built from this repository has none.
sums=$(awk -F ' = ' '
  $1 == "name" { gsub(/"/, "", $2); name = $2 }
  $1 == "version" { gsub(/"/, "", $2); version = $2 }
  $1 == "checksum" { gsub(/"/, "", $2); print name "\t" version "\t" $2 }' Cargo.lock)

jq --null-input --arg crates "$crates" --arg sums "$sums" --arg rust "$rust" --arg target "$target" '
  ($sums | split("\n") | map(split("\t") | {key: (.[0] + " " + .[1]), value: .[2]}) | from_entries) as $sum
  | ($crates | split("\n") | map(split("\t") | (.[0] | split(" ")) as $p
      | {name: $p[0], version: ($p[1] | ltrimstr("v")), licence: (.[1] // "" | gsub("\\s*/\\s*"; " OR "))})) as $all
  | ($all | map(select(.name == "imageref"))[0]) as $own
  | {
      bomFormat: "CycloneDX",
      specVersion: "1.5",
      version: 1,
      metadata: {
        component: {
          type: "application", name: $own.name, version: $own.version, "bom-ref": "imageref",
          licenses: [{expression: $own.licence}],
          properties: [{name: "target", value: $target}]
        }
      },
      components: (
        [$all[] | select(.name != "imageref") | {
          type: "library", name, version,
          "bom-ref": "pkg:cargo/\(.name)@\(.version)",
          purl: "pkg:cargo/\(.name)@\(.version)",
          licenses: (if .licence == "" then [] else [{expression: .licence}] end),
          hashes: [($sum["\(.name) \(.version)"] // empty) | {alg: "SHA-256", content: .}]
        }]
        + [{
          type: "library", name: "rust-std", version: $rust, "bom-ref": "rust-std",
          licenses: [{expression: "MIT OR Apache-2.0"}],
          description: "the standard library of Rust, with the musl libc that it ships for the target"
        }]
      )
    }'
