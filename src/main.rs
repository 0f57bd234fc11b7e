//! The `imageref` binary.

fn main() {
    for crd in imageref::api::crd::crds() {
        println!("---\n{}", serde_saphyr::to_string(&crd).unwrap());
    }
}
