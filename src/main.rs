//! ImageRef
fn main(){}
