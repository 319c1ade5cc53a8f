fn main() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in a workspace");
    if let Err(e) = xtask::generate::run(root, xtask::generate::Mode::Write) {
        eprintln!("{e}");
        std::process::exit(1)
    }
}
